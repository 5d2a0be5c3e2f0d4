// The divider between before and after: moved by pointer and keys, and read out by screen readers.

const STEPS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 };

/** Makes the divider of `view` movable; its place is the CSS variable `--wipe`. */
export function makeWipe(view, handle) {
  const move = (percent) => {
    const place = Math.min(100, Math.max(0, percent));
    view.style.setProperty("--wipe", `${place}%`);
    handle.setAttribute("aria-valuenow", String(Math.round(place)));
    handle.setAttribute("aria-valuetext", `${Math.round(place)} percent original`);
  };
  const moveTo = (event) => {
    const box = view.getBoundingClientRect();
    move((100 * (event.clientX - box.left)) / box.width);
  };
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    handle.focus();
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) moveTo(event);
  });
  view.addEventListener("click", (event) => {
    if (event.target.matches("video, canvas")) moveTo(event);
  });
  handle.addEventListener("keydown", (event) => {
    const ends = { Home: 0, End: 100 };
    const now = Number(handle.getAttribute("aria-valuenow"));
    const place = ends[event.key] ?? (event.key in STEPS ? now + STEPS[event.key] : null);
    if (place === null) return;
    event.preventDefault();
    move(place);
  });
}
