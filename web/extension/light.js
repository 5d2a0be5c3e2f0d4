// The extension's frame in a page: hands each stream's port on to the network's worker.

const worker = new Worker("../brighten/lighting_worker.js", { type: "module" });
const parts = {
  model: new URL("../brighten/grid.onnx", import.meta.url).href,
  runtime: new URL("../onnxruntime/ort.wasm.bundle.min.mjs", import.meta.url).href,
  gpuRuntime: new URL("../onnxruntime/ort.webgpu.bundle.min.mjs", import.meta.url).href,
};

addEventListener("message", ({ data, ports }) => {
  if (data === "light" && ports.length === 1) worker.postMessage(parts, [...ports]);
});
