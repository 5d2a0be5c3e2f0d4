// The WebRTC connection: the camera's picture out, and the enhanced one back.

const GATHER_MS = 2000;

/**
 * Connects to the server.
 *
 * With a `camera` (a MediaStream) that one is enhanced, else the server's own. `onLost` is called
 * once if the connection fails later. Returns the streams to show, and `close`.
 */
export async function connectPeer({ link, camera, model, strength, onLost }) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const close = () => { peer.onconnectionstatechange = null; peer.close(); };
  try {
    addVideos(peer, camera);
    await peer.setLocalDescription();
    await gathered(peer);
    const wish = { camera: camera ? "browser" : "server", sdp: peer.localDescription.sdp, model, strength };
    const { sdp } = await link.ask("watch", wish, "answer");
    await peer.setRemoteDescription({ type: "answer", sdp });
  } catch (error) {
    close();
    throw error;
  }
  peer.onconnectionstatechange = () => {
    if (peer.connectionState === "failed") onLost();
  };
  const [enhanced, original] = peer.getTransceivers().map(({ receiver }) => new MediaStream([receiver.track]));
  return { enhanced, original: original ?? camera, close };
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

/** Waits until all network addresses are in the offer, which is sent in one piece. */
function gathered(peer) {
  return new Promise((resolve) => {
    if (peer.iceGatheringState === "complete") resolve();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
    setTimeout(resolve, GATHER_MS);
  });
}
