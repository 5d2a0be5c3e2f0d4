// Filters a grid's coefficients over time, so that a video is brightened without flicker.
//
// As in tapetum.realtime.temporal: coefficients are smoothed, never pixels; quickly where the light
// changes, and anew at a cut. Tests hold both to the same numbers.

const TIME_CONSTANT_S = 0.3;
const VIEW = 32; // rows and columns of the small luma picture by which scenes are compared
const CUT_CHANGE = 0.03;
const CUT_CORRELATION = 0.55;
const QUICK_CHANGE = 0.05;
const USUAL_INTERVAL_S = 1 / 30;

/** Exponential smoothing of coefficients, for one stream. */
export class TemporalFilter {
  /** @type {Float32Array<ArrayBuffer> | null} */
  #steady = null;
  #scene = new Float32Array();
  #lastView = new Float32Array();
  #lastTimeS = NaN;
  #intervalS = USUAL_INTERVAL_S;

  /**
   * Smooths one frame's coefficients.
   * @param {Float32Array<ArrayBuffer>} coefficients
   * @param {Float32Array} thumbnail red, green and blue planes of 256x256 in [0, 1]
   * @param {number} timeS the frame's time
   * @returns {Float32Array<ArrayBuffer>} a new array
   */
  smooth(coefficients, thumbnail, timeS) {
    const view = guideView(thumbnail);
    if (timeS > this.#lastTimeS) this.#intervalS = timeS - this.#lastTimeS;
    this.#lastTimeS = timeS;
    if (this.#steady === null || isCut(this.#lastView, view)) {
      this.#steady = coefficients.slice();
      this.#scene = view.slice();
    } else {
      const change = meanDistance(view, this.#scene) / QUICK_CHANGE;
      const share = 1 - Math.exp((-this.#intervalS * (1 + change * change)) / TIME_CONSTANT_S);
      approach(this.#steady, coefficients, share);
      approach(this.#scene, view, share);
    }
    this.#lastView = view;
    return this.#steady.slice();
  }
}

/**
 * Whether two guide views show different scenes.
 * @param {Float32Array} before
 * @param {Float32Array} after
 */
export function isCut(before, after) {
  return meanDistance(before, after) > CUT_CHANGE && correlation(before, after) < CUT_CORRELATION;
}

/**
 * @param {Float32Array} values
 * @param {Float32Array} goal
 * @param {number} share
 */
function approach(values, goal, share) {
  for (let i = 0; i < values.length; i++) values[i] += share * (goal[i] - values[i]);
}

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
function meanDistance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
function correlation(a, b) {
  const count = a.length;
  const [meanA, meanB] = [a, b].map((values) => values.reduce((sum, value) => sum + value, 0) / count);
  let [product, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    product += (a[i] - meanA) * (b[i] - meanB);
    squareA += (a[i] - meanA) ** 2;
    squareB += (b[i] - meanB) ** 2;
  }
  // The small number makes flat pictures uncorrelated instead of undefined.
  return product / count / (Math.sqrt((squareA / count) * (squareB / count)) + 1e-4);
}

/**
 * The guide, from the mean of the channels, at VIEW x VIEW.
 * @param {Float32Array} thumbnail
 */
export function guideView(thumbnail) {
  const pixels = thumbnail.length / 3;
  const side = Math.sqrt(pixels);
  const block = side / VIEW;
  const view = new Float32Array(VIEW * VIEW);
  for (let i = 0; i < thumbnail.length; i++) {
    const pixel = i % pixels;
    const row = Math.floor(pixel / side / block);
    view[row * VIEW + Math.floor((pixel % side) / block)] += thumbnail[i];
  }
  return view.map((sum) => Math.sqrt(Math.max(sum / (3 * block * block), 0)));
}
