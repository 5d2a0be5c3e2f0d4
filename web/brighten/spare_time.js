// Whether graphics have time to take noise out: without it the picture is bright at its full rate.

import { graphicsName, isSlow } from "./graphics.js";

const BUSY_SHARE = 0.6; // of the time between two pictures, spent on one, from which the machine is busy
const STEADY = 0.1; // share of a new picture in how busy it is
const TOO_BUSY = 0.5;
const TRIED_MS = 10_000; // so long it is left out for want of time, and twice as long each time again
const LONGEST_MS = 320_000;
const WELL_MS = 60_000; // and it counts as the first time again after this
const USUAL_MS = 1000 / 30;
const PAUSE_MS = 1000; // no interval between pictures

/** Says of each picture whether there is time, by how long those before took. */
export class SpareTime {
  #busy = 0;
  #lastMs = NaN;
  #intervalMs = USUAL_MS;
  #outMs = TRIED_MS;
  #backMs = -Infinity; // when it is tried again

  /** Whether time is too short. */
  isShort = false;

  /**
   * Takes note of the picture that comes now, and of the one before.
   * @param {number} nowMs
   * @param {number} spentMs of the page's own time on the last one
   * @param {boolean} isLate whether the graphics have not finished the last one yet
   */
  next(nowMs, spentMs, isLate) {
    const passed = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (!(passed > 0 && passed < PAUSE_MS)) return;
    this.#intervalMs += 0.1 * (passed - this.#intervalMs);
    if (this.isShort) {
      if (nowMs >= this.#backMs) this.#begin(nowMs);
      return;
    }
    const isBusy = isLate || spentMs > BUSY_SHARE * this.#intervalMs;
    this.#busy += STEADY * (Number(isBusy) - this.#busy);
    if (this.#busy > TOO_BUSY) this.leaveOut(nowMs);
  }

  /**
   * Why noise is left in, in words; empty where there is time, and where it is to be left in.
   * @param {import("./denoiser.js").Denoise} denoise
   */
  whyNoiseStays(denoise) {
    if (denoise === "off") return "";
    if (denoise === "auto" && isSlow(graphicsName() ?? "")) return "left in: no graphics card draws here";
    return this.isShort ? "left in: this machine has no time for it" : "";
  }

  /**
   * There is no time, or none of the graphics' memory.
   * @param {number} nowMs
   */
  leaveOut(nowMs) {
    if (nowMs - this.#backMs > WELL_MS) this.#outMs = TRIED_MS;
    this.isShort = true;
    this.#backMs = nowMs + this.#outMs;
    this.#outMs = Math.min(2 * this.#outMs, LONGEST_MS);
  }

  /** @param {number} nowMs */
  #begin(nowMs) {
    this.isShort = false;
    this.#busy = 0;
    this.#backMs = nowMs;
  }
}
