// How dark a picture is, and where, and so how much of the network's effect it needs.
//
// As in tapetum.realtime.exposure: little light, lamps and skies not counted as more than grey;
// or nothing bright; or a large shadow in a picture that is lit. Tests hold both to the same
// numbers.

const CELLS = 16; // rows and columns of which luma is the mean
const GREY = 0.5;
const LITTLE_LIGHT = 0.15;
const ENOUGH_LIGHT = 0.25;
const BRIGHT_SHARE = 0.9;
const NOTHING_BRIGHT = 0.27;
const BRIGHT = 0.42;
const DIM = 0.25;
const LIT = 0.36;
const REST_SHARE = 0.75;
const DARK_REST = 0.35;
const BRIGHT_REST = 0.75;
const BLACK = 0.05;
const SHADOW = 0.1;
const CONTRAST = 0.05;
const EDGE = 1.15;
const FEW = 0.5;
const MANY = 0.95;
const SHADOW_EFFECT = 0.8;
const WEIGHTS = [0.2126, 0.7152, 0.0722];

/**
 * 1 for a picture in the dark, 0 for one that is well lit, else in between; shadows do not count.
 * @param {Float64Array} cells of `cellLuma`
 */
export function darkness(cells) {
  const light = cells.reduce((sum, luma) => sum + Math.min(luma, GREY), 0) / cells.length;
  const dim = fading(quantile(cells.slice().sort(), BRIGHT_SHARE), NOTHING_BRIGHT, BRIGHT);
  return Math.max(fading(light, LITTLE_LIGHT, ENOUGH_LIGHT), dim * fading(light, DIM, LIT));
}

/**
 * 1 where a picture lies in the dark, 0 where it is well lit, else in between; row by row.
 * @param {Float64Array} cells of `cellLuma`
 */
export function darknessByCell(cells) {
  const whole = darkness(cells);
  const rest = fading(quantile(cells.slice().sort(), REST_SHARE), DARK_REST, BRIGHT_REST);
  const share = inShadow(cells, SHADOW + CONTRAST * (1 - rest));
  return share.map((value) => Math.max(value, whole));
}

/**
 * How far each cell lies in a large shadow.
 * @param {Float64Array} cells
 * @param {number} shadow the luma from which none does
 */
function inShadow(cells, shadow) {
  const dark = cells.map((luma) => fading(luma, shadow, EDGE * shadow));
  const large = cells.map((luma, i) => {
    const place = sum(around(dark, i, 2)) / 25; // beyond the border all counts as lit
    return SHADOW_EFFECT * fading(luma, BLACK, shadow) * (1 - fading(place, FEW, MANY));
  });
  // The shadow's border must not stay darker than its middle.
  const grown = large.map((_, i) => Math.max(...around(large, i, 1)));
  return grown.map((_, i) => {
    const near = around(grown, i, 1);
    return sum(near) / near.length;
  });
}

/**
 * The cells in a square window around one, as far as there are any.
 * @param {Float64Array} cells
 * @param {number} cell
 * @param {number} reach
 */
function around(cells, cell, reach) {
  const [row, column] = [Math.floor(cell / CELLS), cell % CELLS];
  const near = [];
  for (let y = Math.max(row - reach, 0); y <= Math.min(row + reach, CELLS - 1); y++) {
    for (let x = Math.max(column - reach, 0); x <= Math.min(column + reach, CELLS - 1); x++) {
      near.push(cells[y * CELLS + x]);
    }
  }
  return near;
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * Mean luma of the picture's cells, row by row.
 * @param {Float32Array} thumbnail red, green and blue planes of 256x256 in [0, 1]
 */
export function cellLuma(thumbnail) {
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
 * @param {Float64Array} ranked sorted values
 * @param {number} share
 */
function quantile(ranked, share) {
  const place = share * (ranked.length - 1);
  const [below, above] = [ranked[Math.floor(place)], ranked[Math.ceil(place)]];
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
