"""A preview window, by OpenCV."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.sinks.bgr import BgrConverter, BgrImage
from tapetum.realtime.live.sinks.window_toolkit import window_toolkit

_TITLE = "Tapetum"
_LARGEST = (1280, 720)
"""Pixels across and down that the window has at first, at most; it can be made any size."""
_NARROWEST = 480
"""And across at least, where it has room: the caption is read there, too."""
_CAPTION_S = 0.25
"""How often the caption follows what it tells about."""
_LINE, _TEXT, _MARGIN = 22, 15, 10
"""Pixels: from line to line, height of the text, and to its left."""
_WEIGHT = 400
_WHITE = (255, 255, 255)


class WindowSink:
    """A `FrameSink` that shows frames and turns keys and the mouse into `Controls`.

    The caption is drawn at the window's own resolution, below the picture's middle, whatever the
    size of the frames. Windows belong to the main thread: write to it from there.
    """

    def __init__(self, controls: Controls, caption: Callable[[], str]) -> None:
        """Check that there can be a window; it opens with the first frame.

        Args:
            controls: changed by keys, and by the mouse while the view is `wipe`.
            caption: a line about the stream, shown above one about the controls.

        Raises:
            MediaError: there can be no window; see `window_toolkit`.
        """
        self._cv2 = window_toolkit()
        self._controls = controls
        self._caption = _Caption(self._cv2, caption, controls)
        self._converter = BgrConverter()
        self._open = False
        self._width = 0

    def write(self, frame: Frame) -> None:
        """Show one frame, and take the keys that were pressed.

        Raises:
            MediaError: the display is gone.
        """
        cv2 = self._cv2
        try:
            if not self._open:
                self._show_window(frame)
            image = self._fitted(self._converter(frame))
            self._caption.draw_on(image)
            self._width = image.shape[1]
            cv2.imshow(_TITLE, image)
            self._take_keys()
        except cv2.error as error:
            raise MediaError("the preview window is gone, or cannot be shown") from error

    def close(self) -> None:
        """Close the window; calling it again does nothing."""
        if self._open:
            self._cv2.destroyAllWindows()
        self._open = False

    def discard(self) -> None:
        """Close the window."""
        self.close()

    def _show_window(self, frame: Frame) -> None:
        cv2 = self._cv2
        # WINDOW_GUI_NORMAL: without OpenCV's tool bar, which takes its place from the picture.
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        scale = max(1.0, _NARROWEST / frame.width)
        scale = min(scale, _LARGEST[0] / frame.width, _LARGEST[1] / frame.height)
        cv2.resizeWindow(_TITLE, round(scale * frame.width), round(scale * frame.height))
        cv2.setMouseCallback(_TITLE, self._follow_mouse)
        self._open = True

    def _fitted(self, image: BgrImage) -> BgrImage:
        """The picture as large as the window has room for, so that nothing scales the caption."""
        cv2 = self._cv2
        _, _, width, height = cv2.getWindowImageRect(_TITLE)
        if width <= 0 or height <= 0:  # minimised
            return image
        scale = min(width / image.shape[1], height / image.shape[0])
        size = max(1, round(scale * image.shape[1])), max(1, round(scale * image.shape[0]))
        if size == (image.shape[1], image.shape[0]):
            return image
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        fitted: BgrImage = cv2.resize(image, size, interpolation=way)
        return fitted

    def _take_keys(self) -> None:
        cv2 = self._cv2
        key = cv2.pollKey() & 0xFF
        if key != 0xFF:
            self._controls.press(chr(key))
        if self._is_closed():
            self._controls.quit = True

    def _is_closed(self) -> bool:
        """Whether the window, just shown, was closed by its button."""
        cv2 = self._cv2
        try:
            return bool(cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1)
        except cv2.error:  # Qt's, once its only window is closed
            return True

    def _follow_mouse(self, _event: int, x: int, _y: int, _flags: int, _data: object) -> None:
        self._controls.divider = min(1.0, max(0.0, x / self._width)) if self._width else 0.5


class _Caption:
    """Lines at the lower edge: about the stream, and about the controls; broken where they must be.

    The text is drawn anew only when it, or the width of the picture, has changed.
    """

    def __init__(self, cv2: Any, line: Callable[[], str], controls: Controls) -> None:  # noqa: ANN401
        self._cv2 = cv2
        self._line = line
        self._controls = controls
        self._font = cv2.FontFace("sans")
        self._stream_line = ""
        self._read_s = 0.0
        self._drawn: tuple[int, str, str] | None = None
        self._band: BgrImage = np.zeros((0, 0, 3), np.uint8)

    def draw_on(self, image: BgrImage) -> None:
        """Draw the lines over the lower edge, which is made darker."""
        now_s = time.monotonic()
        if now_s - self._read_s >= _CAPTION_S:
            self._read_s, self._stream_line = now_s, self._line()
        wanted = image.shape[1], self._stream_line, self._controls.words
        if wanted != self._drawn:
            self._drawn, self._band = wanted, self._band_of(*wanted)
        place = image[-self._band.shape[0] :]
        np.maximum(place // 3, self._band[: place.shape[0]], out=place)

    def _band_of(self, width: int, *lines: str) -> BgrImage:
        rows = [row for line in lines for row in self._broken(line, width - 2 * _MARGIN)]
        band: BgrImage = np.zeros((_LINE * len(rows) + _MARGIN, width, 3), np.uint8)
        for index, row in enumerate(rows):
            place = _MARGIN, _LINE * (index + 1)
            self._cv2.putText(band, row, place, _WHITE, self._font, _TEXT, _WEIGHT)
        return band

    def _broken(self, line: str, width: int) -> list[str]:
        """A line as rows of so many pixels, broken between words."""
        rows = [""]
        for word in line.split():
            longer = f"{rows[-1]} {word}".lstrip()
            if rows[-1] and self._width_of(longer) > width:
                rows.append(word)
            else:
                rows[-1] = longer
        return rows

    def _width_of(self, text: str) -> int:
        box = self._cv2.getTextSize((0, 0), text, (0, 0), self._font, _TEXT, _WEIGHT)
        return int(box[0] + box[2])
