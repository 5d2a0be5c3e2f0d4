// Snapshots and recordings, made in the browser and saved like any download.

const RECORDINGS = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

/** Saves what a video or canvas shows as a PNG file. */
export async function saveSnapshot(picture) {
  const canvas = document.createElement("canvas");
  canvas.width = picture.videoWidth ?? picture.width;
  canvas.height = picture.videoHeight ?? picture.height;
  canvas.getContext("2d", { alpha: false }).drawImage(picture, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  save(blob, "snapshot", "png");
}

/** Records a stream until `stop`, then saves the file. */
export class Recording {
  #recorder;
  #pieces = [];

  /** `onTime` is called each second with the seconds so far, and with null at the end. */
  constructor(stream, onTime) {
    const mimeType = RECORDINGS.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 6_000_000 });
    let seconds = 0;
    onTime(seconds);
    const clock = setInterval(() => onTime(++seconds), 1000);
    this.#recorder.ondataavailable = (event) => this.#pieces.push(event.data);
    this.#recorder.onstop = () => {
      clearInterval(clock);
      onTime(null);
      const blob = new Blob(this.#pieces, { type: this.#recorder.mimeType });
      if (blob.size > 0) save(blob, "recording", blob.type.includes("mp4") ? "mp4" : "webm");
    };
    this.#recorder.start(1000);
  }

  /** Ends it; a recording whose stream has ended has stopped by itself. */
  stop() {
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
  }
}

function save(blob, kind, suffix) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = `tapetum-${kind}-${moment()}.${suffix}`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}

/** The local time as 20261125-183000. */
function moment() {
  const now = new Date();
  const local = new Date(now - 60_000 * now.getTimezoneOffset());
  return local.toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
}
