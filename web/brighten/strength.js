// More of what a grid does, up to twice as much, and as much as a brightness takes.
//
// As in tapetum.realtime.cpu.grid_strength. Tests hold both to the same numbers.

const CELLS = 16 * 16;
const LEVELS = 8;
const LEVEL = LEVELS * CELLS; // numbers of one coefficient
const COEFFICIENTS = 8;
const DARKEST = 1e-4;
const IDENTITY = [1, 0, 1, 0, 0, 1, 0, 0]; // coefficients that leave a picture as it is
const MOST = 2;
const TRIED = 17; // strengths that are tried for a brightness

/** @param {number} level */
const levelLuma = (level) => ((level + 0.5) / LEVELS) ** 2;

/** @param {number} value */
const within = (value) => Math.min(Math.max(value, 0), 1);

/**
 * A grid whose effect is weaker or stronger. Up to 1 it is a mixture with the identity; over 1 the
 * change of luma goes on as far as there is room, so that nothing clips that did not before.
 * @param {Float32Array<ArrayBuffer>} grid coefficient, luma level, row, column
 * @param {number} strength from 0, which gives the identity, to 2; at 1 it is the grid itself
 * @returns {Float32Array<ArrayBuffer>}
 */
export function strengthened(grid, strength) {
  if (strength === 1) return grid;
  if (strength < 1) {
    return grid.map((value, i) => {
      const same = IDENTITY[Math.floor(i / LEVEL)];
      return same + strength * (value - same);
    });
  }
  const stronger = grid.slice();
  for (let i = 0; i < LEVEL; i++) {
    const factor = strongerBy(grid, i, strength - 1);
    for (let channel = 0; channel < COEFFICIENTS; channel++) stronger[channel * LEVEL + i] *= factor;
  }
  return stronger;
}

/**
 * By how much a node's coefficients grow.
 * @param {Float32Array} grid
 * @param {number} node
 * @param {number} more of the change of luma
 */
function strongerBy(grid, node, more) {
  const level = Math.floor(node / CELLS);
  const luma = levelLuma(level);
  const made = within(grid[node] * luma + grid[LEVEL + node]);
  const change = made - luma;
  const room = change > 0 ? (1 - made) / (1 - luma) : made / luma;
  const factor = (made + more * change * room) / Math.max(made, DARKEST);
  if (level < LEVELS - 1) return factor;
  // Luma over the highest level's goes by that level: white shall stay within the range.
  return Math.min(factor, Math.max(1, 1 / Math.max(grid[node] + grid[LEVEL + node], DARKEST)));
}

/**
 * A grid as strong as it takes for a picture's mean luma, from strength 0 to 2.
 * @param {Float32Array<ArrayBuffer>} grid
 * @param {Float64Array} cells the picture's mean luma by cell, row by row, in [0, 1]
 * @param {number} brightness the mean luma that is wanted
 */
export function withBrightness(grid, cells, brightness) {
  let [before, strengthBefore] = [-Infinity, 0];
  for (let i = 0; i < TRIED; i++) {
    const strength = (MOST * i) / (TRIED - 1);
    // A model that darkens is as good as none.
    const mean = Math.max(before, meanLuma(strengthened(grid, strength), cells));
    if (mean >= brightness) {
      const share = i === 0 ? 0 : (brightness - before) / (mean - before);
      return strengthened(grid, strengthBefore + share * (strength - strengthBefore));
    }
    [before, strengthBefore] = [mean, strength];
  }
  return strengthened(grid, MOST);
}

/**
 * What a grid makes of each cell's mean luma, on average.
 * @param {Float32Array} grid
 * @param {Float64Array} cells
 */
function meanLuma(grid, cells) {
  let sum = 0;
  cells.forEach((luma, cell) => {
    const place = Math.min(Math.max(Math.sqrt(luma) * LEVELS - 0.5, 0), LEVELS - 1);
    const below = Math.min(Math.floor(place), LEVELS - 2);
    const upper = place - below;
    const node = below * CELLS + cell;
    /** @param {number} from */
    const between = (from) => (1 - upper) * grid[from + node] + upper * grid[from + node + CELLS];
    sum += within(between(0) * luma + between(LEVEL));
  });
  return sum / cells.length;
}
