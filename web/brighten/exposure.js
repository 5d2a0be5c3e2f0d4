// How dark a picture is, and so how much of the network's effect it needs.
//
// As in tapetum.realtime.cpu.exposure: little light, lamps and skies not counted as more than grey;
// or a quarter that is nearly black. Tests hold both to the same numbers.

const CELLS = 16; // rows and columns of which luma is the mean
const GREY = 0.5;
const LITTLE_LIGHT = 0.15;
const ENOUGH_LIGHT = 0.25;
const SHADOW_SHARE = 0.25;
const BLACK_SHADOW = 0.04;
const SEEN_SHADOW = 0.08;
const WEIGHTS = [0.2126, 0.7152, 0.0722];

/**
 * 1 for a picture in the dark, 0 for one that is well lit, else in between.
 * @param {Float32Array} thumbnail red, green and blue planes of 256x256 in [0, 1]
 */
export function darkness(thumbnail) {
  const cells = cellLuma(thumbnail);
  const light = cells.reduce((sum, luma) => sum + Math.min(luma, GREY), 0) / cells.length;
  const shadow = quantile(cells, SHADOW_SHARE);
  return Math.max(
    fading(light, LITTLE_LIGHT, ENOUGH_LIGHT), fading(shadow, BLACK_SHADOW, SEEN_SHADOW));
}

/** @param {Float32Array} thumbnail */
function cellLuma(thumbnail) {
  const pixels = thumbnail.length / 3;
  const side = Math.sqrt(pixels);
  const block = side / CELLS;
  const cells = new Float64Array(CELLS * CELLS);
  for (let i = 0; i < thumbnail.length; i++) {
    const pixel = i % pixels;
    const cell = Math.floor(pixel / side / block) * CELLS + Math.floor((pixel % side) / block);
    cells[cell] += (WEIGHTS[Math.floor(i / pixels)] * thumbnail[i]) / (block * block);
  }
  return cells;
}

/**
 * Between two values by their distance.
 * @param {Float64Array} values
 * @param {number} share
 */
function quantile(values, share) {
  const sorted = values.slice().sort();
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below + (place % 1) * (above - below);
}

/**
 * 1 up to `whole`, 0 from `none` on, and a smooth step between.
 * @param {number} value
 * @param {number} whole
 * @param {number} none
 */
function fading(value, whole, none) {
  const place = Math.min(Math.max((none - value) / (none - whole), 0), 1);
  return place * place * (3 - 2 * place);
}
