// The live picture: start, stop, and what is shown while it starts and when it fails.

import { isServerCamera, openCamera, Problem } from "./camera.js";
import { CaptureClock, followFrames, localClock } from "./frames.js";
import { Original } from "./original.js";
import { connectPeer } from "./peer.js";

const FIRST_PICTURE_MS = 15_000;
const UNREACHED = new Problem("No picture came", "Browser and server must reach each other by UDP in "
  + "one network. Open the page on the server's machine; that too must be in some network.");

/**
 * Shows the enhanced picture in `view`. It gives the events "live", "idle" and "problem" (whose
 * `detail` has a title and a text), and starts again by itself when the server comes back.
 */
export class Live extends EventTarget {
  #link;
  #readout;
  #wishes;
  #video = document.getElementById("enhanced");
  #originalVideo = document.getElementById("original-video");
  #original = new Original(document.getElementById("original"));
  #clock = new CaptureClock();
  #originalClock = new CaptureClock();
  #run = null; // what belongs to the picture that runs or starts: { stream, camera, live, close[] }
  #streams = 0; // how many were asked for: the number of the last one

  constructor({ link, readout, wishes }) {
    super();
    this.#link = link;
    this.#readout = readout;
    this.#wishes = wishes;
    link.addEventListener("status", ({ detail }) => this.#learn(detail));
    link.addEventListener("ended", ({ detail }) => {
      if (detail.stream === this.#run?.stream) this.#fail(new Problem("The picture has ended", detail.message || "Start it again."));
    });
  }

  get running() {
    return this.#run !== null;
  }

  /** The stream that is shown, for recordings. */
  get stream() {
    return this.#video.srcObject;
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
    const wishes = this.#wishes();
    if (!isServerCamera(wishes.camera) && !run.camera) {
      this.#tell("busy", { title: "Asking for the camera", text: "Allow it if the browser asks." });
      const camera = await openCamera(wishes.camera, wishes.size);
      if (this.#run !== run) return stopTracks(camera);
      run.camera = camera;
      camera.getVideoTracks()[0].onended = () =>
        this.#run?.camera === camera && this.#fail(new Problem("The camera is gone", "Plug it in again, then start."));
    }
    this.#tell("busy", { title: "Connecting", text: "The first picture comes in a moment." });
    const onLost = () => this.#run === run && this.#lose(run);
    const peer = await connectPeer({ link: this.#link, ...wishes, stream: run.stream, camera: run.camera, onLost });
    if (this.#run !== run) return peer.close();
    run.close.push(peer.close);
    await this.#show(run, peer);
    if (this.#run !== run) return;
    run.live = true;
    this.#tell("live");
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
    await firstPicture(this.#video);
  }

  #learn(status) {
    if (status.stream !== this.#run?.stream) return;
    this.#readout.setStatus(status);
    // A browser's own camera is told in the browser's clock, the server's in the server's.
    const offsetMs = this.#run?.camera ? 0 : this.#link.clockOffsetMs;
    if (offsetMs === null) return;
    if (status.enhanced_clock) this.#clock.set(status.enhanced_clock, offsetMs);
    if (status.original_clock) this.#originalClock.set(status.original_clock, offsetMs);
  }

  /** The connection is lost: one that had shown a picture is made anew, another one will not do better. */
  #lose(run) {
    if (run.live) this.start();
    else this.#fail(UNREACHED);
  }

  #fail(problem) {
    this.#release({ keepCamera: false });
    this.#link.say("stop");
    this.#tell("problem", { title: problem.title, text: problem.message });
  }

  #release({ keepCamera }) {
    for (const close of this.#run?.close ?? []) close();
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

function firstPicture(video) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(UNREACHED), FIRST_PICTURE_MS);
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) resolve();
    video.onloadeddata = resolve;
  });
}
