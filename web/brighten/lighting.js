// Grids from thumbnails: the network's, and what is done to them over time.
//
// As in tapetum.realtime.serve.lighting; it belongs in a worker.

import { cellLuma, darknessByCell } from "./exposure.js";
import { guessedCurve } from "./guess.js";
import { PacedGrids } from "./pace.js";
import { withBrightness } from "./strength.js";
import { TemporalFilter } from "./temporal.js";

const SIDE = 256;
const PIXELS = SIDE * SIDE;
const CELLS = 8 * 16 * 16;
const IDENTITY = [1, 0, 1, 0, 0, 1, 0, 0]; // coefficients that leave a picture as it is

/**
 * When pictures are made bright, and how bright: well-lit ones stay as they are, by default; or each
 * is brought to a mean luma, over 0 and under 1, as far as strengths up to 2 can.
 * @typedef {{ onlyWhenDark?: boolean, brightness?: number | null }} Aim
 */

/** Makes the grids of one stream: by a curve as long as no network is there, or where it fails. */
export class Lighting {
  #filter = new TemporalFilter();
  #paced = new PacedGrids();
  /** @type {import("./network.js").Network | null} */
  network;
  /** Why a curve stands in, in words; empty while the network loads, and once it runs. */
  problem = "";

  /** @param {import("./network.js").Network | null} network may come later */
  constructor(network = null) {
    this.network = network;
  }

  /** How much brighter the last picture becomes, in levels of mean luma. */
  get lift() {
    return this.#paced.lift;
  }

  /**
   * The steady grid of the picture now.
   * @param {Uint8Array} roots 256 rows of 256 pixels of red, green and blue, then 64 rows of 64 single
   *   pixels' luma, each 255 times the square root of a value in [0, 1]
   * @param {number} timeS the picture's time
   * @param {Aim} aim
   * @param {number} strength from 0 to 2, at which the grid will be seen
   * @returns {Promise<Float32Array<ArrayBuffer>>} coefficient, luma level, row, column
   */
  async grid(roots, timeS, { onlyWhenDark = true, brightness = null } = {}, strength = 1) {
    const thumbnail = planes(roots);
    const aim = { onlyWhenDark, brightness };
    const wanted = (await this.#byNetwork(thumbnail, aim)) ?? guessedCurve(thumbnail, aim);
    const steady = this.#filter.smooth(wanted, thumbnail, timeS);
    const wish = `${onlyWhenDark} ${brightness}`;
    return this.#paced.next(steady, thumbnail, singlePixels(roots), timeS, wish, strength);
  }

  /**
   * @param {Float32Array} thumbnail
   * @param {Aim} aim
   */
  async #byNetwork(thumbnail, { onlyWhenDark, brightness }) {
    if (!this.network) return null;
    try {
      const grid = await this.network.run(thumbnail);
      this.problem = "";
      const cells = cellLuma(thumbnail);
      if (typeof brightness === "number") return withBrightness(grid, cells, brightness);
      if (onlyWhenDark) mixWithIdentity(grid, darknessByCell(cells));
      return grid;
    } catch (error) {
      this.problem = String(error);
      return null;
    }
  }
}

/**
 * Planes of red, green and blue in [0, 1].
 * @param {Uint8Array} roots
 */
function planes(roots) {
  const thumbnail = new Float32Array(3 * PIXELS);
  for (let i = 0; i < thumbnail.length; i++) {
    const root = roots[i] / 255;
    thumbnail[(i % 3) * PIXELS + Math.floor(i / 3)] = root * root;
  }
  return thumbnail;
}

/**
 * Luma of single pixels in [0, 1].
 * @param {Uint8Array} roots
 */
const singlePixels = (roots) => Float32Array.from(roots.subarray(3 * PIXELS), (root) => (root / 255) ** 2);

/**
 * @param {Float32Array} grid
 * @param {Float64Array} shares of the network's effect that are left, cell by cell
 */
function mixWithIdentity(grid, shares) {
  for (let i = 0; i < grid.length; i++) {
    const same = IDENTITY[Math.floor(i / CELLS)];
    grid[i] = same + shares[i % shares.length] * (grid[i] - same);
  }
}
