// Takes the noise out of a stream's pictures by WebGL 2, before they are brightened.
//
// As in tapetum.realtime.cpu.restoring, whose order of the steps this is, without following light or a
// camera that moves. How noisy the pictures are is measured elsewhere (`noise_level.js`).

import { newPlane, newTarget, newTexture, Readback } from "./graphics.js";
import { STEPS, TABLE_SIZE, TILE, TILES, WHOLE, WIDE } from "./restoring_shaders.js";

/** The steps by which a picture is looked at, and those by which it is restored. */
export const LOOKING = ["HALVE_PICTURE", "SAMPLE"];
export const RESTORING = Object.keys(STEPS).filter((name) => !LOOKING.includes(name));

const SIDE = TILE * TILES;
const FIRST_UNIT = 3; // of texture units: those before are the picture's and the grid's
const COARSER = 3; // planes that are smaller than the picture and smoothed

/**
 * What restoring goes by.
 * @typedef {object} Noise
 * @property {Float32Array} luma (256,) deviation of one frame at half size, by luma, fixed-point
 * @property {Float32Array} weights (256,) from 0 to 1: the share of what is restored
 * @property {Float32Array} smoothed (256,) the deviation that is smoothed, by luma
 * @property {number[]} chroma deviations of U and V
 * @property {number} whiteness 1 for white noise, 0 for what a codec leaves
 * @property {number} fineness deviation at full size by that at half size
 * @property {number} width 0 for noise of a sensor, 1 where a codec left it wide
 *
 * @typedef {import("./graphics.js").Plane} Plane
 */

/** Restores the pictures of one stream, all of one size. */
export class Restorer {
  #gl;
  #steps;
  #size;
  #table;
  #halves; // the frame's and the last one's, in turn
  #readback;
  #sample;
  /** @type {ReturnType<typeof newState> | null} */
  #state = null; // once noise is taken out
  #isNew = true;
  #looks = 0; // frames that were looked at in a row

  /**
   * @param {WebGL2RenderingContext} gl
   * @param {import("./graphics.js").Programs} steps of `STEPS`
   * @param {number} width
   * @param {number} height
   */
  constructor(gl, steps, width, height) {
    this.#gl = gl;
    this.#steps = steps;
    this.#size = { width, height };
    gl.activeTexture(gl.TEXTURE0 + FIRST_UNIT);
    const [columns, rows] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    this.#halves = [0, 1].map(() => drawn(gl, gl.RGBA16UI, columns, rows));
    this.#sample = drawn(gl, gl.RGBA32UI, SIDE, SIDE);
    this.#readback = new Readback(gl, 16 * SIDE * SIDE);
    this.#table = newTexture(gl, gl.TEXTURE_2D, gl.NEAREST);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, TABLE_SIZE, 1);
  }

  /** Whether pictures of a size are large enough for their noise to be measured. */
  static fits(/** @type {number} */ width, /** @type {number} */ height) {
    return Math.min(width, height) >= 4 * TILE;
  }

  /** Whether the last picture that was looked at followed another one. */
  get hasTwo() {
    return this.#looks >= 2;
  }

  /**
   * Takes a picture as the frame.
   * @param {WebGLTexture} picture
   */
  look(picture) {
    this.#halves.reverse();
    this.#draw("HALVE_PICTURE", this.#halves[0], { picture });
    this.#looks += 1;
  }

  /** A picture is left out: what was known before it is of no more use. */
  pause() {
    this.#looks = 0;
    this.#isNew = true;
  }

  /**
   * Begins to read tiles of the frame and of the one before, if none are on their way.
   * @param {WebGLTexture} picture
   * @param {number} phase from 0 to 1: where the tiles lie
   */
  beginSample(picture, phase) {
    const gl = this.#gl;
    if (this.#readback.isPending) return;
    const [frame, last] = this.#halves.map(({ planes: [plane] }) => plane.texture);
    this.#draw("SAMPLE", this.#sample, { picture, frame, last }, (set) => {
      gl.uniform2f(set("phase"), phase, (5 * phase) % 1);
    });
    this.#readback.begin(SIDE, SIDE, gl.RGBA_INTEGER, gl.UNSIGNED_INT);
  }

  /** The tiles that were begun, as `NoiseLevel.measure` takes them; null while they are not ready. */
  readSample() {
    const bytes = this.#readback.take();
    return bytes && new Uint32Array(bytes.buffer);
  }

  /**
   * Learns from the frame, and restores it.
   * @param {WebGLTexture} picture
   * @param {Noise} noise
   * @returns {WebGLTexture} the picture restored, of 10 bits, until the next call
   */
  restored(picture, noise) {
    const gl = this.#gl;
    this.#loadTable(noise);
    if (!this.#state) {
      gl.activeTexture(gl.TEXTURE0 + FIRST_UNIT);
      this.#state = newState(gl, this.#size.width, this.#size.height);
    }
    const { known, estimates, wide, judged, coarser, changes, result } = this.#state;
    const [frame, last] = this.#halves.map(({ planes: [plane] }) => plane.texture);
    known.reverse();
    estimates.reverse();
    const [now, before] = known.map(({ planes: [plane] }) => plane.texture);
    const [estimate, old] = estimates.map(({ planes: [plane] }) => plane.texture);
    const described = known[0].planes[1].texture;
    const smoothness = 1 - noise.whiteness;
    const lean = 0.375 + 0.4 * smoothness;
    const wideLean = lean * (0.25 + 0.5 * smoothness);
    const table = this.#table;
    if (!this.#isNew) {
      const [changes, texture_of] = wide.planes.map(({ texture }) => texture);
      this.#draw("MEAN_WIDE", wide, { frame, known: before, table });
      this.#draw("JUDGE_WIDE", judged, { changes, texture_of, frame, table }, (set) => {
        gl.uniform1f(set("lean"), wideLean);
        gl.uniform1f(set("told"), Math.max(1 - 2 * noise.width, 0));
      });
    }
    const inputs = { frame, known: before, last, wide: judged.planes[0].texture, table };
    this.#draw("WEIGH", known[0], inputs, (set) => {
      gl.uniform1i(set("is_new"), Number(this.#isNew));
      gl.uniform2f(set("chroma_noise"), noise.chroma[0], noise.chroma[1]);
      gl.uniform2f(set("leans"), lean, wideLean);
    });
    this.#isNew = false;
    this.#draw("LEARN", estimates[0], { picture, estimate: old, known: now });
    const planes = [now, ...coarser.map(({ planes: [plane] }) => plane.texture)];
    coarser.forEach((target, i) => this.#draw("HALVE", target, { plane: planes[i] }));
    for (let scale = COARSER - 1; scale >= 0; scale--) {
      const above = changes[Math.min(scale + 1, COARSER - 1)].planes[0].texture;
      const coarse = scale === COARSER - 1 ? changes[0].planes[0].texture : above; // the coarsest reads none
      const from = { plane: planes[scale], described, coarser: coarse };
      this.#draw("CORRECT", changes[scale], from, (set) => {
        gl.uniform1i(set("has_coarser"), Number(scale < COARSER - 1));
        gl.uniform1i(set("scale"), scale);
        const more = CODED_TOLERANCE * smoothness * (0.5 + 0.5 * noise.width);
        const luma = (1 + more) * (0.5 + 0.4 * smoothness * noise.width) ** scale;
        gl.uniform3fv(set("factors"), tolerances(noise, luma, (0.5 + 0.4 * smoothness) ** scale));
      });
    }
    const from = { picture, plane: estimate, described, coarser: changes[0].planes[0].texture };
    this.#draw("FINISH", result, from, (set) => {
      gl.uniform1i(set("has_coarser"), 1);
      const luma = (1 + CODED_TOLERANCE * smoothness) * Math.max(noise.fineness, 0.5);
      gl.uniform3fv(set("factors"), tolerances(noise, luma, 1));
    });
    return result.planes[0].texture;
  }

  /** Gives the graphics' memory back. */
  close() {
    const gl = this.#gl;
    this.#readback.close();
    const { known, estimates, wide, judged, coarser, changes, result } = this.#state ?? {};
    const targets = [known, estimates, wide, judged, coarser, changes, result, this.#halves, this.#sample];
    for (const { frame, planes } of targets.flat().filter((target) => target !== undefined)) {
      gl.deleteFramebuffer(frame);
      for (const { texture } of planes) gl.deleteTexture(texture);
    }
    gl.deleteTexture(this.#table);
  }

  /** @param {Noise} noise */
  #loadTable({ luma, smoothed, weights }) {
    const gl = this.#gl;
    const texels = new Float32Array(4 * TABLE_SIZE);
    for (let i = 0; i < TABLE_SIZE; i++) {
      texels.set([luma[i], smoothed[i], Math.round(weights[i] * WHOLE)], 4 * i);
    }
    gl.activeTexture(gl.TEXTURE0 + FIRST_UNIT);
    gl.bindTexture(gl.TEXTURE_2D, this.#table);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, TABLE_SIZE, 1, gl.RGBA, gl.FLOAT, texels);
  }

  /**
   * Runs a step over a target.
   * @param {keyof typeof STEPS} name
   * @param {Target} target
   * @param {Record<string, WebGLTexture>} inputs by the names of their samplers
   * @param {(set: (name: string) => WebGLUniformLocation | null) => void} [setUniforms]
   */
  #draw(name, { frame, planes: [{ width, height }] }, inputs, setUniforms) {
    const gl = this.#gl;
    const place = this.#steps.use(name);
    Object.entries(inputs).forEach(([sampler, texture], i) => {
      gl.activeTexture(gl.TEXTURE0 + FIRST_UNIT + i);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.uniform1i(place(sampler), FIRST_UNIT + i);
    });
    if (inputs.picture) gl.uniform2i(place("size"), this.#size.width, this.#size.height);
    setUniforms?.(place);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.viewport(0, 0, width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

const LUMA_TOLERANCE = 3.7;
const CHROMA_TOLERANCE = 5;
const CODED_TOLERANCE = 0.7; // so much more where a codec made the noise smooth
const REMAINS = 256; // the unit of the share that remains

/**
 * Tolerances of Y by the deviation that remains, and of U and V by its share.
 * @param {Noise} noise
 * @param {number} luma by size
 * @param {number} chroma by size
 */
function tolerances({ chroma: [u, v] }, luma, chroma) {
  const factor = (CHROMA_TOLERANCE * chroma) / REMAINS;
  return [LUMA_TOLERANCE * luma, factor * u, factor * v];
}

/**
 * @typedef {{ frame: WebGLFramebuffer, planes: Plane[] }} Target
 *
 * @param {WebGL2RenderingContext} gl
 * @param {number} format
 * @param {number} width
 * @param {number} height
 * @param {number} [count] of planes that are drawn at once
 * @param {number} [filter]
 * @returns {Target}
 */
function drawn(gl, format, width, height, count = 1, filter = gl.NEAREST) {
  const planes = Array.from({ length: count }, () => newPlane(gl, format, width, height, filter));
  return { frame: newTarget(gl, ...planes), planes };
}

/**
 * What is known of a stream.
 * @param {WebGL2RenderingContext} gl
 * @param {number} width
 * @param {number} height
 */
function newState(gl, width, height) {
  const half = (/** @type {number} */ side, scale = 1) => Math.ceil(side / 2 ** scale);
  /** @param {number} scale */
  const sides = (scale) => /** @type {const} */ ([half(width, scale), half(height, scale)]);
  const wide = /** @type {const} */ ([Math.ceil(half(width) / WIDE), Math.ceil(half(height) / WIDE)]);
  const scales = Array.from({ length: COARSER }, (_, i) => i + 1);
  return {
    known: [0, 1].map(() => drawn(gl, gl.RGBA16UI, ...sides(1), 2)), // with what is described
    estimates: [0, 1].map(() => drawn(gl, gl.RGBA16UI, width, height)),
    wide: drawn(gl, gl.RGBA32I, ...wide, 2),
    judged: drawn(gl, gl.RG32I, ...wide),
    coarser: scales.slice(1).map((scale) => drawn(gl, gl.RGBA16UI, ...sides(scale))),
    changes: scales.map((scale) => drawn(gl, gl.RGBA16I, ...sides(scale))),
    result: drawn(gl, gl.RGB10_A2, width, height, 1, gl.LINEAR),
  };
}
