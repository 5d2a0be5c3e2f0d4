"""Starts OpenCV's windows, which must happen before PyAV is imported.

OpenCV's Qt and PyAV bring X libraries of the same names. Where PyAV's are loaded first, Qt waits
for the display for ever; where a window has been open before, both work.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

from tapetum.realtime.errors import MediaError
from tapetum.realtime.live.sinks.x_display import check_display

_FIRST = "Tapetum starts"
_QUIET = "default.warning=false"
"""OpenCV's Qt has no fonts, and says so eight times; the text in our window is OpenCV's own."""


@cache
def window_toolkit() -> Any:  # noqa: ANN401 - an optional package
    """OpenCV, ready to open windows.

    Raises:
        MediaError: OpenCV or a display is missing, or PyAV was imported before the first call.
    """
    try:
        import cv2
    except ImportError:
        raise MediaError(
            "a window needs OpenCV: pip install 'tapetum[live]', or choose another --sink"
        ) from None
    check_display()
    if "av" in sys.modules:
        raise MediaError(
            "a window cannot be opened after PyAV was imported: call "
            "tapetum.realtime.live.sinks.window_toolkit.window_toolkit() before everything else"
        )
    os.environ.setdefault("QT_LOGGING_RULES", _QUIET)
    cv2.namedWindow(_FIRST)
    cv2.destroyWindow(_FIRST)
    return cv2
