// Files to enhance: sent to the server, followed, downloaded, thrown away.

import { withToken } from "./link.js";

const MB = 1_000_000;
const VIDEOS = [".mp4", ".mkv", ".mov", ".webm"];

/** The list of files. `look()` gives how a new file is enhanced. */
export class Files {
  #link;
  #list;
  #template;
  #chooser;
  #look;
  #announce;
  #session = null;
  #uploadBytes = 0;
  #items = new Map(); // from the server's name of a file to its element

  constructor({ link, list, template, chooser, look, announce }) {
    this.#link = link;
    this.#list = list;
    this.#template = template;
    this.#chooser = chooser;
    this.#look = look;
    this.#announce = announce;
    link.addEventListener("welcome", ({ detail }) => {
      this.#session = detail.session;
      this.#uploadBytes = detail.upload_bytes;
      document.getElementById("files-hint").textContent =
        `It is enhanced as is set above. Up to ${(detail.upload_bytes / MB).toFixed(0)} MB.`;
    });
    link.addEventListener("file", ({ detail }) => this.#follow(detail));
    link.addEventListener("gone", () => this.#lose());
  }

  /** Sends files, one request for each. */
  add(files) {
    for (const file of files) this.#send(file);
  }

  #send(file) {
    const item = this.#template.content.cloneNode(true).querySelector(".file");
    item.querySelector(".file-name").textContent = file.name;
    item.querySelector(".file-name").title = file.name;
    item.querySelector(".file-progress").setAttribute("aria-label", `Progress of ${file.name}`);
    item.querySelector(".file-remove").setAttribute("aria-label", `Remove ${file.name}`);
    this.#list.prepend(item);
    const request = new XMLHttpRequest(); // fetch does not tell how much it has sent
    item.querySelector(".file-remove").onclick = () => this.#remove(item, request);
    if (file.size > this.#uploadBytes) {
      fail(item, `It is too large: ${(this.#uploadBytes / MB).toFixed(0)} MB are the most.`);
    } else if (!this.#link.open) {
      fail(item, "The server is not there. Send it again when it is back.");
    } else {
      this.#upload(item, file, request);
    }
  }

  #upload(item, file, request) {
    const look = new URLSearchParams(this.#look());
    request.open("POST", withToken(`/session/${this.#session}/files?${look}`));
    request.upload.onprogress = ({ loaded, total }) => show(item, "sending", "Sending", loaded / total);
    request.onload = () => {
      if (request.status === 200) this.#sent(item, JSON.parse(request.responseText).file);
      else fail(item, request.responseText);
    };
    request.onerror = () => fail(item, "It could not be sent: the connection was cut.");
    show(item, "sending", "Sending", 0);
    request.send(file);
  }

  #sent(item, name) {
    item.dataset.file = name;
    const early = this.#items.get(name); // what was said about it before the answer came
    this.#items.set(name, item);
    if (early) this.#follow(early);
    else show(item, "waiting", "Waiting for its turn");
  }

  #follow(status) {
    const item = this.#items.get(status.file);
    if (!(item instanceof Element)) {
      this.#items.set(status.file, status);
    } else if (status.state === "working") {
      const part = status.total_frames ? status.frames / status.total_frames : undefined;
      show(item, "working", progressText(status), part);
    } else if (status.state === "waiting") {
      show(item, "waiting", "Waiting for its turn");
    } else if (status.state === "failed") {
      fail(item, status.message);
    } else {
      this.#finish(item, status);
    }
  }

  #finish(item, status) {
    const name = item.querySelector(".file-name").textContent;
    show(item, "done", status.message ? `Ready. Note: ${status.message}` : "Ready", 1);
    item.querySelector(".file-progress").hidden = true;
    const download = item.querySelector(".file-download");
    download.href = withToken(`/session/${this.#session}/files/${status.file}`);
    download.download = `${name.replace(/\.[^.]*$/, "")}-bright${status.suffix}`;
    download.setAttribute("aria-label", `Download ${download.download}`);
    download.hidden = false;
    showPreview(item, status.suffix, download.href);
    this.#announce(`${name} is ready to download`);
  }

  #remove(item, request) {
    request.abort();
    if (item.dataset.file) {
      this.#items.delete(item.dataset.file);
      this.#link.say("cancel", { file: item.dataset.file });
    }
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    (next?.querySelector(".file-remove") ?? this.#chooser).focus(); // its button is gone
  }

  /** The server keeps nothing when the connection goes. */
  #lose() {
    for (const item of this.#list.querySelectorAll(".file:not([data-state='failed'])")) {
      item.querySelector(".file-download").hidden = true;
      fail(item, "Lost, because the connection to the server was cut. Send it again.");
    }
    this.#items.clear();
  }
}

function progressText({ frames, total_frames, eta_s }) {
  if (frames === 0) return "Preparing";
  const percent = total_frames ? percentText((100 * frames) / total_frames) : `${frames} pictures`;
  const left = eta_s === null ? "" : `, ${duration(eta_s)} left`;
  return `Enhancing: ${percent}${left}`;
}

/** Of a long film a hundredth takes long, and a figure that stands still looks like an end. */
function percentText(percent) {
  const digits = percent < 10 ? 10 : 1;
  return `${Math.floor(digits * percent) / digits} %`;
}

function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

function show(item, state, text, part) {
  item.dataset.state = state;
  item.querySelector(".file-state").textContent = text;
  const bar = item.querySelector(".file-progress");
  if (part === undefined) bar.removeAttribute("value");
  else bar.value = part;
}

function fail(item, text) {
  show(item, "failed", text, 0);
  item.querySelector(".file-progress").hidden = true;
}

/** Shows what came of a file, so that nobody downloads what they do not want. */
function showPreview(item, suffix, url) {
  const isVideo = VIDEOS.includes(suffix);
  const picture = document.createElement(isVideo ? "video" : "img");
  if (isVideo) Object.assign(picture, { controls: true, preload: "metadata", playsInline: true });
  else picture.alt = "The enhanced photo";
  const box = item.querySelector(".file-preview");
  picture.onerror = () => { box.hidden = true; }; // a codec that this browser has not
  picture.src = url;
  box.replaceChildren(picture);
  box.hidden = false;
}
