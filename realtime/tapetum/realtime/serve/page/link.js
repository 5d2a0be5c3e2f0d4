// The WebSocket to the server: it carries wishes up and status down, and comes back by itself.

const PAUSES_MS = [500, 1000, 2000, 4000];
const PING_EVERY_MS = 2000;
const ROUND_TRIPS_KEPT = 8;

/** Adds the token of this page's address, if it has one, to a path of the server. */
export function withToken(path) {
  const token = new URLSearchParams(location.search).get("token");
  if (token === null) return path;
  return `${path}${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`;
}

/**
 * Gives an event for each type of message, whose `detail` is the message; also "gone" when the
 * connection is lost, and "refused" when the server is there but does not let this page in.
 */
export class Link extends EventTarget {
  #socket = null;
  #attempts = 0;
  #pings = [];
  #question = null; // { answer, stream, resolve, reject } while an answer is waited for

  /** Whether the server is there. */
  open = false;

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${withToken("/session")}`);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.#hear(JSON.parse(data));
      else this.dispatchEvent(new MessageEvent("bytes", { data }));
    };
    socket.onclose = () => this.#lost();
  }

  /** Says something, if there is anyone to hear it. */
  say(type, fields = {}) {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ type, ...fields }));
    }
  }

  /** Sends bytes, if there is anyone to take them; what comes back is told by the event "bytes". */
  sendBytes(bytes) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  /** Says something of a `stream` and waits for its message of type `answer`, or for a refusal. */
  ask(type, fields, answer) {
    this.#settle("reject", new Error("Something else was asked for."));
    return new Promise((resolve, reject) => {
      this.#question = { answer, stream: fields.stream, resolve, reject };
      this.say(type, fields);
    });
  }

  /** What to add to the server's clock to get this browser's, in ms; null before the first answer. */
  get clockOffsetMs() {
    if (this.#pings.length === 0) return null;
    return this.#pings.reduce((best, ping) => (ping.roundTripMs < best.roundTripMs ? ping : best)).offsetMs;
  }

  #hear(message) {
    if (message.type === "welcome") this.#welcomed();
    if (message.type === "pong") this.#ponged(message);
    else if (this.#question && message.stream === this.#question.stream) this.#answer(message);
    else this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }

  #answer(message) {
    if (message.type === this.#question.answer) this.#settle("resolve", message);
    else this.#settle("reject", new Error(message.message)); // a problem, or the picture's end
  }

  #settle(how, value) {
    this.#question?.[how](value);
    this.#question = null;
  }

  #welcomed() {
    this.open = true;
    this.#attempts = 0;
    this.#pings = [];
    this.#ping(this.#socket);
  }

  #ping(socket) {
    if (socket.readyState !== WebSocket.OPEN) return;
    this.say("ping", { sent_ms: nowMs() });
    setTimeout(() => this.#ping(socket), PING_EVERY_MS);
  }

  /** The server's time belongs to the middle of the round trip, as in NTP. */
  #ponged({ sent_ms, server_ms }) {
    const roundTripMs = nowMs() - sent_ms;
    this.#pings.push({ roundTripMs, offsetMs: sent_ms + roundTripMs / 2 - server_ms });
    if (this.#pings.length > ROUND_TRIPS_KEPT) this.#pings.shift();
  }

  #lost() {
    this.open = false;
    this.#settle("reject", new Error("The server is gone."));
    this.dispatchEvent(new CustomEvent("gone"));
    const pauseMs = PAUSES_MS[Math.min(this.#attempts, PAUSES_MS.length - 1)];
    this.#attempts += 1;
    setTimeout(() => this.connect(), pauseMs);
    this.#askWhy();
  }

  /** A WebSocket does not tell why it was refused; a plain request does. */
  async #askWhy() {
    const answer = await fetch(withToken("/"), { cache: "no-store" }).catch(() => null);
    if (answer?.status !== 403) return;
    this.dispatchEvent(new CustomEvent("refused", { detail: { message: await answer.text() } }));
  }
}

/** Time since 1970 in ms, as exact as `performance.now()`. */
export function nowMs() {
  return performance.timeOrigin + performance.now();
}
