// Grids from thumbnails: the network's, and what is done to them over time.
//
// As in tapetum.realtime.serve.lighting; it belongs in a worker.

import { cellLuma, darknessByCell } from "./exposure.js";
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

/** Makes the grids of one stream. */
export class Lighting {
  #network;
  #filter = new TemporalFilter();
  #paced = new PacedGrids();

  /** @param {import("./network.js").Network} network */
  constructor(network) {
    this.#network = network;
  }

  /** How much brighter the last picture becomes, in levels of mean luma. */
  get lift() {
    return this.#paced.lift;
  }

  /**
   * The steady grid of the picture now.
   * @param {Uint8Array} roots 256 rows of 256 pixels of red, green and blue, each 255 times the
   *   square root of a value in [0, 1]
   * @param {number} timeS the picture's time
   * @param {Aim} aim
   * @returns {Promise<Float32Array<ArrayBuffer>>} coefficient, luma level, row, column
   */
  async grid(roots, timeS, { onlyWhenDark = true, brightness = null } = {}) {
    const thumbnail = planes(roots);
    const grid = await this.#network.run(thumbnail);
    const steady = this.#filter.smooth(aimed(grid, cellLuma(thumbnail)), thumbnail, timeS);
    return this.#paced.next(steady, thumbnail, timeS, `${onlyWhenDark} ${brightness}`);

    /** @param {Float32Array<ArrayBuffer>} wanted @param {Float64Array} cells */
    function aimed(wanted, cells) {
      if (brightness !== null) return withBrightness(wanted, cells, brightness);
      if (onlyWhenDark) mixWithIdentity(wanted, darknessByCell(cells));
      return wanted;
    }
  }
}

/**
 * Planes of red, green and blue in [0, 1].
 * @param {Uint8Array} roots
 */
function planes(roots) {
  const thumbnail = new Float32Array(3 * PIXELS);
  for (let i = 0; i < roots.length; i++) {
    const root = roots[i] / 255;
    thumbnail[(i % 3) * PIXELS + Math.floor(i / 3)] = root * root;
  }
  return thumbnail;
}

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
