// A grid's curve, applied to pictures by the processor: where there are no graphics, or they are lost.
//
// As in tapetum.realtime.live.global_curve: one curve for the whole picture, as bright and as colourful
// on the whole as the grid makes it. Noise stays.

import { lumaOf, Pixels } from "./pace.js";
import { strengthened } from "./strength.js";

const THUMBNAIL = 256; // rows and columns of the picture that the network looks at
const CELLS = 16 * 16;
const LEVELS = 8;
const LEVEL = LEVELS * CELLS; // numbers of one coefficient
const LEVEL_SHARE = 0.05; // weight of a whole level's mean where few pixels are
const PICTURE_SHARE = 0.001; // and of all levels' where none are
const LUMAS = 1024; // steps of luma in the curve's table
const BLUE_FROM_U = 1.8556;
const RED_FROM_V = 1.5748;
const [KR, KG, KB] = [0.2126, 0.7152, 0.0722];

/** Draws brightened pictures on a canvas, as `Brightener` does. */
export class CurveBrightener {
  #canvas;
  #context;
  #small;
  /** @type {Uint8Array<ArrayBuffer> | null} */
  #roots = null; // of the thumbnail that is not read yet
  /** @type {Float32Array} */
  #shares = new Float32Array(2 * LEVEL);
  /** @type {Float32Array<ArrayBuffer> | null} */
  #grid = null;
  /** @type {ReturnType<typeof curveOf> | null} */
  #curve = null;
  #strength = NaN; // of that curve
  /** What becomes of the noise, in words for a person; empty where it is not to be taken out. */
  noise = "";
  /** Whether the last picture is not finished yet. */
  isLate = false;

  /**
   * Throws an `Error` where the browser has no canvas to draw on.
   * @param {OffscreenCanvas} canvas
   */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = contextOf(canvas);
    this.#small = contextOf(new OffscreenCanvas(THUMBNAIL, THUMBNAIL));
    this.#small.imageSmoothingQuality = "high";
  }

  /**
   * Takes what a video or frame shows now as the picture.
   * @param {CanvasImageSource} source
   * @param {number} width
   * @param {number} height
   */
  take(source, width, height) {
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#context.drawImage(source, 0, 0, width, height);
  }

  /**
   * Takes a grid: coefficient, luma level, row, column.
   * @param {Float32Array<ArrayBuffer>} grid
   */
  setGrid(grid) {
    this.#grid = grid;
    this.#curve = null;
  }

  /**
   * Draws the picture with the curve of the grid, which must have come.
   * @param {number} strength 0 leaves the picture as it is, 1 is the network's own, 2 the most
   * @param {number} before share of the width, from the left, that is left as it is
   * @param {object} noise
   * @param {import("./denoiser.js").Denoise} [noise.denoise] how much noise is wished to be taken out
   */
  draw(strength, before = 0, { denoise = "off" } = {}) {
    this.noise = denoise === "off" ? "" : "left in: there are no graphics to take it out";
    if (!this.#grid) return;
    if (!this.#curve || strength !== this.#strength) {
      this.#curve = curveOf(strengthened(this.#grid, strength), this.#shares);
      this.#strength = strength;
    }
    const { width, height } = this.#canvas;
    const left = Math.min(Math.round(before * width), width - 1);
    const part = this.#context.getImageData(left, 0, width - left, height);
    apply(this.#curve, part.data);
    this.#context.putImageData(part, left, 0);
  }

  /** Makes the picture's thumbnail. */
  beginThumbnail() {
    this.#small.drawImage(this.#canvas, 0, 0, THUMBNAIL, THUMBNAIL);
    const { data } = this.#small.getImageData(0, 0, THUMBNAIL, THUMBNAIL);
    const pixels = THUMBNAIL * THUMBNAIL;
    const thumbnail = new Float32Array(3 * pixels);
    const colours = new Uint8Array(3 * pixels);
    for (let pixel = 0; pixel < pixels; pixel++) {
      for (let channel = 0; channel < 3; channel++) {
        const value = data[4 * pixel + channel] / 255;
        thumbnail[channel * pixels + pixel] = value;
        colours[3 * pixel + channel] = Math.round(255 * Math.sqrt(value));
      }
    }
    const luma = lumaOf(thumbnail);
    this.#shares = new Pixels(luma).shares();
    this.#roots = new Uint8Array([...colours, ...luma.map((value) => Math.round(255 * Math.sqrt(value)))]);
  }

  /**
   * Gives the thumbnail that was begun, once: 256 rows of 256 pixels of red, green and blue, each the
   * square root of the mean from 0 to 255; then 64 rows of 64 of its pixels' luma, as its square root.
   * @returns {Uint8Array<ArrayBuffer> | null}
   */
  readThumbnail() {
    const roots = this.#roots;
    this.#roots = null;
    return roots;
  }

  close() {}
}

/** @param {OffscreenCanvas} canvas */
function contextOf(canvas) {
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (!context) throw new Error("this browser has no canvas to draw on");
  return context;
}

/**
 * What each luma becomes, from 0 to 255, and by how much red and blue are farther from it.
 * @param {Float32Array} grid
 * @param {Float32Array} shares `Pixels.shares` of the picture
 */
function curveOf(grid, shares) {
  const pixels = Array.from({ length: LEVELS }, (_, level) => sum(shares, LEVEL + level * CELLS));
  const levels = pixels.map((share, level) => {
    const extra = (LEVEL_SHARE * share + PICTURE_SHARE) / CELLS;
    /** @param {number} channel */
    const mean = (channel) => {
      let [total, weights] = [0, 0];
      for (let cell = level * CELLS; cell < (level + 1) * CELLS; cell++) {
        const weight = shares[LEVEL + cell] + extra;
        total += weight * grid[channel * LEVEL + cell];
        weights += weight;
      }
      return total / weights;
    };
    return [0, 1, 2, 5, 6, 7].map(mean);
  });
  const weights = pixels.map((share) => share + PICTURE_SHARE);
  const all = weights.reduce((total, weight) => total + weight, 0);
  const [blue, red, addedBlue, addedRed] = [2, 3, 4, 5].map(
    (channel) => levels.reduce((total, level, i) => total + weights[i] * level[channel], 0) / all);
  const luma = Float32Array.from({ length: LUMAS }, (_, i) => {
    const y = i / (LUMAS - 1);
    const place = Math.min(Math.max(Math.sqrt(y) * LEVELS - 0.5, 0), LEVELS - 1);
    const below = Math.min(Math.floor(place), LEVELS - 2);
    const [gain, offset] = [0, 1].map(
      (channel) => levels[below][channel] + (place - below) * (levels[below + 1][channel] - levels[below][channel]));
    return 255 * Math.min(Math.max(gain * y + offset, 0), 1);
  });
  return { luma, blue, red, addedBlue: 255 * BLUE_FROM_U * addedBlue, addedRed: 255 * RED_FROM_V * addedRed };
}

/**
 * @param {ReturnType<typeof curveOf>} curve
 * @param {Uint8ClampedArray} rgba changed
 */
function apply({ luma, blue, red, addedBlue, addedRed }, rgba) {
  const step = (LUMAS - 1) / 255;
  for (let at = 0; at < rgba.length; at += 4) {
    const y = KR * rgba[at] + KG * rgba[at + 1] + KB * rgba[at + 2];
    const bright = luma[(step * y + 0.5) | 0];
    const newRed = bright + red * (rgba[at] - y) + addedRed;
    const newBlue = bright + blue * (rgba[at + 2] - y) + addedBlue;
    rgba[at] = newRed;
    rgba[at + 1] = (bright - KR * newRed - KB * newBlue) / KG;
    rgba[at + 2] = newBlue;
  }
}

/**
 * Of one level's cells.
 * @param {Float32Array} values
 * @param {number} from
 */
function sum(values, from) {
  return values.subarray(from, from + CELLS).reduce((total, value) => total + value, 0);
}
