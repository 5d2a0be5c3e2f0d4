// What the user sets, and what becomes of the camera in the page that is open.

import { makeBrightness, makeStrength } from "../brighten/sliders.js";
import { browserApi, kept, pattern, runNow, sitesThatAreOn, switchSite } from "./sites.js";

const ASK_MS = 500;
const FRESH_MS = 3000; // so old may the last picture of a camera in use be

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
/** @param {string} id */
const output = (id) => /** @type {HTMLOutputElement} */ (document.getElementById(id));
/** @param {string} text */
const say = (text) => { /** @type {HTMLElement} */ (document.getElementById("state")).textContent = text; };

/** @returns {Promise<{ tabId: number, site: string } | null>} the page, where it can have a camera */
async function openPage() {
  const [tab] = await browserApi.tabs.query({ active: true, currentWindow: true });
  const { protocol = "", hostname = "", origin = "" } = tab?.url ? new URL(tab.url) : {};
  const local = hostname === "localhost" || hostname === "127.0.0.1";
  if (tab?.id === undefined || !(protocol === "https:" || (protocol === "http:" && local))) return null;
  return { tabId: tab.id, site: origin };
}

const page = await openPage();
let justSwitchedOn = false;

// What is set

const { strength = 1, brightness = null, compare = false, onlyWhenDark = true, denoise = "auto" } = await kept();
input("compare").checked = compare;
input("only-when-dark").checked = onlyWhenDark;
input("denoise").checked = denoise !== "off";
const strong = makeStrength(input("strength"), output("strength-shown"), () =>
  browserApi.storage.local.set({ strength: strong.value }));
const bright = makeBrightness(input("brightness"), output("brightness-shown"), () => {
  showWhatCounts();
  browserApi.storage.local.set({ brightness: bright.value });
});
strong.value = strength;
bright.value = brightness;
showWhatCounts();

/** A brightness is for every picture, lit or not. */
function showWhatCounts() {
  input("only-when-dark").disabled = bright.value !== null;
}

input("compare").addEventListener("change", () =>
  browserApi.storage.local.set({ compare: input("compare").checked }));
input("only-when-dark").addEventListener("change", () =>
  browserApi.storage.local.set({ onlyWhenDark: input("only-when-dark").checked }));
input("denoise").addEventListener("change", () =>
  browserApi.storage.local.set({ denoise: input("denoise").checked ? "auto" : "off" }));

// On this page, or not

if (page) {
  /** @type {HTMLElement} */ (document.getElementById("site")).textContent = new URL(page.site).host;
  input("on").checked = (await sitesThatAreOn()).includes(page.site);
  input("on").disabled = false;
  input("on").addEventListener("change", () => setOn(page, input("on").checked));
  setInterval(() => showState(page), ASK_MS);
  showState(page);
} else {
  say("This page can have no camera.");
}

/**
 * @param {{ tabId: number, site: string }} page
 * @param {boolean} on
 */
async function setOn({ tabId, site }, on) {
  try {
    // The browser asks the user, once for each site.
    const allowed = !on || (await browserApi.permissions.request({ origins: [pattern(site)] }));
    input("on").checked = on && allowed;
    if (!allowed) return;
    await switchSite(site, on);
    justSwitchedOn = on;
    if (on) await runNow(tabId);
  } catch (error) {
    say(`That did not work: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {{ tabId: number, site: string }} page */
async function showState({ tabId }) {
  if (!input("on").checked) return say("");
  const answer = await browserApi.tabs.sendMessage(tabId, "report").catch(() => null);
  if (!answer || Date.now() - answer.atMs > FRESH_MS) {
    return say(justSwitchedOn
      ? "Now turn the camera off and on in the call, or load the page again."
      : "No camera is in use here.");
  }
  const { bright, problem, width, height, fps, spentMs, noise, network } = answer.report;
  if (problem && !bright) return say(`The page has its own camera: ${problem}`);
  const why = problem ? `; bright as well as it goes: ${problem}` : "";
  const grain = noise ? `; noise ${noise}` : "";
  say(`${width} × ${height}, ${Math.round(fps)} pictures a second, ${spentMs.toFixed(1)} ms each; network: ${network || "loading"}${grain}${why}`);
}
