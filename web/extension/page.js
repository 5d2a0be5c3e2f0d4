// Runs in the page: gives it a bright camera in the place of its own.
//
// Not a module, because it must be there before the page's first script; the modules come when the
// page asks for a camera. Whatever goes wrong, the page gets its own camera.

(() => {
  const ANSWER_MS = 2000; // so long the extension has to answer
  const REPORT_MS = 500;
  const mark = Symbol.for("tapetum");
  if (!navigator.mediaDevices || Object.hasOwn(navigator.mediaDevices, mark)) return;
  Object.defineProperty(navigator.mediaDevices, mark, { value: true });

  /** @typedef {typeof import("../brighten/brighten.js")} Module */
  /** @typedef {{ brighten: Module["brighten"], settings: import("../brighten/brighten.js").Settings, bridge: MessagePort }} Extension */

  /** @type {Promise<Extension> | null} */
  let extension = null;

  /** @returns {Promise<Extension>} */
  const findExtension = () =>
    new Promise((resolve, reject) => {
      /** @param {MessageEvent} event */
      const hear = async ({ source, data, ports: [bridge] }) => {
        if (source !== window || data?.tapetum !== "here") return;
        removeEventListener("message", hear);
        const { settings } = data;
        bridge.onmessage = ({ data: news }) => Object.assign(settings, news.settings);
        try {
          /** @type {Module} */
          const { brighten } = await import(data.module);
          resolve({ brighten, settings, bridge });
        } catch (error) {
          bridge.postMessage({ report: { problem: String(error) } });
          reject(error);
        }
      };
      addEventListener("message", hear);
      postMessage({ tapetum: "where" }, origin);
      setTimeout(() => reject(new Error("the extension does not answer")), ANSWER_MS);
    });

  /** @param {MediaStream} stream */
  const brightenStream = async (stream) => {
    const [camera] = stream.getVideoTracks();
    if (!camera) return;
    extension ??= findExtension();
    const { brighten, settings, bridge } = await extension;
    const light = () => {
      const { port1, port2 } = new MessageChannel();
      bridge.postMessage({ light: true }, [port2]);
      return port1;
    };
    let reportedMs = -Infinity;
    let pictures = 0;
    /** @param {import("../brighten/brighten.js").Report} report */
    const onPicture = (report) => {
      pictures += 1;
      const passedMs = performance.now() - reportedMs;
      if (passedMs < REPORT_MS) return;
      bridge.postMessage({ report: { ...report, fps: (1000 * pictures) / passedMs } });
      reportedMs = performance.now();
      pictures = 0;
    };
    const bright = brighten(camera, settings, { light, onPicture });
    stream.removeTrack(camera);
    stream.addTrack(bright);
  };

  const own = MediaDevices.prototype.getUserMedia;
  /** @this {MediaDevices} @param {MediaStreamConstraints} [constraints] */
  MediaDevices.prototype.getUserMedia = async function getUserMedia(constraints) {
    const stream = await own.call(this, constraints);
    try {
      await brightenStream(stream);
    } catch {
      extension = null; // the page has its own camera, and the next one is tried again
    }
    return stream;
  };

  // The browser's own would copy what is inside bright tracks, not the tracks that the page sees.
  MediaStream.prototype.clone = function clone() {
    return new MediaStream(this.getTracks().map((track) => track.clone()));
  };
})();
