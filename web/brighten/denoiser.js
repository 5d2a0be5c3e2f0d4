// Decides what noise is taken out of a stream's pictures, and has it taken out.
//
// As in tapetum.realtime.cpu.restoring.Restorer: where a picture is brightened, what is sure to be noise.

import { Programs } from "./graphics.js";
import { NoiseLevel } from "./noise_level.js";
import { LOOKING, Restorer, RESTORING } from "./restorer.js";
import { STEPS, TABLE_SIZE } from "./restoring_shaders.js";

const FADE_FROM = 1.05; // slope of the brightening up to which nothing is taken out
const FADE_TO = 1.35; // and from which all is
const LEAST_SEEN = 0.03; // share of the picture that must be restored for any of it to be
const SOON = 30; // pictures for which what is known is kept up where there is no noise: it may come again
const FIRST_MEASURED = 12; // pictures whose noise is measured as often as the graphics answer
const EVERY = 4; // of the later ones, this one
const EVERY_CLEAN = 16; // and where there is none
const BLEND_MS = 500; // in which all noise goes or comes back, at the least
const MOST = 1 / 8; // of the way that one picture goes, however rarely pictures come
const STEP = 0.382; // by which tiles move on from measure to measure, so that they come everywhere

/**
 * How much noise is taken out: what is sure, none, or this share of it everywhere, from 0 to 1.
 * @typedef {"auto" | "off" | number} Denoise
 */

/** Takes noise out of the pictures of one stream: it goes and comes back by steps too small to see. */
export class Denoiser {
  #gl;
  #steps;
  /** @type {Restorer | null} */
  #restorer = null;
  #noise = new NoiseLevel();
  #size = "";
  #lastMs = NaN;
  #weights = new Float32Array(TABLE_SIZE); // the share of what is restored in the last picture, by luma
  #pictures = 0; // since the noise was measured last
  #idle = SOON + 1; // pictures without noise
  /** Why noise stays though it was asked to be taken out, in words; empty where nothing is wrong. */
  problem = "";
  /** Whether noise was taken out of the last picture. */
  isAtWork = false;

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.#gl = gl;
    this.#steps = new Programs(gl, STEPS);
  }

  /**
   * Restores the next picture.
   * @param {WebGLTexture} picture
   * @param {number} width of what is drawn of it
   * @param {number} height
   * @param {number} nowMs
   * @param {object} how
   * @param {Denoise} how.denoise
   * @param {Float32Array} how.slope of the brightening, by luma
   * @returns {WebGLTexture | null} the picture restored, until the next call; null where it is as it was
   */
  restored(picture, width, height, nowMs, { denoise, slope }) {
    const curve = typeof denoise === "number" ? null : slope;
    const wanted = weightsOf(denoise, slope);
    const isNeeded = wanted.some(isSome) || this.#weights.some(isSome);
    this.isAtWork = false;
    if (this.problem || !isNeeded || !Restorer.fits(width, height)) {
      this.forget();
      return null;
    }
    try {
      const restored = this.#restored(picture, width, height, nowMs, wanted, curve);
      this.isAtWork = restored !== null;
      return restored;
    } catch (error) {
      if (this.#gl.isContextLost()) throw error;
      this.problem = error instanceof Error ? error.message : String(error);
      this.forget();
      return null;
    }
  }

  /** Forgets the past: the next picture starts a new scene. */
  forget() {
    this.#restorer?.close();
    this.#restorer = null;
    this.#weights.fill(0);
  }

  /**
   * @param {WebGLTexture} picture
   * @param {number} width
   * @param {number} height
   * @param {number} nowMs
   * @param {Float32Array} wanted
   * @param {Float32Array | null} curve
   */
  #restored(picture, width, height, nowMs, wanted, curve) {
    const passedMs = nowMs - this.#lastMs;
    const restorer = this.#followed(width, height, nowMs);
    if (!this.#steps.areReady(LOOKING)) return null;
    const noise = this.#noise;
    const sample = restorer.readSample();
    if (sample) noise.measure(sample);
    const share = noise.share(curve);
    const weights = wanted.map((weight, i) => weight * share[i]);
    const seen = weights.reduce((sum, weight, i) => sum + weight * noise.seen[i], 0);
    const isSeen = seen > LEAST_SEEN && noise.isSure;
    this.#idle = isSeen ? 0 : this.#idle + 1;
    const isAsked = this.#idle <= SOON;
    const isActive = isAsked || this.#weights.some(isSome);
    this.#pictures += 1;
    const every = noise.count < FIRST_MEASURED ? 1 : isActive ? EVERY : EVERY_CLEAN;
    if (isActive || this.#pictures >= every - 1) restorer.look(picture);
    else restorer.pause();
    if (this.#pictures >= every && restorer.hasTwo) {
      this.#pictures = 0;
      restorer.beginSample(picture, (STEP * (noise.count + 1)) % 1);
    }
    if (!isActive || !this.#steps.areReady(RESTORING)) return null;
    this.#go(isAsked ? weights : weights.fill(0), passedMs);
    const { luma, chroma, whiteness, fineness } = noise;
    const smoothed = luma.map((deviation, i) => deviation * share[i]);
    const measured = { luma, chroma, whiteness, fineness, width: noise.width };
    return restorer.restored(picture, { ...measured, smoothed, weights: this.#weights });
  }

  /**
   * Moves the weights towards those that are wanted.
   * @param {Float32Array} wanted
   * @param {number} passedMs
   */
  #go(wanted, passedMs) {
    const most = Math.min(Math.max(passedMs / BLEND_MS, 0) || 0, MOST);
    this.#weights = this.#weights.map(
      (weight, i) => weight + Math.min(Math.max(wanted[i] - weight, -most), most));
  }

  /**
   * The restorer, with no past where the picture does not follow the one before.
   * @param {number} width
   * @param {number} height
   * @param {number} nowMs
   */
  #followed(width, height, nowMs) {
    const size = `${width} ${height}`;
    const goesOn = this.#size === size && nowMs >= this.#lastMs;
    this.#lastMs = nowMs;
    if (this.#restorer && goesOn) return this.#restorer;
    this.forget();
    this.#size = size;
    this.#noise = new NoiseLevel();
    this.#idle = SOON + 1;
    this.#pictures = 0;
    this.#restorer = new Restorer(this.#gl, this.#steps, width, height);
    return this.#restorer;
  }
}

/**
 * The share of what is restored, by luma.
 * @param {Denoise} denoise
 * @param {Float32Array} slope
 */
function weightsOf(denoise, slope) {
  if (denoise === "auto") return slope.map((value) => within((value - FADE_FROM) / (FADE_TO - FADE_FROM)));
  return new Float32Array(TABLE_SIZE).fill(denoise === "off" ? 0 : within(denoise));
}

/** @param {number} weight */
const isSome = (weight) => weight > 0;

/** @param {number} value */
const within = (value) => Math.min(Math.max(value, 0), 1);
