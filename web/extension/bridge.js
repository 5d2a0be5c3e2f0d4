// Between the page and the extension: says what is set, and opens ways to the network.

(() => {
  const browserApi = globalThis.browser ?? chrome;
  /** @type {MessagePort[]} */
  const pages = [];
  const frame = document.createElement("iframe");
  /** @type {Promise<Window> | null} */
  let light = null;
  /** @type {{ atMs: number, report: object } | null} */
  let newest = null; // of a camera that is in use

  /** An invisible frame of the extension: the network runs there, in a process of its own. */
  const openLight = () =>
    new Promise((resolve, reject) => {
      frame.src = browserApi.runtime.getURL("extension/light.html");
      frame.hidden = true;
      frame.onload = () => resolve(frame.contentWindow);
      frame.onerror = reject;
      document.documentElement.append(frame);
    });

  const settings = async () => {
    /** @type {import("./sites.js").Kept} */
    const { sites = [], ...rest } = await browserApi.storage.local.get();
    return { ...rest, on: sites.includes(origin) };
  };

  addEventListener("message", async ({ source, data }) => {
    if (source !== window || data?.tapetum !== "where") return;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = async ({ data: said, ports }) => {
      if (said.report) newest = { atMs: Date.now(), report: said.report };
      if (!said.light) return;
      if (!light || !frame.isConnected) light = openLight(); // the page may have removed it
      (await light).postMessage("light", browserApi.runtime.getURL("").replace(/\/$/, ""), [...ports]);
    };
    pages.push(port1);
    const module = browserApi.runtime.getURL("brighten/brighten.js");
    postMessage({ tapetum: "here", module, settings: await settings() }, origin, [port2]);
  });

  browserApi.storage.onChanged.addListener(async () => {
    const now = await settings();
    for (const page of pages) page.postMessage({ settings: now });
  });

  browserApi.runtime.onMessage.addListener((message, _sender, answer) => {
    if (message === "report" && newest) answer(newest);
  });
})();
