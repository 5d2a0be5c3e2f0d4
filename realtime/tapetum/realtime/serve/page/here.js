// The picture brightened in this browser: the server sees a thumbnail of it and answers with light.

import { Brightener, GRID_SIZE } from "/brighten/brightener.js";
import { Asking } from "/brighten/pace.js";
import { SpareTime } from "/brighten/spare_time.js";

const LATE_MS = 5000; // so long without an answer, and the server works no more

/**
 * Draws what `video` shows on `canvas`, bright, picture by picture, until `close`.
 *
 * A grid is asked for when the server has given one and the next is due: the newest picture then is
 * the one that it sees. Pictures between get the grid before, so that none is late and none is dark.
 * `strength` is asked for each picture, and `denoise` says how much noise is taken out of all. `onFrame`
 * gets `{ metadata, drawnMs, shownMs, noise }` of each: what the video tells of it, how long drawing took,
 * when the screen got it, and what becomes of the noise.
 */
export class BrightenedHere {
  #video;
  #link;
  #brightener;
  #strength;
  #denoise;
  #spare = new SpareTime();
  #spentMs = 0;
  #onFrame;
  #handle = 0;
  #asking = new Asking();
  #askedMs = -Infinity; // when a grid was asked for that has not come
  #lit = false;
  #first;
  #gotFirst;
  #heard = ({ data }) => this.#hear(data);

  /** Throws an `Error` where the browser's graphics cannot do it. */
  constructor({ video, canvas, link, strength, denoise, onFrame, onLost }) {
    this.#video = video;
    this.#link = link;
    this.#strength = strength;
    this.#denoise = denoise;
    this.#onFrame = onFrame;
    this.#brightener = new Brightener(canvas);
    this.#first = new Promise((resolve) => { this.#gotFirst = resolve; });
    canvas.addEventListener("webglcontextlost", onLost, { once: true });
    link.addEventListener("bytes", this.#heard);
    this.#handle = video.requestVideoFrameCallback(this.#shown);
  }

  /** Waits for the first bright picture. */
  get first() {
    return this.#first;
  }

  close() {
    this.#video.cancelVideoFrameCallback(this.#handle);
    this.#link.removeEventListener("bytes", this.#heard);
  }

  #shown = (_now, metadata) => {
    this.#handle = this.#video.requestVideoFrameCallback(this.#shown);
    const { videoWidth, videoHeight } = this.#video;
    if (videoWidth === 0) return;
    const begunMs = performance.now();
    this.#spare.next(begunMs, this.#spentMs, this.#brightener.isLate);
    this.#brightener.take(this.#video, videoWidth, videoHeight);
    this.#ask(begunMs);
    if (!this.#lit) return;
    const why = this.#spare.whyNoiseStays(this.#denoise);
    this.#brightener.draw(this.#strength(), 0, { denoise: why ? "off" : this.#denoise, nowMs: begunMs });
    const noise = why || this.#brightener.noise;
    const drawnMs = (this.#spentMs = performance.now() - begunMs);
    requestAnimationFrame(() => this.#onFrame({ metadata, drawnMs, shownMs: performance.now(), noise }));
    this.#gotFirst();
  };

  /** Sends the thumbnail that the graphics have made, and begins one when the next is due. */
  #ask(nowMs) {
    const thumbnail = this.#brightener.readThumbnail();
    if (thumbnail) this.#link.sendBytes(thumbnail);
    if (nowMs - this.#askedMs < LATE_MS || !this.#asking.isDue(nowMs)) return;
    this.#askedMs = nowMs;
    this.#brightener.beginThumbnail();
  }

  #hear(data) {
    const grid = new Float32Array(data);
    if (grid.length !== GRID_SIZE) return;
    this.#brightener.setGrid(grid);
    this.#asking.heard(grid);
    this.#lit = true;
    this.#askedMs = -Infinity;
  }
}
