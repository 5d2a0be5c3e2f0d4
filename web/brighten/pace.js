// How far brightness may move from one grid to the next: too little to be seen.
//
// As in tapetum.realtime.live.look_pace, of which this is the part for grids that come now and then.
// Tests hold both to the same numbers.

import { strengthened } from "./strength.js";
import { guideView, isCut } from "./temporal.js";

const GRID_LEVELS = 1.4; // mean luma moves by this at most, of 255 levels, while its light rests
const APART_LEVELS = 1.7; // and by this together with a small change of light
const RESTS_LEVELS = 4; // light that changes by less in SETTLED_S rests: things move, and leaves
const SETTLED_S = 1; // time constant in which a change of light is followed
const WISH_LEVELS = 255;
const USUAL_INTERVAL_S = 1 / 30;
const SOON_MS = 60; // between questions for light: it moves less from picture to picture than is seen
const RESTING_MS = 125; // and between those where it rests
const RESTS = 4; // answers in a row that hardly differ: it goes on to rest
const SAME = 0.01; // change of a coefficient by which grids hardly differ
const CELLS = 16;
const LEVELS = 8;
const FADE_MS = 500; // in which a picture becomes bright that had to be shown dark, at the least
const LONGEST_FADE_MS = 8000; // and at the most, however rarely pictures come
const LEVEL = LEVELS * CELLS * CELLS; // numbers of one coefficient
const SIDE = 64; // rows and columns of luma that is looked at
const WEIGHTS = [0.2126, 0.7152, 0.0722];

/** Says how much of each step the look of a stream may take. */
export class LookPace {
  #light = 0;
  #unsettled = 0;

  /**
   * Takes note that the next picture is so much brighter by the look of the last one.
   * @param {number} change in levels of mean luma
   * @param {number} elapsedS time between the two
   */
  followLight(change, elapsedS) {
    this.#light = change;
    this.#unsettled = this.#unsettled * Math.exp(-elapsedS / SETTLED_S) + change;
  }

  /** Lets the look move as fast as it likes: a viewer wants another one. */
  followWish() {
    this.#unsettled = WISH_LEVELS;
  }

  /**
   * How much of a step may be taken, from 0 to 1.
   * @param {number} step how much brighter the picture becomes by it, in levels of mean luma
   */
  share(step) {
    const freely = Math.max(0, Math.abs(this.#unsettled) - RESTS_LEVELS);
    let most = GRID_LEVELS;
    if (step * this.#light > 0) most = Math.max(0, Math.min(most, APART_LEVELS - Math.abs(this.#light))); // both add up
    most += freely;
    return Math.abs(step) <= most ? 1 : most / Math.abs(step);
  }
}

/** The grids of one stream, each as near to the one that is wanted as is not seen. */
export class PacedGrids {
  #pace = new LookPace();
  /** @type {Float32Array<ArrayBuffer> | null} */
  #shown = null;
  /** @type {Float32Array | null} */
  #strong = null; // the same at its strength
  #strength = 1;
  #shares = new Float32Array(2 * LEVEL);
  /** @type {Float32Array | null} */
  #view = null;
  #timeS = NaN;
  #intervalS = USUAL_INTERVAL_S;
  /** How much brighter the last picture becomes by its grid, in levels of mean luma. */
  lift = 0;
  /** @type {string | null} */
  #wish = null;

  /**
   * The grid for the picture now.
   * @param {Float32Array<ArrayBuffer>} wanted
   * @param {Float32Array} thumbnail red, green and blue planes of 256x256 in [0, 1]
   * @param {Float32Array} single luma of 64 rows of 64 pixels, with the noise that means have lost
   * @param {number} timeS the picture's time
   * @param {string} wish what a viewer wants: another one is followed at once
   * @param {number} strength from 0 to 2, at which the grid will be seen
   * @returns {Float32Array<ArrayBuffer>} a new array
   */
  next(wanted, thumbnail, single, timeS, wish, strength = 1) {
    const view = guideView(thumbnail);
    if (this.#view && isCut(this.#view, view)) this.#shown = this.#strong = null;
    if (strength !== this.#strength) {
      this.#strength = strength;
      this.#strong = this.#shown && strengthened(this.#shown, strength);
    }
    if (this.#wish !== null && this.#wish !== wish) this.#pace.followWish();
    [this.#view, this.#wish] = [view, wish];
    if (timeS > this.#timeS) this.#intervalS = timeS - this.#timeS;
    this.#timeS = timeS;
    const before = this.#shares;
    const shares = (this.#shares = new Pixels(lumaOf(thumbnail)).shares());
    const shown = (this.#shown = this.#towards(wanted, new Pixels(single), before));
    this.#strong = strengthened(shown, strength);
    this.lift = meanLuma(this.#strong, shares) - meanOf(shares);
    return shown.slice();
  }

  /**
   * @param {Float32Array<ArrayBuffer>} wanted
   * @param {Pixels} pixels some of the picture now
   * @param {Float32Array} before shares of the picture before
   */
  #towards(wanted, pixels, before) {
    const [shown, strong] = [this.#shown, this.#strong];
    if (!shown || !strong) return wanted.slice();
    const light = meanLuma(strong, this.#shares) - meanLuma(strong, before);
    this.#pace.followLight(light, this.#intervalS);
    const stronger = strengthened(wanted, this.#strength);
    const step = pixels.meanLuma(stronger) - pixels.meanLuma(strong);
    const share = this.#pace.share(step);
    return wanted.map((value, i) => (share === 1 ? value : shown[i] + share * (value - shown[i])));
  }
}

/** Says when light is to be asked for again: a network that looks at every picture costs much. */
export class Asking {
  #askedMs = -Infinity;
  #resting = 0;
  /** @type {Float32Array | null} */
  #last = null;

  /**
   * Whether light is to be asked for now, if no answer is waited for; it counts as asked then.
   * @param {number} nowMs
   */
  isDue(nowMs) {
    const pauseMs = this.#resting >= RESTS ? RESTING_MS : SOON_MS;
    if (nowMs - this.#askedMs < pauseMs) return false;
    this.#askedMs = nowMs;
    return true;
  }

  /** @param {Float32Array} grid that came */
  heard(grid) {
    const last = this.#last;
    const isSame = last !== null && grid.every((value, i) => Math.abs(value - last[i]) < SAME);
    this.#resting = isSame ? this.#resting + 1 : 0;
    this.#last = grid;
  }
}

/** How a stream becomes bright whose first pictures had to be shown dark: by steps too small to see. */
export class Fade {
  #share = 0;
  #lastMs = NaN;

  /**
   * The share of the effect that the picture now gets.
   * @param {number} nowMs
   * @param {number} lift how much brighter all of it makes the picture, in levels of mean luma
   */
  next(nowMs, lift) {
    const passedMs = nowMs > this.#lastMs ? nowMs - this.#lastMs : 0;
    this.#lastMs = nowMs;
    const unseen = Math.min(passedMs / FADE_MS, APART_LEVELS / Math.abs(lift));
    this.#share = Math.min(1, this.#share + Math.max(unseen, passedMs / LONGEST_FADE_MS));
    return this.#share;
  }
}

/**
 * The mean luma, in levels of 255, of the picture itself.
 * @param {Float32Array} shares
 */
function meanOf(shares) {
  return 255 * shares.subarray(0, LEVEL).reduce((sum, share) => sum + share, 0);
}

/**
 * The mean luma, in levels of 255, that a grid makes of a picture.
 * @param {Float32Array} grid coefficient, luma level, row, column
 * @param {Float32Array} shares `Pixels.shares` of the picture
 */
export function meanLuma(grid, shares) {
  let sum = 0;
  for (let i = 0; i < shares.length; i++) sum += grid[i] * shares[i];
  return 255 * sum;
}

/** Pixels of as many rows as columns, for what grids make of them. */
export class Pixels {
  #luma;
  /** Eight nodes of a grid that each lies between, and how much each of these counts. */
  #nodes;
  #weights;

  /** @param {Float32Array} luma in [0, 1] */
  constructor(luma) {
    const side = Math.sqrt(luma.length);
    const cells = Array.from({ length: side }, (_, i) => between(((i + 0.5) * CELLS) / side - 0.5, CELLS));
    this.#luma = luma;
    this.#nodes = new Uint16Array(8 * luma.length);
    this.#weights = new Float32Array(8 * luma.length);
    let at = 0;
    luma.forEach((y, i) => {
      for (const [level, byLevel] of between(Math.sqrt(within(y)) * LEVELS - 0.5, LEVELS)) {
        for (const [below, byRow] of cells[Math.floor(i / side)]) {
          for (const [beside, byColumn] of cells[i % side]) {
            this.#nodes[at] = (level * CELLS + below) * CELLS + beside;
            this.#weights[at++] = byLevel * byRow * byColumn;
          }
        }
      }
    });
  }

  /** How much each of a grid's luma gains and offsets counts in their mean luma. */
  shares() {
    const shares = new Float32Array(2 * LEVEL);
    this.#nodes.forEach((node, at) => {
      const share = this.#weights[at] / this.#luma.length;
      shares[node] += share * this.#luma[at >> 3];
      shares[LEVEL + node] += share;
    });
    return shares;
  }

  /**
   * The mean luma, in levels of 255, that a grid makes of them, clipped as the shader does.
   * @param {Float32Array} grid coefficient, luma level, row, column
   */
  meanLuma(grid) {
    let [sum, at] = [0, 0];
    for (const y of this.#luma) {
      let made = 0;
      for (const end = at + 8; at < end; at++) {
        const node = this.#nodes[at];
        made += this.#weights[at] * (grid[node] * y + grid[LEVEL + node]);
      }
      sum += within(made);
    }
    return (255 * sum) / this.#luma.length;
  }
}

/**
 * The two of `count` places that a place lies between, each with its share.
 * @param {number} place
 * @param {number} count
 * @returns {[number, number][]}
 */
function between(place, count) {
  const held = Math.min(Math.max(place, 0), count - 1);
  const below = Math.min(Math.floor(held), count - 2);
  return [[below, 1 - (held - below)], [below + 1, held - below]];
}

/** @param {number} value */
const within = (value) => Math.min(Math.max(value, 0), 1);

/**
 * Luma of every fourth pixel of every fourth row.
 * @param {Float32Array} thumbnail
 */
export function lumaOf(thumbnail) {
  const pixels = thumbnail.length / 3;
  const side = Math.sqrt(pixels);
  const step = side / SIDE;
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const pixel = Math.floor(i / SIDE) * step * side + (i % SIDE) * step;
    return WEIGHTS.reduce((sum, weight, plane) => sum + weight * thumbnail[plane * pixels + pixel], 0);
  });
}
