// The curve for a picture of which nothing is known but its luma: it brightens while the network loads.
//
// As in tapetum.realtime.live.global_curve. Tests hold both to the same numbers.

import { cellLuma, darkness } from "./exposure.js";
import { lumaOf } from "./pace.js";
import { strengthened } from "./strength.js";

const LEVELS = 8;
const CELLS = 16 * 16;
const COEFFICIENTS = 8;
const MEANS = [0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.6, 1]; // of pictures
const TARGETS = [0.22, 0.31, 0.36, 0.44, 0.46, 0.52, 0.58, 1]; // what the network makes of most
const CHROMA_POWER = 0.55; // chroma gain over luma gain, as a power
const DARKEST = 1e-3;
const STEPS = 30;

/**
 * A grid whose cells are all alike: a power of luma that makes the picture as bright as the network
 * makes most pictures of its mean.
 * @param {Float32Array} thumbnail red, green and blue planes of 256x256 in [0, 1]
 * @param {import("./lighting.js").Aim} aim
 * @returns {Float32Array<ArrayBuffer>} coefficient, luma level, row, column
 */
export function guessedCurve(thumbnail, { onlyWhenDark = true, brightness = null } = {}) {
  const luma = lumaOf(thumbnail);
  const mean = Math.max(meanOf(luma), DARKEST);
  const target = brightness ?? between(mean, MEANS, TARGETS);
  const power = powerFor(luma.map((y) => Math.max(y, DARKEST)), target);
  const colour = (target / mean) ** CHROMA_POWER;
  const curve = new Float32Array(COEFFICIENTS * LEVELS * CELLS);
  for (let level = 0; level < LEVELS; level++) {
    const y = ((level + 0.5) / LEVELS) ** 2;
    const gain = power * y ** (power - 1);
    const coefficients = [gain, y ** power - gain * y, colour, 0, 0, colour, 0, 0];
    coefficients.forEach((value, i) => curve.fill(value, (i * LEVELS + level) * CELLS, (i * LEVELS + level + 1) * CELLS));
  }
  if (brightness !== null || !onlyWhenDark) return curve;
  return strengthened(curve, darkness(cellLuma(thumbnail)));
}

/**
 * The power of luma whose mean is `target`, by halving an interval.
 * @param {Float32Array} luma
 * @param {number} target
 */
function powerFor(luma, target) {
  let [low, high] = [0.15, 1.5];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (meanOf(luma.map((y) => y ** middle)) > target) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** @param {Float32Array} values */
const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * What lies at a place between known ones.
 * @param {number} place
 * @param {number[]} places rising
 * @param {number[]} values
 */
function between(place, places, values) {
  const above = Math.max(1, places.findIndex((other) => other >= place));
  const share = (place - places[above - 1]) / (places[above] - places[above - 1]);
  return values[above - 1] + share * (values[above] - values[above - 1]);
}
