// The network that gives grids, by onnxruntime-web: on the graphics by WebGPU where the browser has
// them, else on the processor by WebAssembly, which also goes on where the graphics fail.

const SIDE = 256;
const GRID_SIZE = 8 * 8 * 16 * 16;

/**
 * Where the parts of the network lie.
 * @typedef {object} Parts
 * @property {string} model the address of an ONNX file that gives grids
 * @property {string} runtime the address of onnxruntime-web's `ort.wasm.bundle.min.mjs`
 * @property {string} [gpuRuntime] that of its `ort.webgpu.bundle.min.mjs`; without it the network
 *   runs on the processor
 *
 * @typedef {typeof import("onnxruntime-web/wasm")} Runtime
 * @typedef {"WebGPU" | "WebAssembly"} Provider
 * @typedef {{ runtime: Runtime, session: import("onnxruntime-web/wasm").InferenceSession, provider: Provider }} Loaded
 */

/** A network, which runs one picture at a time. */
export class Network {
  #parts;
  #loaded;
  #fault = "";

  /**
   * Made by `Network.load`.
   * @param {Parts} parts
   * @param {Loaded} loaded
   */
  constructor(parts, loaded) {
    this.#parts = parts;
    this.#loaded = loaded;
  }

  /**
   * Loads the network, and lets the graphics run it once: what they cannot do shows then.
   * @param {Parts} parts
   * @param {Provider} [provider] what runs it; by default what this browser is best at
   * @returns {Promise<Network>}
   */
  static async load(parts, provider) {
    provider ??= parts.gpuRuntime && (await hasGraphics()) ? "WebGPU" : "WebAssembly";
    if (provider === "WebAssembly") return new Network(parts, await loaded(parts, provider));
    try {
      const network = new Network(parts, await loaded(parts, provider));
      await network.run(new Float32Array(3 * SIDE * SIDE));
      return network;
    } catch (error) {
      const network = await Network.load(parts, "WebAssembly");
      network.#fault = String(error);
      return network;
    }
  }

  /** What runs it, and why WebGPU does not where that was tried. */
  get description() {
    const { provider } = this.#loaded;
    return this.#fault ? `${provider}, because WebGPU failed: ${this.#fault}` : provider;
  }

  /**
   * The grid of a picture.
   * @param {Float32Array} thumbnail planes of red, green and blue of 256x256 in [0, 1]
   * @returns {Promise<Float32Array<ArrayBuffer>>} coefficient, luma level, row, column
   */
  async run(thumbnail) {
    try {
      return await this.#run(thumbnail);
    } catch (error) {
      if (this.#loaded.provider === "WebAssembly") throw error;
      this.#fault = String(error);
      this.#loaded = await loaded(this.#parts, "WebAssembly");
      return this.#run(thumbnail);
    }
  }

  /** @param {Float32Array} thumbnail */
  async #run(thumbnail) {
    const { runtime, session } = this.#loaded;
    const input = new runtime.Tensor("float32", thumbnail, [1, 3, SIDE, SIDE]);
    const outputs = await session.run({ [session.inputNames[0]]: input });
    const data = await outputs[session.outputNames[0]].getData();
    if (data.length !== GRID_SIZE) throw new Error("this network gives no grid");
    const grid = Float32Array.from(/** @type {Float32Array} */ (data));
    if (!grid.every(Number.isFinite)) throw new Error("the network's numbers are not finite");
    return grid;
  }
}

/**
 * @param {Parts} parts
 * @param {Provider} provider
 * @returns {Promise<Loaded>}
 */
async function loaded({ model, runtime: processor, gpuRuntime }, provider) {
  const [address, name] = provider === "WebGPU" ? [gpuRuntime, "webgpu"] : [processor, "wasm"];
  /** @type {Runtime} */
  const runtime = await import(/** @type {string} */ (address));
  runtime.env.wasm.numThreads = 1; // enough for it, and allowed on every page
  const session = await runtime.InferenceSession.create(model, { executionProviders: [name] });
  return { runtime, session, provider };
}

/** Whether WebGPU is there, and is not the processor's work in the graphics' place. */
async function hasGraphics() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return false;
  const older = /** @type {{ isFallbackAdapter?: boolean }} */ (/** @type {unknown} */ (adapter));
  return !(adapter.info?.isFallbackAdapter ?? older.isFallbackAdapter);
}
