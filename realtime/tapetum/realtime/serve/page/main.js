// Puts the parts of the page together.

import { makeBrightness, makeStrength } from "/brighten/sliders.js";
import { fillCameras, isServerCamera } from "./camera.js";
import { Files } from "./files.js";
import { Recording, saveSnapshot } from "./keep.js";
import { Link } from "./link.js";
import { Live } from "./live.js";
import { offerFullScreen, offerOwnWindow } from "./screens.js";
import { Readout } from "./readout.js";
import { makeWipe } from "./wipe.js";

const part = (id) => document.getElementById(id);
const view = part("view");
const link = new Link();

const strength = makeStrength(part("strength"), part("strength-shown"), sayLook);
const brightness = makeBrightness(part("brightness"), part("brightness-shown"), sayLook);

/** How pictures and files are to be enhanced. */
const look = () => ({
  model: part("model").value,
  strength: strength.value,
  when_dark: part("when-dark").checked,
  brightness: brightness.value,
});
const announce = (text) => { part("announcer").textContent = text; };

let grids = []; // the models whose light this browser can apply by itself

const live = new Live({
  link,
  readout: new Readout(),
  wishes: () => ({
    camera: part("camera").value,
    size: part("size").value,
    where: part("where").value,
    look: look(),
    grids,
  }),
});

const files = new Files({
  link,
  list: part("files"),
  template: part("file-template"),
  chooser: part("choose"),
  look,
  announce,
});

// The server

let serverCamera = null;
let waiting = null; // for the first word of the server
let known = false;
let trouble = "Server gone";

function showLink(state, text) {
  part("link").dataset.state = state;
  part("link").textContent = text;
}

link.addEventListener("welcome", async ({ detail }) => {
  clearTimeout(waiting);
  trouble = "Server gone";
  showLink("open", "Connected");
  showNotice("");
  serverCamera = detail.camera;
  grids = detail.grids;
  fillModels(detail.models);
  if (!known) {
    strength.value = detail.strength;
    brightness.value = detail.brightness;
    part("when-dark").checked = detail.when_dark;
  }
  known = true;
  await fillCameras(part("camera"), serverCamera);
  showWhatCounts();
  part("start").disabled = false;
  if (live.running) live.start();
});

link.addEventListener("gone", () => {
  showLink("gone", `${trouble}, trying again`);
  part("start").disabled = true;
  if (live.running) live.pause();
});

link.addEventListener("full", () => { trouble = "Server full"; });
for (const type of ["full", "refused", "notice", "problem"]) {
  link.addEventListener(type, ({ detail }) => showNotice(detail.message));
}

function showNotice(text) {
  part("notice").hidden = text === "";
  part("notice").textContent = text;
}

function fillModels(models) {
  const chosen = part("model").value;
  part("model").replaceChildren(...models.map((name) => new Option(name, name)));
  if (models.includes(chosen)) part("model").value = chosen;
}

// The picture

const COVERS = { idle: ["See in the dark", "Start a camera, and see it as if the light were on."] };

function cover(state, title, text) {
  view.dataset.state = state;
  part("cover-title").textContent = title;
  part("cover-text").textContent = text;
  part("start").textContent = state === "problem" ? "Try again" : "Start the camera";
  for (const id of ["snapshot", "record"]) part(id).disabled = state !== "live";
  part("stop").disabled = !live.running;
  showSize();
  if (state !== "live") recording?.stop();
  announce(state === "live" ? "The picture is live" : `${title}. ${text}`);
}

let recording = null;

live.addEventListener("idle", () => cover("idle", ...COVERS.idle));
live.addEventListener("busy", ({ detail }) => cover("busy", detail.title, detail.text));
live.addEventListener("problem", ({ detail }) => cover("problem", detail.title, detail.text));
live.addEventListener("live", () => {
  cover("live", "", "");
  fillCameras(part("camera"), serverCamera); // now the browser tells their names
});

for (const id of ["enhanced", "original-video"]) part(id).addEventListener("resize", ({ target }) => {
  if (target.videoHeight) view.style.setProperty("--ratio", target.videoWidth / target.videoHeight);
  showSize();
});
makeWipe(view, part("wipe"));
offerFullScreen(part("fill"), part("stage"));
offerOwnWindow(part("float"), () => live.asVideo());
view.toggleAttribute("data-compare", part("compare").checked);
part("compare").addEventListener("change", () => view.toggleAttribute("data-compare", part("compare").checked));
part("start").addEventListener("click", () => { live.start(); view.focus({ preventScroll: true }); });
part("stop").addEventListener("click", () => { live.stop(); part("start").focus({ preventScroll: true }); });
navigator.mediaDevices?.addEventListener("devicechange", () => fillCameras(part("camera"), serverCamera));

// The wishes

for (const id of ["camera", "size", "where"]) {
  part(id).addEventListener("change", () => {
    showWhatCounts();
    if (!live.running) return;
    live.stop();
    live.start();
  });
}
for (const id of ["model", "when-dark"]) part(id).addEventListener("change", sayLook);
part("controls").addEventListener("submit", (event) => event.preventDefault());

function sayLook() {
  showWhatCounts();
  live.changeLook();
}

/**
 * A brightness is for models that give grids, and then for every picture, lit or not. The size is
 * asked of cameras of the browser, and only their pictures can be enhanced here.
 */
function showWhatCounts() {
  part("where").disabled = isServerCamera(part("camera").value);
  showSize();
  const grid = grids.includes(part("model").value);
  part("brightness").disabled = !grid;
  part("when-dark").disabled = grid && brightness.value !== null;
}

let askedSize = part("size").options[0].value; // of a camera of the browser

/** Of the server's camera, which is not asked for one, the size of what plays is shown. */
function showSize() {
  const [size, served] = [part("size"), isServerCamera(part("camera").value)];
  const { videoWidth, videoHeight } = part("enhanced");
  size.disabled = served;
  if (size.value) askedSize = size.value;
  part("served-size").textContent = videoWidth ? `${videoWidth} × ${videoHeight}` : "As it comes";
  size.value = served ? "" : askedSize;
}

// What is kept

part("snapshot").addEventListener("click", () => saveSnapshot(live.picture));
part("record").addEventListener("click", () => {
  if (recording) recording.stop();
  else recording = new Recording(live.stream, showRecording);
});

function showRecording(seconds) {
  if (seconds === null) recording = null;
  part("record").setAttribute("aria-pressed", String(seconds !== null));
  const clock = (all) => `${Math.floor(all / 60)}:${String(all % 60).padStart(2, "0")}`;
  part("record-text").textContent = seconds === null ? "Record" : `Finish ${clock(seconds)}`;
}

// Files: chosen, or dropped anywhere on the page

part("choose").addEventListener("change", () => {
  files.add(part("choose").files);
  part("choose").value = "";
});
for (const [type, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    part("drop").toggleAttribute("data-over", over);
    if (type === "drop") files.add(event.dataTransfer.files);
  });
}

waiting = setTimeout(() => showLink("gone", "No answer from the server"), 5000);
link.connect();
