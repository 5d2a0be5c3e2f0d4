// A call as meeting pages make it: the camera goes through two peers to #received.

const part = (id) => document.getElementById(id);

async function begin(size) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: size });
  const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()];
  here.onicecandidate = ({ candidate }) => there.addIceCandidate(candidate);
  there.onicecandidate = ({ candidate }) => here.addIceCandidate(candidate);
  there.ontrack = ({ streams }) => play("received", streams[0]);
  window.sender = here.addTrack(stream.getVideoTracks()[0], stream);
  await here.setLocalDescription();
  await there.setRemoteDescription(here.localDescription);
  await there.setLocalDescription();
  await here.setRemoteDescription(there.localDescription);
  window.track = stream.getVideoTracks()[0];
  play("own", stream);
}

function play(id, stream) {
  part(id).srcObject = stream;
  part(id).play();
}

/** Mean luma of what a video shows: of all, of its left half, of its right half. */
function luma(id) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 36];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(part(id), 0, 0, 64, 36);
  const { data } = context.getImageData(0, 0, 64, 36);
  const sums = [0, 0];
  for (let i = 0; i < data.length; i += 4) {
    sums[Number((i / 4) % 64 >= 32)] += 0.2126 * data[i] + 0.7152 * data[i + 1] + 0.0722 * data[i + 2];
  }
  const [left, right] = sums.map((sum) => sum / (32 * 36));
  return { all: (left + right) / 2, left, right };
}
