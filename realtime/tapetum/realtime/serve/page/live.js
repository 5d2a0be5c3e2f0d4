// The live picture: start, stop, and what is shown while it starts and when it fails.

import { graphicsName, isSlow } from "/brighten/graphics.js";
import { isServerCamera, openCamera, Problem } from "./camera.js";
import { CaptureClock, followFrames, localClock } from "./frames.js";
import { BrightenedHere } from "./here.js";
import { Original } from "./original.js";
import { connectPeer } from "./peer.js";

const FIRST_PICTURE_MS = 15_000;
const UNREACHED = new Problem("No picture came", "Browser and server must reach each other by UDP in "
  + "one network. Open the page on the server's machine; that too must be in some network.");
const SLOW = { title: "This takes long", text: "The machine that sends the picture is busy. It is on its way." };
const NO_LIGHT = new Problem("No light came", "The server does not answer; it may be busy. Try again.");

/**
 * Shows the enhanced picture in `view`. It gives the events "live", "idle" and "problem" (whose
 * `detail` has a title and a text), and starts again by itself when the server comes back.
 */
export class Live extends EventTarget {
  #link;
  #readout;
  #wishes;
  #view = document.getElementById("view");
  #video = document.getElementById("enhanced");
  #originalVideo = document.getElementById("original-video");
  #original = new Original(document.getElementById("original"));
  #clock = new CaptureClock();
  #originalClock = new CaptureClock();
  #run = null; // what belongs to the picture that runs or starts: { stream, camera, here, captured, noise, send, reached, close[] }
  #streams = 0; // how many were asked for: the number of the last one

  constructor({ link, readout, wishes }) {
    super();
    this.#link = link;
    this.#readout = readout;
    this.#wishes = wishes;
    link.addEventListener("status", ({ detail }) => this.#learn(detail));
    link.addEventListener("well_lit", ({ detail }) => {
      if (detail.stream === this.#run?.stream) this.#readout.setWellLit(detail.value);
    });
    link.addEventListener("ended", ({ detail }) => {
      if (detail.stream === this.#run?.stream) this.#fail(new Problem("The picture has ended", detail.message || "Start it again."));
    });
  }

  get running() {
    return this.#run !== null;
  }

  /** The stream that is shown, for recordings: one for each picture. */
  get stream() {
    if (!this.#run?.here) return this.#video.srcObject;
    this.#run.captured ??= this.picture.captureStream();
    return this.#run.captured;
  }

  /** What shows the enhanced picture: a video, or a canvas. */
  get picture() {
    return this.#run?.here ? document.getElementById("bright") : this.#video;
  }

  /** The video that shows the enhanced picture: only such a one can have a window of its own. */
  async asVideo() {
    if (this.#run?.here && !this.#video.srcObject) {
      play(this.#video, this.stream);
      await loaded(this.#video);
    }
    return this.#video;
  }

  /** Enhances as is wished now, from the next picture on. */
  changeLook() {
    if (this.#run?.here === undefined) return; // it begins, and will ask
    if (this.#run.here === this.#canBeHere(this.#run)) this.#link.say("look", this.#wishes().look);
    else this.start();
  }

  /** Starts with the camera that is chosen; what goes wrong is told by the event "problem". */
  async start() {
    const camera = this.#run?.camera; // one that is open already is used again
    this.#release({ keepCamera: true });
    const run = (this.#run = { stream: ++this.#streams, camera, close: [] });
    try {
      await this.#begin(run);
    } catch (error) {
      if (this.#run === run) this.#fail(error instanceof Problem ? error : new Problem("That did not work", error.message));
    }
  }

  stop() {
    this.#release({ keepCamera: false });
    this.#link.say("stop");
    this.#tell("idle");
  }

  /** The server is gone: keep the camera, and wait for it. */
  pause() {
    this.#release({ keepCamera: true });
    this.#run = { camera: this.#run.camera, close: [] }; // what had begun is no more of interest
    this.#tell("busy", { title: "The server is gone", text: "Waiting for it to come back…" });
  }

  async #begin(run) {
    const { camera: chosen, size } = this.#wishes();
    if (!isServerCamera(chosen) && !run.camera) {
      this.#tell("busy", { title: "Asking for the camera", text: "Allow it if the browser asks." });
      const camera = await openCamera(chosen, size);
      if (this.#run !== run) return stopTracks(camera);
      run.camera = camera;
      camera.getVideoTracks()[0].onended = () =>
        this.#run?.camera === camera && this.#fail(new Problem("The camera is gone", "Plug it in again, then start."));
    }
    this.#tell("busy", { title: "Connecting", text: "The first picture comes in a moment." });
    run.here = this.#canBeHere(run);
    this.#view.dataset.where = run.here ? "here" : "there";
    if (run.here) await this.#brightenHere(run);
    else await this.#brightenThere(run);
    if (this.#run !== run) return;
    this.#tell("live");
  }

  /** Whether this browser brightens by itself: it has the picture, and graphics, and grids can be had. */
  #canBeHere(run) {
    const { where, look, grids } = this.#wishes();
    if (!run.camera || !grids.includes(look.model) || where === "server") return false;
    const graphics = graphicsName();
    return graphics !== null && (where === "browser" || !isSlow(graphics));
  }

  async #brightenHere(run) {
    play(this.#originalVideo, run.camera);
    const { mode, runs_on, denoise } = await this.#link.ask("light", { stream: run.stream, ...this.#wishes().look }, "lit");
    if (this.#run !== run) return;
    const words = `${runs_on}, applied by ${graphicsName()}`;
    const here = new BrightenedHere({
      video: this.#originalVideo,
      canvas: freshCanvas(),
      link: this.#link,
      strength: () => this.#wishes().look.strength,
      denoise,
      onFrame: ({ metadata, drawnMs, shownMs, noise }) => {
        const capturedMs = localClock.capturedMs(metadata);
        const atMs = performance.timeOrigin + shownMs;
        this.#readout.addFrame({ shownMs: atMs, ageMs: atMs - capturedMs, drawnMs });
        if (noise === run.noise) return;
        run.noise = noise;
        this.#readout.setHere({ mode, runs_on: noise ? `${words}; noise ${noise}` : words });
      },
      onLost: () => this.#run === run && this.start(),
    });
    this.#readout.setHere({ mode, runs_on: words });
    run.close.push(() => here.close());
    await inTime(here.first, NO_LIGHT);
  }

  async #brightenThere(run) {
    const look = () => this.#wishes().look;
    const isWanted = () => this.#run === run;
    const onLost = () => isWanted() && this.#lose(run);
    const peer = await connectPeer({ link: this.#link, look, stream: run.stream, camera: run.camera, isWanted, onLost });
    if (this.#run !== run) return peer.close();
    [run.send, run.reached] = [peer.send, peer.reached];
    run.close.push(peer.close);
    await this.#show(run, peer);
  }

  async #show(run, { enhanced, original }) {
    play(this.#originalVideo, original);
    play(this.#video, enhanced);
    const originalClock = run.camera ? localClock : this.#originalClock;
    run.close.push(
      followFrames(this.#originalVideo, originalClock, ({ capturedMs }) =>
        this.#original.keep(this.#originalVideo, capturedMs)),
      followFrames(this.#video, this.#clock, (frame) => {
        this.#original.show(frame.capturedMs);
        this.#readout.addFrame(frame);
      }),
    );
    const first = loaded(this.#video);
    await inTime(first, UNREACHED).catch((error) => {
      if (!run.reached()) throw error;
      if (this.#run === run) this.#tell("busy", SLOW);
      return first;
    });
  }

  #learn(status) {
    if (status.stream !== this.#run?.stream) return;
    this.#readout.setStatus(status);
    this.#run.send?.(status);
    // A browser's own camera is told in the browser's clock, the server's in the server's.
    const offsetMs = this.#run?.camera ? 0 : this.#link.clockOffsetMs;
    if (offsetMs === null) return;
    if (status.enhanced_clock) this.#clock.set(status.enhanced_clock, offsetMs);
    if (status.original_clock) this.#originalClock.set(status.original_clock, offsetMs);
  }

  /** The connection is lost: one that had been there is made anew, another one will not do better. */
  #lose(run) {
    if (run.reached()) this.start();
    else this.#fail(UNREACHED);
  }

  #fail(problem) {
    this.#release({ keepCamera: false });
    this.#link.say("stop");
    this.#tell("problem", { title: problem.title, text: problem.message });
  }

  #release({ keepCamera }) {
    for (const close of this.#run?.close ?? []) close();
    stopTracks(this.#run?.captured);
    if (this.#run) this.#run.close = [];
    if (!keepCamera) {
      stopTracks(this.#run?.camera);
      this.#run = null;
    }
    this.#video.srcObject = this.#originalVideo.srcObject = null;
    this.#clock = new CaptureClock();
    this.#originalClock = new CaptureClock();
    this.#original.clear();
    this.#readout.clear();
  }

  #tell(state, detail = {}) {
    this.dispatchEvent(new CustomEvent(state, { detail }));
  }
}

/**
 * Plays a stream, and goes on whenever the browser holds it: videos that are covered, or were in a
 * window of their own, are paused by some. A live picture has no pause.
 */
function play(video, stream) {
  const go = () => video.srcObject === stream && video.play().catch(() => {}); // it was replaced
  video.srcObject = stream;
  video.onpause = go;
  go();
}

function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function loaded(video) {
  return new Promise((resolve) => {
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) resolve();
    video.onloadeddata = resolve;
  });
}

/** Waits for a first picture; throws `problem` if none comes. */
function inTime(picture, problem) {
  return Promise.race([
    picture,
    new Promise((_, reject) => { setTimeout(() => reject(problem), FIRST_PICTURE_MS); }),
  ]);
}

/** A canvas in the place of the last one: graphics that were lost do not come back to theirs. */
function freshCanvas() {
  const old = document.getElementById("bright");
  const canvas = old.cloneNode();
  old.replaceWith(canvas);
  return canvas;
}
