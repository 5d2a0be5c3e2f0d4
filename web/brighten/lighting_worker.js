// The worker that makes grids: one network for all streams, each of which has a port of its own.
//
// A stream's port takes { roots, timeS, aim, strength } and answers { grid, by, lift, problem }; it
// takes { tickMs } and then says { tick } so often, where a page's own timers are held back; 0 ends
// that.

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
  const lighting = new Lighting();
  loading.then(
    (loaded) => { lighting.network = loaded; },
    (error) => { lighting.problem = String(error); },
  );
  let ticking = 0;
  port.onmessage = ({ data }) => {
    if ("tickMs" in data) {
      clearInterval(ticking);
      ticking = data.tickMs > 0 ? Number(setInterval(() => port.postMessage({ tick: true }), data.tickMs)) : 0;
    } else {
      turn = turn.then(() => answer(port, lighting, data));
    }
  };
}

/**
 * @param {MessagePort} port
 * @param {Lighting} lighting
 * @param {{ roots: Uint8Array, timeS: number, aim: import("./lighting.js").Aim, strength: number }} question
 */
async function answer(port, lighting, { roots, timeS, aim, strength }) {
  const grid = await lighting.grid(roots, timeS, aim, strength);
  // Of this very grid: nothing else runs before the answer is sent.
  const { lift, problem, network } = lighting;
  port.postMessage({ grid, by: network?.description ?? "", lift, problem }, [grid.buffer]);
}
