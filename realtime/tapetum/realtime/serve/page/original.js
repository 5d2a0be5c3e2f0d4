// The picture before enhancing: of all that the camera gave lately, the one that is shown enhanced.

const KEPT = 21; // pictures: 0.7 s of 30 a second, and more where a busy machine shows fewer, and later

/** Draws on a canvas the original of each enhanced picture, so that both halves of a wipe agree. */
export class Original {
  #canvas;
  #pen;
  #kept = []; // { capturedMs, image }, oldest first

  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d", { alpha: false });
  }

  /** Keeps the picture that `video` shows now. */
  async keep(video, capturedMs) {
    if (capturedMs === null || video.videoWidth === 0) return;
    const image = await createImageBitmap(video).catch(() => null); // the video has just ended
    if (image === null) return;
    this.#kept.push({ capturedMs, image });
    while (this.#kept.length > KEPT) this.#kept.shift().image.close();
  }

  /** Shows the original that was captured at `capturedMs`, or the newest if that is not known. */
  show(capturedMs) {
    const newest = this.#kept.at(-1);
    if (newest === undefined) return;
    const distance = (one) => Math.abs(one.capturedMs - (capturedMs ?? newest.capturedMs));
    const { image } = this.#kept.reduce((best, one) => (distance(one) < distance(best) ? one : best));
    if (this.#canvas.width !== image.width || this.#canvas.height !== image.height) {
      this.#canvas.width = image.width;
      this.#canvas.height = image.height;
    }
    this.#pen.drawImage(image, 0, 0);
  }

  clear() {
    for (const { image } of this.#kept) image.close();
    this.#kept = [];
  }
}
