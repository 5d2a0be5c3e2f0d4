// The figures under the picture.

import { nowMs } from "./link.js";

const KEPT_MS = 3000;
const SHOW_EVERY_MS = 500;

/** Collects what happens to pictures and shows it twice a second, over the last three seconds. */
export class Readout {
  #frames = []; // { shownMs, ageMs, drawnMs }, oldest first
  #running = false;
  #show = (id, text) => { document.getElementById(id).textContent = text; };

  constructor() {
    setInterval(() => this.#refresh(), SHOW_EVERY_MS);
  }

  /** Takes a picture that was shown. */
  addFrame(frame) {
    this.#frames.push(frame);
    this.#running = true;
  }

  /** Takes what the server says about itself. */
  setStatus(status) {
    this.#show("added", `${status.added_p50_ms.toFixed(0)} / ${status.added_p95_ms.toFixed(0)} ms`);
    this.#show("dropped", String(status.dropped));
    this.#show("runs-on", status.runs_on);
    document.getElementById("readout").dataset.mode = status.mode;
    this.#explain(status.note);
    this.setWellLit(status.well_lit);
  }

  /** Says, as long as it holds, that the picture stays as it is because it is well lit. */
  setWellLit(wellLit) {
    document.getElementById("well-lit").hidden = !wellLit;
  }

  /** Takes what is known of a picture that this browser brightens by itself. */
  setHere({ mode, runs_on }) {
    this.#show("runs-on", runs_on);
    document.getElementById("readout").dataset.mode = mode;
  }

  clear() {
    this.#frames = [];
    this.#running = false;
    for (const figure of document.querySelectorAll("#readout dd")) figure.textContent = "–";
    delete document.getElementById("readout").dataset.mode;
    this.#explain("");
    this.setWellLit(false);
  }

  /** Says under the picture why it is not what the user chose. */
  #explain(text) {
    const note = document.getElementById("mode-note");
    if (note.textContent === text) return; // screen readers read each change
    note.textContent = text;
    note.hidden = text === "";
  }

  #arriving = () => {
    const here = document.getElementById("view").dataset.where === "here";
    const { videoWidth, videoHeight } = document.getElementById(here ? "original-video" : "enhanced");
    return videoWidth ? `${videoWidth} × ${videoHeight}` : "–";
  };

  #refresh() {
    if (!this.#running) return;
    const oldestMs = nowMs() - KEPT_MS;
    this.#frames = this.#frames.filter((frame) => frame.shownMs > oldestMs);
    const ages = this.#frames.map((frame) => frame.ageMs).filter((age) => age !== null);
    ages.sort((a, b) => a - b);
    const drawn = this.#frames.map((frame) => frame.drawnMs).filter((ms) => ms !== undefined);
    drawn.sort((a, b) => a - b);
    if (drawn.length) this.#show("added", `${drawn[Math.floor(drawn.length / 2)].toFixed(0)} / ${milliseconds(drawn, 0.95)}`);
    this.#show("age-p50", milliseconds(ages, 0.5));
    this.#show("age-p95", milliseconds(ages, 0.95));
    this.#show("arrives", this.#arriving());
    const rate = framesPerSecond(this.#frames);
    this.#show("fps", rate < 1 ? "< 1 fps" : `${rate.toFixed(0)} fps`);
  }
}

function framesPerSecond(frames) {
  if (frames.length < 2) return 0;
  return (1000 * (frames.length - 1)) / (frames.at(-1).shownMs - frames[0].shownMs);
}

/** The nearest-rank percentile of sorted numbers. */
function milliseconds(sorted, part) {
  if (sorted.length === 0) return "–";
  return `${sorted[Math.ceil(part * sorted.length) - 1].toFixed(0)} ms`;
}
