// The sites on which a user switched the camera's brightening on.

/** @type {typeof chrome} */
export const browserApi = globalThis.browser ?? chrome;

/**
 * What the extension keeps.
 * @typedef {import("../brighten/brighten.js").Settings & { sites?: string[] }} Kept
 */

/** @type {{ id: string, js: string[], world: "ISOLATED" | "MAIN" }[]} */
const SCRIPTS = [
  { id: "bridge", js: ["extension/bridge.js"], world: "ISOLATED" },
  { id: "page", js: ["extension/page.js"], world: "MAIN" },
];

/**
 * What the user has set.
 * @returns {Promise<Kept>}
 */
export function kept() {
  return browserApi.storage.local.get();
}

/** @returns {Promise<string[]>} origins */
export async function sitesThatAreOn() {
  return (await kept()).sites ?? [];
}

/**
 * Switches a site on or off; its right was given before.
 * @param {string} site an origin
 * @param {boolean} on
 */
export async function switchSite(site, on) {
  const others = (await sitesThatAreOn()).filter((one) => one !== site);
  await setSites(on ? [...others, site] : others);
}

/** Lets the scripts run on the sites that are on, and on no others. */
export async function register() {
  const sites = await sitesThatAreOn();
  const known = await browserApi.scripting.getRegisteredContentScripts();
  if (known.length) await browserApi.scripting.unregisterContentScripts();
  if (sites.length === 0) return;
  const matches = sites.map((site) => pattern(site));
  await browserApi.scripting.registerContentScripts(
    SCRIPTS.map((script) => ({ ...script, matches, allFrames: true, runAt: "document_start" })),
  );
}

/**
 * Lets the scripts run in a page that is open already.
 * @param {number} tabId
 */
export async function runNow(tabId) {
  for (const { js, world } of SCRIPTS) {
    await browserApi.scripting.executeScript({ target: { tabId, allFrames: true }, files: js, world, injectImmediately: true });
  }
}

/** Switches off what the user has taken the right for. */
export async function keepAllowed() {
  const sites = await sitesThatAreOn();
  const allowed = await Promise.all(
    sites.map((site) => browserApi.permissions.contains({ origins: [pattern(site)] })),
  );
  if (allowed.includes(false)) await setSites(sites.filter((_, i) => allowed[i]));
}

/**
 * What the browser is asked for to run on a site; ports are not told apart there.
 * @param {string} site
 */
export function pattern(site) {
  const { protocol, hostname } = new URL(site);
  return `${protocol}//${hostname}/*`;
}

/** @param {string[]} sites */
async function setSites(sites) {
  await browserApi.storage.local.set({ sites });
  await register();
}
