// Where else the picture can be seen: on the full screen, and in a window over all others.

/** Lets a button fill the screen with an element, where the browser can. */
export function offerFullScreen(button, element) {
  button.hidden = !document.fullscreenEnabled;
  button.addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else element.requestFullscreen().catch(() => {}); // the user may refuse
  });
  document.addEventListener("fullscreenchange", () => {
    const full = document.fullscreenElement === element;
    button.setAttribute("aria-pressed", String(full));
    button.title = full ? "Leave the full screen" : "Full screen";
  });
}

/** Lets a button show the video that `asVideo()` gives in a window of its own, where that can be. */
export function offerOwnWindow(button, asVideo) {
  button.hidden = !document.pictureInPictureEnabled;
  button.addEventListener("click", async () => {
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    const video = await asVideo();
    return video.requestPictureInPicture().catch(() => {}); // the user may refuse
  });
}
