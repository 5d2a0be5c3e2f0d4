// The browser's cameras, and what to tell the user when there is none.

const SERVER = "server";
const ANY = "browser";

/** Fills the list of cameras: those of this device, and the server's if it has one. */
export async function fillCameras(select, serverCamera) {
  const chosen = select.value;
  const here = await localCameras();
  const groups = [group("This device", here)];
  if (serverCamera) groups.push(group("The server", [[SERVER, serverCamera]]));
  select.replaceChildren(...groups);
  const values = [...select.options].map((option) => option.value);
  const first = serverCamera ? SERVER : values[0]; // who started the server with one wants that one
  select.value = values.includes(chosen) ? chosen : first;
}

function group(label, cameras) {
  const element = document.createElement("optgroup");
  element.label = label;
  element.append(...cameras.map(([value, text]) => new Option(text, value)));
  return element;
}

/** Pairs of value and text; browsers tell names only after a camera was allowed once. */
async function localCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const named = devices.filter((device) => device.kind === "videoinput" && device.label);
  if (named.length === 0) return [[ANY, "Camera of this browser"]];
  return named.map((device) => [`${ANY}:${device.deviceId}`, device.label]);
}

export function isServerCamera(value) {
  return value === SERVER;
}

/** Opens a camera of this device. Throws a `Problem` that says what the user can do. */
export async function openCamera(value, size) {
  if (!navigator.mediaDevices?.getUserMedia) throw PROBLEMS.InsecureContext;
  const [width, height] = size.split("x").map(Number);
  const video = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } };
  const deviceId = value.slice(ANY.length + 1);
  if (deviceId) video.deviceId = { exact: deviceId };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    throw PROBLEMS[error.name] ?? new Problem("The camera cannot be opened", error.message);
  }
}

/** Something that the user can mend: a title, and a text that says how. */
export class Problem extends Error {
  constructor(title, text) {
    super(text);
    this.title = title;
  }
}

const PROBLEMS = {
  InsecureContext: new Problem(
    "This browser keeps its camera to itself",
    "It gives it only to pages of this machine or over https. Open the page on the machine that "
      + "runs Tapetum, or choose the server's camera.",
  ),
  NotAllowedError: new Problem(
    "The camera is blocked",
    "Allow the camera for this page: click the icon beside the address, then try again.",
  ),
  NotFoundError: new Problem(
    "There is no camera",
    "Plug one in and try again, or choose another one in the list.",
  ),
  NotReadableError: new Problem(
    "The camera is busy",
    "Another program uses it. Close that one, then try again.",
  ),
  OverconstrainedError: new Problem(
    "That camera is not there any more",
    "Choose another one in the list, then try again.",
  ),
};
