// How noisy a stream is, measured in its own pictures: by luma, for chroma, and how fine-grained.
//
// As in tapetum.realtime.cpu.noise_level: by what differs from the frame before where blocks rest, and by
// what differs between neighbours where the picture is flat; a low quantile of each, of which the smaller
// holds. Blocks that move are left out here, and a codec's blocks are not looked for. Tests hold both to
// about the same numbers.

import { TABLE_SIZE, TILE, TILES } from "./restoring_shaders.js";

const BINS = 24; // of luma, uniform in its square root
const VALUES = 256;
const UNIT = 4; // a histogram's step, in fixed-point units
const BLOCK = 8; // rows and columns of cells of a block that is compared, in the middle of a tile
const EDGE = (TILE - BLOCK) / 2;
const EVERY = 3; // rows and columns of cells whose neighbours are compared
const QUANTILE = 0.2;
const QUANTILE_AT_REST = 0.3;
const CODED_AT_REST = 0.7; // of what a codec left, which is not in all blocks alike
const FEWEST = 40; // samples that a bin needs to be believed
const FEWEST_BLOCKS = 12;
const DRIFT = 0.35; // share of a block's changes that a shift explains from which it does not rest
const RESTS = 0.75; // of what a block differs by at rest: elsewhere it differs by no less
const STEEPEST = 1.12; // noise of one bin by that of the next, at most
const STEEPEST_BLACK = 2; // and of the darkest bins, which cameras crush
const BLACK_BINS = 6;
const RISING = 0.8; // share of a new measure in the one that holds: of more noise
const FALLING = 0.4; // of less
const STEADY_KIND = 0.2; // and of what kind the noise is
const MUCH = 0.05; // share of the picture that limits the noise of the rest
const KEPT = 0.6; // share of what was counted that still counts with the next frame
const NARROW = 0.595; // noise at a quarter of the size by that at half, up to which it is a sensor's
const WIDE = 0.66; // and from which a codec left it
const PART = 0.25; // how even a block's changes are, up to which a thing goes through a part of it
const MOST = 0.6; // and from which it is full of noise
const FULL = /** @type {const} */ ([0.3, 0.5]); // how full blocks are: up to which there is no noise, and from which
const FULL_OF_CODED = /** @type {const} */ ([0.5, 0.8]); // the same for what a codec left
const REST_PER_DEVIATION = 1.05; // what these quantiles are for white noise of deviation 1
const CODED_REST_PER_DEVIATION = 1.28; // and of what a codec left
const SPACE_PER_DEVIATION = 1.563;
const CODED_SPACE_PER_DEVIATION = 0.39; // second differences see a quarter of that: it is smooth
const BLOCK_PER_DEVIATION = 0.812;
const FEW = 128; // blocks that rest and differ, up to which most of the picture may move
const SPREAD = [0.5, 0.9]; // quantiles of blocks that rest
const ALL_NOISE = 2.6; // the second by the first up to which it is noise by which they differ
const ALL_MOTION = 3.6; // and from which it is motion that was not seen, of few of them
const LEAST_CHROMA = 2; // noise of chroma, by what rounding makes, at least
const LEAST_CODED_CHROMA = 3.4; // and where a codec left it, here and there
const FLOOR = 0.2 * 128; // deviation at half size of what rounding makes: to luma, and to red, green and blue
const UNSEEN = 1.3; // noise is none up to so many times what rounding makes
const SEEN = 2.3; // and whole from here on
const SEEN_CODED = 1.7; // or from here where a codec made it smooth
const ALIKE = 0.2; // fineness up to which it is a clean picture's rounding that shows, and no noise
const FINE = 0.35; // and from which it is noise
const HIDDEN = 1.5; // so much more than is measured there is of the noise that a codec made smooth
const UNSEEN_BRIGHT = 0.65; // the same for noise that is brightened, in levels of the bright picture
const SEEN_BRIGHT = 1.1;
const AROUND = 7; // steps of luma below and above that noise goes over
const LEVELS = 8; // of a grid
const CELLS = 16 * 16;

/** The noise of one stream, in fixed-point units: 128 are a level of 255. */
export class NoiseLevel {
  #overSpace = new Float32Array(BINS * VALUES);
  #overTime = new Float32Array(BINS * VALUES);
  #within = new Float32Array(BINS * VALUES);
  #overChroma = [new Float32Array(VALUES), new Float32Array(VALUES)];
  #widths = [0, 0, 0]; // of blocks that rest, each for as much as it is full; how full; and how many
  /** Deviation of a frame at half size, by luma. */
  luma = new Float32Array(TABLE_SIZE).fill(FLOOR);
  /** Share of the picture of each luma. */
  seen = new Float32Array(TABLE_SIZE);
  /** Deviations of U and V at half size. */
  chroma = [2 * FLOOR, 2 * FLOOR];
  /** Deviation at full size by that at half size: 2 for white noise, below 1 for what a codec leaves. */
  fineness = 1;
  /** 1 where blocks differ by what a codec left of noise; 0 by a sensor's, or where few of them move unseen. */
  coded = 0;
  /** Whether it was ever measured over time: space alone takes texture for noise. */
  isSure = false;
  /** Frames that were measured. */
  count = 0;

  /** 1 for white noise, 0 for noise as smooth as a codec leaves it. */
  get whiteness() {
    return Math.min(Math.max(this.fineness - 1, 0), 1);
  }

  /** 0 for noise of a sensor, about new in each cell; 1 for what a codec leaves, and where nothing tells. */
  get width() {
    const [sum, full] = this.#widths;
    return full < FEWEST_BLOCKS ? 1 : ramp(sum / full, NARROW, WIDE);
  }

  /**
   * 0 where blocks that differ are not full of what differs, for things move through them; 1 where they are.
   * @param {readonly [number, number]} ends
   */
  #fullness([none, whole]) {
    const [, full, count] = this.#widths;
    return ramp(full / Math.max(count, 1), none, whole);
  }

  /**
   * Takes note of one more frame.
   * @param {Uint32Array} sample TILES x TILES tiles of TILE x TILE cells, row by row, each of four: luma,
   *   and that of the frame before in the upper bits; U, and V in the upper bits; differences within the
   *   cell; and nothing
   */
  measure(sample) {
    for (const counts of [this.#overSpace, this.#overTime, this.#within, ...this.#overChroma]) {
      for (let i = 0; i < counts.length; i++) counts[i] *= KEPT;
    }
    this.#widths = this.#widths.map((value) => value * KEPT);
    for (let tile = 0; tile < TILES * TILES; tile++) this.#count(tilesOf(sample, tile));
    this.count += 1;
    this.#publish();
  }

  /**
   * How much of the noise is to be taken out, by luma, from 0 to 1: none where it is not seen.
   * @param {Float32Array | null} slope of the brightening, by luma; null to go by the noise alone
   */
  share(slope) {
    const smoothness = 1 - this.whiteness;
    const whole = SEEN + (SEEN_CODED - SEEN) * smoothness;
    const sureness = within((this.fineness - ALIKE) / (FINE - ALIKE));
    return this.luma.map((noise, i) => {
      const share = sureness * within((noise / FLOOR - UNSEEN) / (whole - UNSEEN));
      if (!slope) return share;
      const bright = (noise * (1 + HIDDEN * smoothness) * slope[i]) / 128;
      return share * within((bright - UNSEEN_BRIGHT) / (SEEN_BRIGHT - UNSEEN_BRIGHT));
    });
  }

  /** @param {Tile} tile */
  #count({ now, last, u, v, inside }) {
    const size = blockChange(now, last);
    if (size > 0) {
      const full = fullnessOf(now, last);
      add(this.#overTime, binOf(now[TILE * (TILE / 2) + TILE / 2]), full * size, full);
      const [sum, all, count] = this.#widths;
      this.#widths = [sum + full * widthOf(now, last), all + full, count + 1];
    }
    for (let row = 1; row < TILE - 1; row += EVERY) {
      for (let column = 1; column < TILE - 1; column += EVERY) {
        const at = TILE * row + column;
        const bin = binOf(now[at]);
        add(this.#overSpace, bin, curvature(now, at));
        add(this.#within, bin, inside[at] / 4);
        add(this.#overChroma[0], 0, curvature(u, at));
        add(this.#overChroma[1], 0, curvature(v, at));
      }
    }
  }

  #publish() {
    const tells = this.#widths[2] >= FEWEST_BLOCKS;
    if (tells) this.coded += STEADY_KIND * (this.#codedness() - this.coded);
    const space = mixed(SPACE_PER_DEVIATION, CODED_SPACE_PER_DEVIATION, this.coded);
    const bySpace = quantiles(this.#overSpace, QUANTILE).map((value) => value / space);
    const counts = totals(this.#overSpace);
    const all = counts.reduce((sum, count) => sum + count, 0);
    let deviation = bySpace;
    const blocks = totals(this.#overTime);
    let anew = this.count === 1;
    if (tells) {
      anew ||= !this.isSure; // what space alone told is no past of what time does
      this.isSure = true;
      const rest = mixed(REST_PER_DEVIATION, CODED_REST_PER_DEVIATION, this.coded);
      const share = mixed(QUANTILE_AT_REST, CODED_AT_REST, this.coded);
      const byTime = quantiles(this.#overTime, share).map((value) => value / rest);
      const filled = ofAllBins(byTime, blocks, FEWEST_BLOCKS);
      const noise = this.#fullness(FULL);
      deviation = bySpace.map((value, bin) => Math.min(value, noise * filled[bin]));
    }
    deviation = ofAllBins(deviation, counts, FEWEST).map((value) => Math.max(value, FLOOR));
    deviation = evenByLuma(deviation, counts.map((count) => count >= MUCH * all));
    const inside = ofAllBins(
      quantiles(this.#within, QUANTILE).map((value) => value / BLOCK_PER_DEVIATION), totals(this.#within), FEWEST);
    // What was told over time holds until it is told again.
    const holds = !anew && !tells && this.isSure;
    const lumas = Array.from({ length: TABLE_SIZE }, (_, step) => step);
    const alike = new Float32Array(BINS);
    for (const step of lumas) alike[BIN[step]] += 1;
    for (const step of lumas) {
      const change = holds ? 0 : between(PLACE[step], deviation) - this.luma[step];
      this.luma[step] += (anew ? 1 : change > 0 ? RISING : FALLING) * change;
      this.seen[step] = counts[BIN[step]] / alike[BIN[step]] / Math.max(all, 1);
    }
    const least = FLOOR * mixed(LEAST_CHROMA, LEAST_CODED_CHROMA, this.coded);
    this.chroma = this.#overChroma.map((plane) =>
      Math.max(quantiles(plane, QUANTILE)[0] / SPACE_PER_DEVIATION, least));
    /** @param {number[]} values */
    const mean = (values) => values.reduce((sum, value, bin) => sum + value * counts[bin], 0) / Math.max(all, 1);
    const fineness = Math.min(mean(inside) / Math.max(mean(deviation), FLOOR), 2);
    this.fineness += (anew ? 1 : STEADY_KIND) * (fineness - this.fineness);
  }

  #codedness() {
    const resting = new Float32Array(VALUES);
    for (let i = 0; i < this.#overTime.length; i++) resting[i % VALUES] += this.#overTime[i];
    const sureness = this.#fullness(FULL_OF_CODED) * within(this.#widths[2] / FEW - 1);
    const [middle, end] = SPREAD.map((share) => quantiles(resting, share)[0]);
    return sureness * this.width * ramp(end / middle, ALL_MOTION, ALL_NOISE);
  }
}

/**
 * How much steeper than the picture a grid makes noise, by luma: the mean of all its cells. Noise goes over
 * some levels: where the curve is flat in a few of them, it is as steep to noise as around.
 * @param {Float32Array} grid coefficient, luma level, row, column
 */
export function curveSlope(grid) {
  const means = Array.from({ length: 2 * LEVELS }, (_, i) =>
    grid.subarray(i * CELLS, (i + 1) * CELLS).reduce((sum, value) => sum + value, 0) / CELLS);
  const [gains, offsets] = [means.slice(0, LEVELS), means.slice(LEVELS)];
  const bright = Float64Array.from({ length: TABLE_SIZE }, (_, step) => {
    const luma = step / (TABLE_SIZE - 1);
    const place = Math.sqrt(luma) * LEVELS - 0.5;
    return luma * between(place, gains) + between(place, offsets);
  });
  const slope = Float64Array.from(bright, (_, step) => {
    const [below, above] = [Math.max(step - 1, 0), Math.min(step + 1, TABLE_SIZE - 1)];
    return ((bright[above] - bright[below]) * (TABLE_SIZE - 1)) / (above - below);
  });
  return Float32Array.from(slope, (own, step) => {
    const around = Array.from({ length: 2 * AROUND + 1 }, (_, near) => Math.abs(between(step + near - AROUND, slope)));
    return Math.max(own, around.reduce((sum, size) => sum + size, 0) / around.length);
  });
}

/**
 * One of the tiles of a sample.
 * @typedef {Record<"now" | "last" | "u" | "v" | "inside", Int32Array>} Tile
 *
 * @param {Uint32Array} sample
 * @param {number} tile
 * @returns {Tile}
 */
function tilesOf(sample, tile) {
  const side = TILE * TILES;
  const [top, left] = [TILE * Math.floor(tile / TILES), TILE * (tile % TILES)];
  const [now, last, u, v, inside] = Array.from({ length: 5 }, () => new Int32Array(TILE * TILE));
  for (let at = 0; at < TILE * TILE; at++) {
    const from = 4 * (side * (top + Math.floor(at / TILE)) + left + (at % TILE));
    now[at] = sample[from] & 0xffff;
    last[at] = sample[from] >>> 16;
    u[at] = sample[from + 1] & 0xffff;
    v[at] = sample[from + 1] >>> 16;
    inside[at] = sample[from + 2];
  }
  return { now, last, u, v, inside };
}

/**
 * The mean change of a block that rests, by its odd rows; 0 where it moves, and where nothing changed.
 * @param {Int32Array} now
 * @param {Int32Array} last
 */
function blockChange(now, last) {
  const atRest = differenceOf(now, last, 0, 0, 0);
  let best = atRest;
  for (let y = -EDGE; y <= EDGE; y++) {
    for (let x = -EDGE; x <= EDGE; x++) best = Math.min(best, differenceOf(now, last, y, x, 0));
  }
  if (atRest * RESTS > best || drift(now, last) >= DRIFT) return 0;
  return withoutLight(now, last) / ((BLOCK * BLOCK) / 2);
}

/**
 * What every second row of a block differs by from one of the frame before.
 * @param {Int32Array} now
 * @param {Int32Array} last
 * @param {number} y rows from which it may have come
 * @param {number} x
 * @param {number} first row
 */
function differenceOf(now, last, y, x, first) {
  let sum = 0;
  for (let row = EDGE + first; row < EDGE + BLOCK; row += 2) {
    for (let at = TILE * row + EDGE; at < TILE * row + EDGE + BLOCK; at++) {
      sum += Math.abs(now[at] - last[at + TILE * y + x]);
    }
  }
  return sum;
}

/**
 * What the odd rows of a block at rest differ by, each from its mean change where that is most of it: light.
 * @param {Int32Array} now
 * @param {Int32Array} last
 */
function withoutLight(now, last) {
  let sizes = 0;
  for (let row = EDGE + 1; row < EDGE + BLOCK; row += 2) {
    const from = TILE * row + EDGE;
    const changes = [...now.subarray(from, from + BLOCK)].map((value, cell) => value - last[from + cell]);
    const total = changes.reduce((sum, change) => sum + change, 0);
    const size = changes.reduce((sum, change) => sum + Math.abs(change), 0);
    const mean = Math.floor(total / BLOCK);
    const unlit = changes.reduce((sum, change) => sum + Math.abs(change - mean), 0);
    sizes += 4 * Math.abs(total) > 3 * size ? Math.min(unlit, size) : size;
  }
  return sizes;
}

/**
 * From 0 to 1, how much what a block differs by is noise: it is in all of it.
 * @param {Int32Array} now
 * @param {Int32Array} last
 */
function fullnessOf(now, last) {
  let [sizes, squares] = [0, 1];
  for (let row = EDGE; row < EDGE + BLOCK; row++) {
    for (let at = TILE * row + EDGE; at < TILE * row + EDGE + BLOCK; at++) {
      sizes += Math.abs(now[at] - last[at]);
      squares += (now[at] - last[at]) ** 2;
    }
  }
  // The square of the mean size of white noise is 2 / pi of its mean square.
  return ramp(sizes ** 2 / ((squares * BLOCK * BLOCK * 2) / Math.PI), PART, MOST);
}

/**
 * What changes of 2x2 means of a block differ by from those beside, by what its cells' do.
 * @param {Int32Array} now
 * @param {Int32Array} last
 */
function widthOf(now, last) {
  let [ofCells, ofMeans] = [1, 0];
  for (let row = EDGE; row < EDGE + BLOCK; row += 2) {
    for (let at = TILE * row + EDGE; at < TILE * row + EDGE + BLOCK - 2; at += 2) {
      const changes = [at, at + 1, at + TILE, at + TILE + 1].map(
        (cell) => now[cell] - last[cell] - now[cell + 2] + last[cell + 2]);
      ofCells += changes.reduce((sum, change) => sum + Math.abs(change), 0);
      ofMeans += Math.abs(changes.reduce((sum, change) => sum + change, 0));
    }
  }
  return ofMeans / ofCells;
}

/**
 * Share of what changed in a block that a small shift of it explains.
 * @param {Int32Array} now
 * @param {Int32Array} last
 */
function drift(now, last) {
  let [across, down, both, withAcross, withDown, changes] = [1, 1, 0, 0, 0, 1];
  for (let row = EDGE; row < EDGE + BLOCK; row++) {
    for (let at = TILE * row + EDGE; at < TILE * row + EDGE + BLOCK; at++) {
      const change = now[at] - last[at];
      const right = last[at + 1] - last[at - 1] + now[at + 1] - now[at - 1];
      const below = last[at + TILE] - last[at - TILE] + now[at + TILE] - now[at - TILE];
      across += right * right;
      down += below * below;
      both += right * below;
      withAcross += right * change;
      withDown += below * change;
      changes += change * change;
    }
  }
  const whole = Math.max(across * down - both * both, 1);
  const explained = withAcross ** 2 * down + withDown ** 2 * across - 2 * withAcross * withDown * both;
  return explained / (whole * changes);
}

/**
 * The mean of second differences around a cell: down in three columns, and across in three rows.
 * @param {Int32Array} plane
 * @param {number} at
 */
function curvature(plane, at) {
  let sum = 0;
  for (let near = -1; near <= 1; near++) {
    const [column, row] = [at + near, at + TILE * near];
    sum += Math.abs(2 * plane[column] - plane[column - TILE] - plane[column + TILE]);
    sum += Math.abs(2 * plane[row] - plane[row - 1] - plane[row + 1]);
  }
  return sum / 6;
}

/**
 * @param {Float32Array} counts histograms, one after the other
 * @param {number} bin
 * @param {number} value in fixed-point units
 * @param {number} share of a sample that counts
 */
function add(counts, bin, value, share = 1) {
  counts[bin * VALUES + Math.min(Math.floor(value / UNIT), VALUES - 1)] += share;
}

/** @param {Float32Array} counts */
function totals(counts) {
  return Array.from({ length: counts.length / VALUES }, (_, bin) =>
    counts.subarray(bin * VALUES, (bin + 1) * VALUES).reduce((sum, count) => sum + count, 0));
}

/**
 * The value under which a share of each histogram lies.
 * @param {Float32Array} counts
 * @param {number} share
 */
function quantiles(counts, share) {
  return totals(counts).map((total, bin) => {
    let [value, sum] = [0, counts[bin * VALUES]];
    while (value < VALUES && sum < share * total) sum += counts[bin * VALUES + ++value];
    return (value + 0.5) * UNIT;
  });
}

/**
 * Fills the bins of few samples from those beside them.
 * @param {number[]} values
 * @param {number[]} counts
 * @param {number} fewest
 */
function ofAllBins(values, counts, fewest) {
  const sure = counts.flatMap((count, bin) => (count >= fewest ? [bin] : []));
  if (sure.length === 0) return values.map(() => 0);
  return values.map((_, bin) => {
    const above = sure.findIndex((other) => other >= bin);
    if (above === -1) return values[sure[sure.length - 1]];
    if (above === 0) return values[sure[0]];
    const [low, high] = [sure[above - 1], sure[above]];
    return values[low] + ((bin - low) / (high - low)) * (values[high] - values[low]);
  });
}

/**
 * Limits each bin by those of which there is much: noise differs little between like lumas.
 * @param {number[]} deviation
 * @param {boolean[]} many
 */
function evenByLuma(deviation, many) {
  let place = 0;
  const places = deviation.map((_, bin) => (place += Math.log(bin < BLACK_BINS ? STEEPEST_BLACK : STEEPEST)));
  return deviation.map((value, bin) =>
    deviation.reduce((least, other, near) =>
      many[near] ? Math.min(least, other * Math.exp(Math.abs(places[near] - places[bin]))) : least, value));
}

/**
 * What lies at a place among values, the first and the last of which hold beyond.
 * @param {number} place
 * @param {ArrayLike<number>} values
 */
function between(place, values) {
  const held = Math.min(Math.max(place, 0), values.length - 1);
  const below = Math.min(Math.floor(held), values.length - 2);
  return values[below] + (held - below) * (values[below + 1] - values[below]);
}

/**
 * What lies by a share on the way from one value to another.
 * @param {number} from
 * @param {number} to
 * @param {number} share
 */
const mixed = (from, to, share) => from + share * (to - from);

/** @param {number} value */
const within = (value) => Math.min(Math.max(value, 0), 1);

/**
 * 0 up to one value, and 1 from another.
 * @param {number} value
 * @param {number} none
 * @param {number} whole
 */
const ramp = (value, none, whole) => within((value - none) / (whole - none));

/** Where each step of luma lies between the middles of the bins. */
const PLACE = Array.from({ length: TABLE_SIZE }, (_, step) => Math.sqrt(step / (TABLE_SIZE - 1)) * BINS - 0.5);

const BIN = PLACE.map((place) => Math.min(Math.floor(place + 0.5), BINS - 1));

/** @param {number} luma in fixed point */
const binOf = (luma) => BIN[luma >> 7];
