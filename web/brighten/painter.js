// Brightens the pictures of one stream: asks for light, and draws with the newest that came.

import { Brightener, GRID_SIZE } from "./brightener.js";
import { Asking, Fade } from "./pace.js";
import { SpareTime } from "./spare_time.js";

const HOLD_MS = 2000; // so long a picture is held back for its first light, and for lost graphics
const LATE_MS = 15_000; // so long without an answer, and light is asked for again
const AGAIN_MS = 500; // after which lost graphics are tried again

/**
 * What a user may change at any time.
 * @typedef {object} Settings
 * @property {boolean} [on] false gives the camera's own pictures
 * @property {number} [strength] 0 leaves pictures as they are, 1 is the network's own, 2 the most
 * @property {boolean} [compare] leave the left half as it is
 * @property {boolean} [onlyWhenDark] leave well-lit pictures as they are, as by default
 * @property {import("./denoiser.js").Denoise} [denoise] how much noise is taken out; "auto" by default
 * @property {number | null} [brightness] mean luma to which every picture is brought, over 0 and
 *   under 1; null leaves it to the network
 */

/**
 * Draws a stream's pictures: once bright, by the last light, whatever the network does. What it cannot
 * brighten, for want of graphics or of any light, is to be shown as it is.
 */
export class Painter {
  #settings;
  #light;
  /** @type {OffscreenCanvas | null} */
  #canvas = null;
  /** @type {Brightener | null} */
  #brightener = null;
  /** @type {Float32Array<ArrayBuffer> | null} */
  #grid = null;
  #firstMs = NaN; // when the first picture came
  /** @type {Fade | null} */
  #fade = null; // where pictures had to be shown dark
  #lift = 0; // of mean luma by the light at its strength, in levels
  #asking = new Asking();
  #askedMs = -Infinity; // when light was asked for that has not come
  #failedMs = -Infinity; // when graphics failed last
  #lostMs = NaN; // since when there are none
  #spare = new SpareTime();
  #spentMs = 0; // of the page's time on the last picture
  /** What is wrong, in words for a person; empty if nothing is. */
  problem = "";
  /** What runs the network, in words; empty before its first light. */
  network = "";
  /** What becomes of the noise, in words for a person; empty where nothing is done about it. */
  noise = "";
  /** Whether the last picture was drawn bright. */
  isBright = false;

  /**
   * @param {Settings} settings read at each picture
   * @param {MessagePort} light of `lighting_worker.js`
   */
  constructor(settings, light) {
    this.#settings = settings;
    this.#light = light;
    light.addEventListener("message", ({ data }) => this.#hear(data));
    light.start();
  }

  /**
   * Draws a picture.
   * @param {TexImageSource} source
   * @param {number} width
   * @param {number} height
   * @param {number} nowMs
   * @returns {OffscreenCanvas | "hold" | "as it is"} the bright picture, or what to do without one
   */
  paint(source, width, height, nowMs) {
    const { on = true, strength = 1, compare = false } = this.#settings;
    if (!on || strength === 0) {
      this.isBright = false;
      this.noise = "";
      return "as it is";
    }
    if (!(this.#firstMs <= nowMs)) this.#firstMs = nowMs;
    try {
      const painted = this.#paint(source, width, height, nowMs, strength, compare ? 0.5 : 0);
      if (painted !== "hold") this.isBright = painted !== "as it is";
      return painted;
    } catch (error) {
      this.#lose(nowMs, error);
      return this.#withoutGraphics(nowMs);
    }
  }

  /**
   * Takes note of how long a picture took the page.
   * @param {number} spentMs
   */
  took(spentMs) {
    this.#spentMs = spentMs;
  }

  close() {
    this.#light.postMessage({ tickMs: 0 });
    this.#light.close();
    this.#forget();
  }

  /**
   * @param {TexImageSource} source
   * @param {number} width
   * @param {number} height
   * @param {number} nowMs
   * @param {number} strength
   * @param {number} before
   */
  #paint(source, width, height, nowMs, strength, before) {
    const ready = this.#graphics(nowMs);
    if (!ready) return this.#withoutGraphics(nowMs);
    const { canvas, brightener } = ready;
    this.#spare.next(nowMs, this.#spentMs, brightener.isLate);
    brightener.take(source, width, height);
    this.#ask(brightener, nowMs);
    if (!this.#grid) {
      if (nowMs - this.#firstMs < HOLD_MS && !this.problem) return "hold";
      this.#fade ??= new Fade();
      this.problem ||= "the network does not answer";
      return "as it is";
    }
    this.#lostMs = NaN;
    const share = this.#fade ? this.#fade.next(nowMs, this.#lift) : 1;
    if (share === 1) this.#fade = null;
    const { denoise = "auto" } = this.#settings;
    const why = this.#spare.whyNoiseStays(denoise);
    brightener.draw(share * strength, before, { denoise: why ? "off" : denoise, nowMs });
    this.noise = why || brightener.noise;
    return canvas;
  }

  /** @param {number} nowMs */
  #graphics(nowMs) {
    if (!this.#canvas || !this.#brightener) {
      if (nowMs - this.#failedMs < AGAIN_MS) return null;
      const canvas = new OffscreenCanvas(16, 16);
      canvas.addEventListener("webglcontextlost", () => {
        if (this.#canvas === canvas) this.#lose(performance.now(), "the browser's graphics were lost");
      });
      this.#brightener = new Brightener(canvas);
      this.#canvas = canvas;
      this.#askedMs = -Infinity;
      if (this.#grid) this.#brightener.setGrid(this.#grid);
    }
    return { canvas: this.#canvas, brightener: this.#brightener };
  }

  /**
   * @param {number} nowMs
   * @param {unknown} reason
   */
  #lose(nowMs, reason) {
    this.problem = String(reason);
    if (this.noise === "taken out") this.#spare.leaveOut(nowMs); // it may have been too much
    this.noise = "";
    this.#failedMs = nowMs;
    if (!(this.#lostMs <= nowMs)) this.#lostMs = nowMs;
    this.#forget();
  }

  /**
   * A picture that stands still for a moment is better than a dark flash.
   * @param {number} nowMs
   * @returns {"hold" | "as it is"}
   */
  #withoutGraphics(nowMs) {
    if (this.isBright && nowMs - this.#lostMs < HOLD_MS) return "hold";
    this.isBright = false;
    this.#fade = new Fade();
    return "as it is";
  }

  #forget() {
    const brightener = this.#brightener;
    this.#brightener = this.#canvas = null;
    brightener?.close();
  }

  /**
   * Sends the thumbnail that the graphics have made, and begins one when the last was answered and
   * the next is due.
   * @param {Brightener} brightener
   * @param {number} nowMs
   */
  #ask(brightener, nowMs) {
    const roots = brightener.readThumbnail();
    if (roots) {
      const { onlyWhenDark, brightness, strength = 1 } = this.#settings;
      const aim = { onlyWhenDark, brightness };
      this.#light.postMessage({ roots, timeS: nowMs / 1000, aim, strength }, [roots.buffer]);
    }
    if (nowMs - this.#askedMs < LATE_MS || !this.#asking.isDue(nowMs)) return;
    if (this.#askedMs > 0) this.problem ||= "the network does not answer";
    this.#askedMs = nowMs;
    brightener.beginThumbnail();
  }

  /** @param {{ grid?: Float32Array<ArrayBuffer>, by?: string, lift?: number, problem?: string }} answer */
  #hear({ grid, by = "", lift = 0, problem = "" }) {
    if (!grid || grid.length !== GRID_SIZE) return;
    this.problem = problem;
    this.network = by;
    this.#grid = grid;
    this.#lift = lift;
    this.#brightener?.setGrid(grid);
    this.#asking.heard(grid);
    this.#askedMs = -Infinity;
  }
}
