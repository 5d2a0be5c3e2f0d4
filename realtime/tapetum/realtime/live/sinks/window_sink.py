"""A preview window, by OpenCV."""

from __future__ import annotations

from collections.abc import Callable

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.sinks.bgr import BgrConverter
from tapetum.realtime.live.sinks.window_toolkit import window_toolkit

_TITLE = "Tapetum"


class WindowSink:
    """A `FrameSink` that shows frames and turns keys and the mouse into `Controls`.

    Windows belong to the main thread: write to it from there.
    """

    def __init__(self, controls: Controls, caption: Callable[[], str]) -> None:
        """Check that there can be a window; it opens with the first frame.

        Args:
            controls: changed by keys, and by the mouse while the view is `wipe`.
            caption: the line that is drawn over each frame.

        Raises:
            MediaError: there can be no window; see `window_toolkit`.
        """
        self._cv2 = window_toolkit()
        self._controls = controls
        self._caption = caption
        self._converter = BgrConverter()
        self._width = 0

    def write(self, frame: Frame) -> None:
        """Show one frame, and take the keys that were pressed.

        Raises:
            MediaError: the display is gone.
        """
        cv2 = self._cv2
        image = self._converter(frame)
        for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):  # readable on anything
            cv2.putText(image, self._caption(), (8, 20), 0, 0.5, color, thickness, cv2.LINE_AA)
        try:
            if not self._width:
                self._open(frame)
            cv2.imshow(_TITLE, image)
            self._take_keys()
        except cv2.error as error:
            raise MediaError("the preview window is gone, or cannot be shown") from error

    def close(self) -> None:
        """Close the window; calling it again does nothing."""
        if self._width:
            self._cv2.destroyAllWindows()
        self._width = 0

    def discard(self) -> None:
        """Close the window."""
        self.close()

    def _open(self, frame: Frame) -> None:
        cv2 = self._cv2
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        cv2.resizeWindow(_TITLE, frame.width, frame.height)
        cv2.setMouseCallback(_TITLE, self._follow_mouse)
        self._width = frame.width

    def _take_keys(self) -> None:
        cv2 = self._cv2
        key = cv2.pollKey() & 0xFF
        if key != 0xFF:
            self._controls.press(chr(key))
        if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:  # closed by its button
            self._controls.quit = True

    def _follow_mouse(self, _event: int, x: int, _y: int, _flags: int, _data: object) -> None:
        self._controls.divider = min(1.0, max(0.0, x / self._width)) if self._width else 0.5
