// Each picture of a video as it is shown, with the time at which the camera took it.

const RTP_PER_MS = 90;
const OLDEST_MS = 10_000;

/** Tells when the pictures of a WebRTC video were captured, by this browser's clock. */
export class CaptureClock {
  #reading = null;
  #offsetMs = 0;

  /**
   * Takes what the server says: the RTP time stamp `pts` was captured at `time_ms`, by a clock to
   * which `offsetMs` is to be added.
   */
  set(reading, offsetMs) {
    this.#reading = reading;
    this.#offsetMs = offsetMs;
  }

  /** When a picture was captured, in ms since 1970, or null while that is not known. */
  capturedMs({ rtpTimestamp }) {
    if (this.#reading === null || rtpTimestamp === undefined) return null;
    const sinceMs = ((rtpTimestamp - this.#reading.pts) | 0) / RTP_PER_MS; // both are 32 bits wide
    return this.#reading.time_ms + sinceMs + this.#offsetMs;
  }
}

/** The clock of this device's own camera. */
export const localClock = {
  capturedMs: ({ captureTime, presentationTime }) =>
    performance.timeOrigin + (captureTime ?? presentationTime),
};

/**
 * Calls `onFrame({ capturedMs, ageMs, shownMs })` for each picture that `video` shows, until the
 * function that it returns is called. Ages are from capture to display, and null where unknown.
 */
export function followFrames(video, clock, onFrame) {
  if (!video.requestVideoFrameCallback) return () => {};
  let handle = 0;
  const shown = (_now, metadata) => {
    handle = video.requestVideoFrameCallback(shown);
    const shownMs = performance.timeOrigin + metadata.expectedDisplayTime;
    const capturedMs = clock.capturedMs(metadata);
    const ageMs = capturedMs === null ? null : shownMs - capturedMs;
    const believable = ageMs !== null && ageMs > 0 && ageMs < OLDEST_MS;
    onFrame({ capturedMs, shownMs, ageMs: believable ? ageMs : null });
  };
  handle = video.requestVideoFrameCallback(shown);
  return () => video.cancelVideoFrameCallback(handle);
}
