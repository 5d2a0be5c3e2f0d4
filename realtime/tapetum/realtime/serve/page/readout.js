// The figures under the picture.

const KEPT_MS = 3000;
const SHOW_EVERY_MS = 500;

/** Collects what happens to pictures and shows it twice a second, over the last three seconds. */
export class Readout {
  #frames = []; // { shownMs, ageMs }, oldest first
  #show = (id, text) => { document.getElementById(id).textContent = text; };

  constructor() {
    setInterval(() => this.#refresh(), SHOW_EVERY_MS);
  }

  /** Takes a picture that was shown. */
  addFrame({ shownMs, ageMs }) {
    this.#frames.push({ shownMs, ageMs });
    while (this.#frames[0].shownMs < shownMs - KEPT_MS) this.#frames.shift();
  }

  /** Takes what the server says about itself. */
  setStatus(status) {
    this.#show("added", `${status.added_p50_ms.toFixed(0)} / ${status.added_p95_ms.toFixed(0)} ms`);
    this.#show("dropped", String(status.dropped));
    this.#show("runs-on", status.runs_on);
    document.getElementById("readout").dataset.mode = status.mode;
    this.#explain(modeNote(status));
  }

  clear() {
    this.#frames = [];
    for (const figure of document.querySelectorAll("#readout dd")) figure.textContent = "–";
    delete document.getElementById("readout").dataset.mode;
    this.#explain("");
  }

  /** Says over the picture why it is not what the user chose. */
  #explain(text) {
    const note = document.getElementById("mode-note");
    if (note.textContent === text) return; // screen readers read each change
    note.textContent = text;
    note.hidden = text === "";
  }

  #refresh() {
    if (this.#frames.length < 2) return;
    const ages = this.#frames.map((frame) => frame.ageMs).filter((age) => age !== null);
    ages.sort((a, b) => a - b);
    this.#show("age-p50", milliseconds(ages, 0.5));
    this.#show("age-p95", milliseconds(ages, 0.95));
    const spanMs = this.#frames.at(-1).shownMs - this.#frames[0].shownMs;
    this.#show("fps", `${((1000 * (this.#frames.length - 1)) / spanMs).toFixed(0)} fps`);
  }
}

const PASSTHROUGH = "passthrough";

function modeNote({ mode, wanted }) {
  if (mode !== PASSTHROUGH) return "";
  if (wanted !== PASSTHROUGH) return "The model is loading; this is the camera as it is";
  return "This machine is too busy to enhance; this is the camera as it is";
}

/** The nearest-rank percentile of sorted numbers. */
function milliseconds(sorted, part) {
  if (sorted.length === 0) return "–";
  return `${sorted[Math.ceil(part * sorted.length) - 1].toFixed(0)} ms`;
}
