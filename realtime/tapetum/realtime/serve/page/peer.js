// The WebRTC connection: the camera's picture out, and the enhanced one back.

const GATHER_MS = 2000;
const BITS_PER_PIXEL = 5; // a second; dark detail is faint, and the first that a low rate takes away
const LEAST_BITS = 2_000_000;
const MOST_BITS = 12_000_000;
const USUAL_RATE = 30; // pictures a second that these are for

/**
 * Connects to the server.
 *
 * With a `camera` (a MediaStream) that one is enhanced, else the server's own; `look()` says how. The server is asked
 * only if it `isWanted()` still. `onLost` is called once if the connection fails later. Returns the streams to show,
 * `send`, which says how many pictures of the camera the server can use, and how large, `reached`, whether the two
 * were ever connected, and `close`.
 */
export async function connectPeer({ link, stream, camera, look, isWanted, onLost }) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const send = camera ? limiter(peer, camera) : () => {};
  const close = () => {
    send({ rate: null, scale: 1 }); // the camera may be used again
    peer.onconnectionstatechange = null;
    peer.close();
  };
  try {
    addVideos(peer, camera);
    await peer.setLocalDescription();
    await gathered(peer);
    if (!isWanted()) throw new Error("Something else was asked for."); // and its answer is not to be lost
    const wish = { stream, camera: camera ? "browser" : "server", sdp: peer.localDescription.sdp, ...look() };
    const { sdp } = await link.ask("watch", wish, "answer");
    await sendWhole(peer, camera, sdp);
  } catch (error) {
    close();
    throw error;
  }
  let connected = false;
  const reached = () => (connected ||= peer.connectionState === "connected");
  peer.onconnectionstatechange = () => {
    if (peer.connectionState === "failed") onLost();
    else reached();
  };
  const [enhanced, original] = peer.getTransceivers().map(({ receiver }) => new MediaStream([receiver.track]));
  return { enhanced, original: original ?? camera, send, reached, close };
}

function addVideos(peer, camera) {
  if (camera) {
    peer.addTransceiver(camera.getVideoTracks()[0], { direction: "sendrecv", streams: [camera] });
  } else {
    peer.addTransceiver("video", { direction: "recvonly" }); // enhanced
    peer.addTransceiver("video", { direction: "recvonly" }); // as it is
  }
  for (const { receiver } of peer.getTransceivers()) receiver.jitterBufferTarget = 0;
}

/**
 * Takes the answer, and has the camera's picture sent at its full size and with enough bits.
 *
 * By itself a browser begins at 300 kbit/s, as for a call across the internet, and sends a smaller
 * picture for the first half minute.
 */
async function sendWhole(peer, camera, sdp) {
  const bits = bitsFor(camera);
  await peer.setRemoteDescription({ type: "answer", sdp: withBitRate(sdp, bits) });
  if (!camera) return;
  const [{ sender }] = peer.getTransceivers();
  const parameters = sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  for (const encoding of parameters.encodings ?? []) encoding.maxBitrate = bits;
  await sender.setParameters(parameters).catch(() => {}); // an old browser that knows no such wish
}

/** Bits a second for a camera's pictures, or for such that are `scale` times smaller each way. */
function bitsFor(camera, scale = 1) {
  const { width = 1280, height = 720 } = camera?.getVideoTracks()[0].getSettings() ?? {};
  return Math.min(MOST_BITS, Math.max(LEAST_BITS, BITS_PER_PIXEL * width * height / scale ** 2));
}

/**
 * Gives what has fewer, and smaller, pictures taken and sent: those that a busy server would leave
 * out have been encoded for nothing. `rate` is pictures a second, or null for all.
 */
function limiter(peer, camera) {
  const asked = camera.getVideoTracks()[0].getConstraints();
  let now = { rate: null, scale: 1 };
  return ({ rate, scale }) => {
    if (rate === now.rate && scale === now.scale) return;
    now = { rate, scale };
    const [{ sender }] = peer.getTransceivers();
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings ?? []) {
      encoding.scaleResolutionDownBy = scale;
      if (rate === null) delete encoding.maxFramerate;
      else encoding.maxFramerate = rate; // for cameras that have one rate only
      encoding.maxBitrate = Math.round(bitsFor(camera, scale) * Math.min(1, (rate ?? USUAL_RATE) / USUAL_RATE));
    }
    sender.setParameters(parameters).catch(() => {}); // an old browser: it goes on as it is
    // Those that are not sent need not be taken either: each is drawn as "before", and encoded.
    const [track] = camera.getVideoTracks();
    const wish = rate === null ? asked.frameRate : { max: rate };
    track.applyConstraints({ ...asked, frameRate: wish }).catch(() => {}); // a camera of one rate
  };
}

/** The answer with a bit rate to begin with (Chromium's own parameter) and one to stay under. */
function withBitRate(sdp, bits) {
  const kbits = Math.round(bits / 1000);
  const start = `x-google-start-bitrate=${kbits}`;
  return sdp.replaceAll(/^m=video .*\r\n(?:(?!m=).*\r\n)*/gm, (section) => {
    const types = [...section.matchAll(/^a=rtpmap:(\d+) (?:VP8|VP9|H264|AV1)\//gm)].map(([, type]) => type);
    const plain = types.filter((type) => !section.includes(`a=fmtp:${type} `));
    return section
      .replace(/^c=.*\r\n/m, (line) => `${line}b=AS:${kbits}\r\n`)
      .replaceAll(/^a=fmtp:(\d+) .*$/gm, (line, type) => (types.includes(type) ? `${line};${start}` : line))
      .concat(...plain.map((type) => `a=fmtp:${type} ${start}\r\n`));
  });
}

/** Waits until all network addresses are in the offer, which is sent in one piece. */
function gathered(peer) {
  return new Promise((resolve) => {
    if (peer.iceGatheringState === "complete") resolve();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
    setTimeout(resolve, GATHER_MS);
  });
}
