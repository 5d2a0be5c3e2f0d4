// Brightens the pictures of one stream: asks for light, and draws with the newest that came.

import { Brightener, GRID_SIZE } from "./brightener.js";
import { CurveBrightener } from "./curve_brightener.js";
import { graphicsName, isSlow } from "./graphics.js";
import { Asking, Fade } from "./pace.js";
import { SpareTime } from "./spare_time.js";

const HOLD_MS = 2000; // so long a picture is held back for its first light, and for lost graphics
const FIRST = 5; // pictures that are held back for it at the least, however slowly they come
const SLOW_MS = 200; // that a picture takes without a graphics card, so often in a row, and the curve does for it
const SLOW = 2;
const LATE_MS = 15_000; // so long without an answer, and light is asked for again
const AGAIN_MS = 500; // after which lost graphics are tried again

/** @typedef {{ canvas: OffscreenCanvas, brightener: Brightener | CurveBrightener }} Drawer */

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
 * Draws a stream's pictures: once bright, by the last light, whatever the network does. Without graphics
 * the processor does it, simpler. What cannot be brightened, for want of any light, is to be shown as it is.
 */
export class Painter {
  #settings;
  #light;
  /** @type {Drawer | null} */
  #graphics = null;
  /** @type {Drawer | null} */
  #processor = null; // once there are no graphics for long
  /** @type {Float32Array<ArrayBuffer> | null} */
  #grid = null;
  #firstMs = NaN; // when the first picture came
  #pictures = 0; // that came
  #pixels = 0; // of the last one
  #slow = 0; // pictures in a row
  #slowPixels = Infinity; // from which on the processor draws, for want of a graphics card
  /** @type {Fade | null} */
  #fade = null; // where pictures had to be shown dark
  #lift = 0; // of mean luma by the light at its strength, in levels
  #asking = new Asking();
  #askedMs = -Infinity; // when light was asked for that has not come
  #failedMs = -Infinity; // when graphics failed last
  #lostMs = NaN; // since when there are none
  #spare = new SpareTime();
  #spentMs = 0; // of the page's time on the last picture
  #noGraphics = ""; // why, in words
  #noLight = "";
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

  /** What is wrong, in words for a person; empty if nothing is. */
  get problem() {
    return this.#noGraphics || this.#noLight;
  }

  /**
   * Draws a picture.
   * @param {HTMLVideoElement | VideoFrame} source
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
    this.#pictures += 1;
    this.#pixels = width * height;
    try {
      const painted = this.#paint(source, width, height, nowMs, strength, compare ? 0.5 : 0);
      if (painted !== "hold") this.isBright = painted !== "as it is";
      return painted;
    } catch (error) {
      const hadGraphics = this.#graphics !== null;
      this.#lose(nowMs, error);
      if (hadGraphics) return "hold";
      this.isBright = false;
      return "as it is";
    }
  }

  /**
   * Takes note of how long the last picture took the page.
   * @param {number} spentMs
   */
  took(spentMs) {
    this.#spentMs = spentMs;
    this.#slow = spentMs > SLOW_MS ? this.#slow + 1 : 0;
    if (this.#slow < SLOW || !this.#graphics || !isSlow(graphicsName() ?? "")) return;
    this.#slowPixels = this.#pixels;
    this.#noGraphics = "no graphics card draws here";
    this.#forget();
  }

  close() {
    this.#light.postMessage({ tickMs: 0 });
    this.#light.close();
    this.#forget();
    this.#processor = null;
  }

  /**
   * @param {HTMLVideoElement | VideoFrame} source
   * @param {number} width
   * @param {number} height
   * @param {number} nowMs
   * @param {number} strength
   * @param {number} before
   */
  #paint(source, width, height, nowMs, strength, before) {
    const drawer = this.#drawer(nowMs);
    if (!drawer) return "hold";
    const { canvas, brightener } = drawer;
    this.#spare.next(nowMs, this.#spentMs, brightener.isLate);
    brightener.take(source, width, height);
    this.#ask(brightener, nowMs);
    if (!this.#grid) {
      const isSoon = nowMs - this.#firstMs < HOLD_MS || this.#pictures <= FIRST;
      if (isSoon && !this.#noLight) return "hold";
      this.#fade ??= new Fade();
      this.#noLight ||= "the network does not answer";
      return "as it is";
    }
    const share = this.#fade ? this.#fade.next(nowMs, this.#lift) : 1;
    if (share === 1) this.#fade = null;
    const { denoise = "auto" } = this.#settings;
    const why = this.#spare.whyNoiseStays(denoise);
    brightener.draw(share * strength, before, { denoise: why ? "off" : denoise, nowMs });
    this.noise = why || brightener.noise;
    if (drawer === this.#graphics) this.#haveGraphics();
    return canvas;
  }

  /**
   * What draws: the graphics; or where they are too slow, or gone for longer than a picture may stand
   * still, the processor; null until then.
   * @param {number} nowMs
   */
  #drawer(nowMs) {
    const isForGraphics = this.#pixels < this.#slowPixels;
    if (isForGraphics && !this.#graphics && nowMs - this.#failedMs >= AGAIN_MS) this.#openGraphics(nowMs);
    if (isForGraphics && this.#graphics) return this.#graphics;
    if (this.isBright && nowMs - this.#lostMs < HOLD_MS) return null;
    if (!this.#processor) {
      const canvas = new OffscreenCanvas(16, 16);
      this.#processor = { canvas, brightener: new CurveBrightener(canvas) };
      if (this.#grid) this.#processor.brightener.setGrid(this.#grid);
    }
    return this.#processor;
  }

  /** @param {number} nowMs */
  #openGraphics(nowMs) {
    const canvas = new OffscreenCanvas(16, 16);
    canvas.addEventListener("webglcontextlost", () => {
      if (this.#graphics?.canvas === canvas) this.#lose(performance.now(), "the browser's graphics were lost");
    });
    try {
      const brightener = new Brightener(canvas);
      this.#graphics = { canvas, brightener };
      this.#askedMs = -Infinity;
      if (this.#grid) brightener.setGrid(this.#grid);
    } catch (error) {
      this.#lose(nowMs, error);
    }
  }

  #haveGraphics() {
    this.#lostMs = NaN;
    this.#noGraphics = "";
    this.#processor = null;
  }

  /**
   * @param {number} nowMs
   * @param {unknown} reason
   */
  #lose(nowMs, reason) {
    this.#noGraphics = reason instanceof Error ? reason.message : String(reason);
    if (this.noise === "taken out") this.#spare.leaveOut(nowMs); // it may have been too much
    this.noise = "";
    this.#failedMs = nowMs;
    if (!(this.#lostMs <= nowMs)) this.#lostMs = nowMs;
    this.#askedMs = -Infinity;
    this.#forget();
  }

  #forget() {
    const graphics = this.#graphics;
    this.#graphics = null;
    graphics?.brightener.close();
  }

  /**
   * Sends the thumbnail that was made, and begins one when the last was answered and the next is due.
   * @param {Drawer["brightener"]} brightener
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
    if (this.#askedMs > 0) this.#noLight ||= "the network does not answer";
    this.#askedMs = nowMs;
    brightener.beginThumbnail();
  }

  /** @param {{ grid?: Float32Array<ArrayBuffer>, by?: string, lift?: number, problem?: string }} answer */
  #hear({ grid, by = "", lift = 0, problem = "" }) {
    if (!grid || grid.length !== GRID_SIZE) return;
    this.#noLight = problem;
    this.network = by;
    this.#grid = grid;
    this.#lift = lift;
    for (const drawer of [this.#graphics, this.#processor]) drawer?.brightener.setGrid(grid);
    this.#asking.heard(grid);
    this.#askedMs = -Infinity;
  }
}
