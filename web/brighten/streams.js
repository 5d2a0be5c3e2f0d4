// Two ways to put a bright picture in the place of each of a track's.

const HIDDEN_TICK_MS = 33; // between pictures of a page that is hidden

/**
 * Calls `paint` for pictures, as `Painter.paint` is called.
 * @typedef {import("./painter.js").Painter} Painter
 * @typedef {{ track: MediaStreamTrack, close: () => void }} Stream
 */

/**
 * Frame by frame, where the browser has `MediaStreamTrackProcessor` in pages (Chromium): no frame
 * waits, and hidden pages go on.
 * @param {MediaStreamTrack} source
 * @param {Painter} painter
 * @param {(spentMs: number, width: number, height: number) => void} onPicture
 * @returns {Stream}
 */
export function throughFrames(source, painter, onPicture) {
  const processor = new MediaStreamTrackProcessor({ track: source });
  const generator = new MediaStreamTrackGenerator({ kind: "video" });
  /** @param {VideoFrame} frame */
  const brightened = (frame) => {
    const begunMs = performance.now();
    const { displayWidth, displayHeight, timestamp, duration } = frame;
    const painted = painter.paint(frame, displayWidth, displayHeight, begunMs);
    const bright = typeof painted === "string"
      ? null
      : new VideoFrame(painted, { timestamp, duration: duration ?? undefined, alpha: "discard" });
    onPicture(performance.now() - begunMs, displayWidth, displayHeight);
    if (painted === "as it is") return frame;
    frame.close();
    return bright;
  };
  const ending = new AbortController();
  processor.readable
    .pipeThrough(new TransformStream({
      transform(frame, controller) {
        const bright = brightened(frame);
        if (bright) controller.enqueue(bright);
      },
    }))
    .pipeTo(generator.writable, { preventClose: true, signal: ending.signal })
    .catch(() => {}); // the track was stopped
  return { track: generator, close: () => ending.abort() };
}

/**
 * By a video and a canvas, in all other browsers. In a hidden page, whose videos call nobody, the
 * light's worker keeps time.
 * @param {MediaStreamTrack} source
 * @param {Painter} painter
 * @param {MessagePort} light
 * @param {(spentMs: number, width: number, height: number) => void} onPicture
 * @returns {Stream}
 */
export function throughCanvas(source, painter, light, onPicture) {
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  video.srcObject = new MediaStream([source]);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("this browser has no canvas to draw on");
  const draw = () => {
    const { videoWidth: width, videoHeight: height } = video;
    if (width === 0) return;
    const begunMs = performance.now();
    const painted = painter.paint(video, width, height, begunMs);
    if (painted === "hold") return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.drawImage(painted === "as it is" ? video : painted, 0, 0);
    onPicture(performance.now() - begunMs, width, height);
  };
  let handle = 0;
  const follow = () => {
    handle = video.requestVideoFrameCallback(follow);
    if (!document.hidden) draw();
  };
  const pace = () => light.postMessage({ tickMs: document.hidden ? HIDDEN_TICK_MS : 0 });
  /** @param {MessageEvent} event */
  const tick = ({ data }) => {
    if (data.tick && document.hidden) draw();
  };
  follow();
  pace();
  document.addEventListener("visibilitychange", pace);
  light.addEventListener("message", tick);
  video.play().catch(() => {}); // it plays as soon as the browser lets it
  const [track] = canvas.captureStream().getVideoTracks();
  const close = () => {
    document.removeEventListener("visibilitychange", pace);
    light.removeEventListener("message", tick);
    video.cancelVideoFrameCallback(handle);
    video.srcObject = null;
  };
  return { track, close };
}
