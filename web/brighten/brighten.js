// A camera's track made bright: `brighten(track, settings) -> track`. Nothing leaves the browser.

import { Painter } from "./painter.js";
import { throughCanvas, throughFrames } from "./streams.js";

/**
 * @typedef {import("./painter.js").Settings} Settings
 *
 * @typedef {import("./network.js").Parts} Parts
 *
 * What became of a picture.
 * @typedef {object} Report
 * @property {number} spentMs of the page's own thread
 * @property {number} width
 * @property {number} height
 * @property {boolean} bright whether it was brightened
 * @property {string} problem in words, or empty
 * @property {string} noise what becomes of it, in words, or empty where nothing is done about it
 * @property {string} network what runs it, in words, or empty before its first light
 */

/**
 * Gives a track that shows `camera`, bright. It speaks for the camera: its label, settings,
 * capabilities and constraints are the camera's, clones are tracks of their own, and stopping it
 * stops the camera. While the network is not there a curve stands in for it, and without graphics the
 * processor draws, simpler.
 *
 * Example:
 *   const settings = { strength: 0.8 };
 *   const bright = brighten(track, settings, { light: openLight(parts) });
 *   settings.strength = 0.5; // from the next picture on
 *
 * @param {MediaStreamTrack} camera a video track; it belongs to the bright one from then on
 * @param {Settings} settings read at each picture
 * @param {object} options
 * @param {() => MessagePort} options.light opens a way to the network, for one track
 * @param {(report: Report) => void} [options.onPicture] called after each picture
 * @returns {MediaStreamTrack}
 * @throws {Error} where this browser cannot do it; the camera is untouched then
 */
export function brighten(camera, settings, { light, onPicture = () => {} }) {
  const port = light();
  const painter = new Painter(settings, port);
  /** @type {(spentMs: number, width: number, height: number) => void} */
  const report = (spentMs, width, height) => {
    painter.took(spentMs);
    const { isBright: bright, problem, noise, network } = painter;
    onPicture({ spentMs, width, height, bright, problem, noise, network });
  };
  const byFrames = "MediaStreamTrackProcessor" in window && "MediaStreamTrackGenerator" in window;
  const stream = byFrames
    ? throughFrames(camera, painter, report)
    : throughCanvas(camera, painter, port, report);
  const close = () => {
    stream.close();
    painter.close();
  };
  const clone = () => brighten(camera.clone(), settings, { light, onPicture });
  return speakingFor(camera, stream.track, { close, clone });
}

/**
 * Opens a worker with a network; what it gives opens ways to it.
 * @param {Parts} parts
 * @returns {() => MessagePort}
 */
export function openLight(parts) {
  const worker = new Worker(new URL("./lighting_worker.js", import.meta.url), { type: "module" });
  return () => {
    const { port1, port2 } = new MessageChannel();
    worker.postMessage(parts, [port2]);
    return port1;
  };
}

/**
 * Lets `bright` answer as `camera` does.
 * @param {MediaStreamTrack} camera
 * @param {MediaStreamTrack} bright
 * @param {{ close: () => void, clone: () => MediaStreamTrack }} calls
 */
function speakingFor(camera, bright, { close, clone }) {
  const stop = bright.stop.bind(bright);
  const end = () => {
    stop();
    camera.stop();
    close();
  };
  camera.addEventListener("ended", () => {
    if (bright.readyState === "ended") return;
    end();
    bright.dispatchEvent(new Event("ended"));
  });
  for (const type of ["mute", "unmute"]) {
    camera.addEventListener(type, () => bright.dispatchEvent(new Event(type)));
  }
  bright.contentHint = camera.contentHint;
  bright.enabled = camera.enabled;
  Object.defineProperties(bright, {
    label: { get: () => camera.label },
    muted: { get: () => camera.muted },
    stop: { value: end },
    clone: {
      value: () => {
        const copy = clone();
        copy.enabled = bright.enabled;
        return copy;
      },
    },
    getSettings: { value: camera.getSettings.bind(camera) },
    getCapabilities: { value: camera.getCapabilities?.bind(camera) },
    getConstraints: { value: camera.getConstraints.bind(camera) },
    applyConstraints: { value: camera.applyConstraints.bind(camera) },
  });
  return bright;
}
