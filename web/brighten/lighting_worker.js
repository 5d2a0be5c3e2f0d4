// The worker that makes grids: one network for all streams, each of which has a port of its own.
//
// A stream's port takes { roots, timeS, aim } and answers { grid, by, lift } or { failed }; it takes
// { tickMs } and then says { tick } so often, where a page's own timers are held back; 0 ends that.

import { Lighting } from "./lighting.js";
import { Network } from "./network.js";

/** @type {Promise<Network> | null} */
let network = null;
/** @type {Promise<unknown>} */
let turn = Promise.resolve(); // a session runs one picture at a time

/** @param {MessageEvent<import("./network.js").Parts>} event */
self.onmessage = ({ data, ports: [port] }) => {
  network ??= Network.load(data);
  serve(port, network);
};

/**
 * @param {MessagePort} port
 * @param {Promise<Network>} loading
 */
function serve(port, loading) {
  const lighting = loading.then((loaded) => new Lighting(loaded));
  let ticking = 0;
  lighting.catch((error) => port.postMessage({ failed: String(error) }));
  port.onmessage = ({ data }) => {
    if ("tickMs" in data) {
      clearInterval(ticking);
      ticking = data.tickMs > 0 ? Number(setInterval(() => port.postMessage({ tick: true }), data.tickMs)) : 0;
    } else {
      turn = turn.then(() => answer(port, loading, lighting, data));
    }
  };
}

/**
 * @param {MessagePort} port
 * @param {Promise<Network>} loading
 * @param {Promise<Lighting>} lighting
 * @param {{ roots: Uint8Array, timeS: number, aim: import("./lighting.js").Aim }} question
 */
async function answer(port, loading, lighting, { roots, timeS, aim }) {
  try {
    const loaded = await lighting;
    const grid = await loaded.grid(roots, timeS, aim);
    const { lift } = loaded; // of this very grid: nothing else runs before the answer is sent
    port.postMessage({ grid, by: (await loading).description, lift }, [grid.buffer]);
  } catch (error) {
    port.postMessage({ failed: String(error) });
  }
}
