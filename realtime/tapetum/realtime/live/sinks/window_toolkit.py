"""Starts OpenCV's windows, which must happen before PyAV is imported.

OpenCV's Qt and PyAV bring X libraries of the same names. Where PyAV's are loaded first, Qt waits
for the display for ever; where a window has been open before, both work. And where there is no
display, Qt ends the process, so that the display is asked first.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from functools import cache
from typing import Any

from tapetum.realtime.errors import MediaError

_FIRST = "Tapetum starts"
_QUIET = "default.warning=false"
"""OpenCV's Qt has no fonts, and says so eight times; the text in our window is OpenCV's own."""

_DISPLAY = re.compile(r"(?:unix|(?P<host>[^:]*)):(?P<number>\d+)(?:\.\d+)?")
_FIRST_PORT = 6000
_TIMEOUT_S = 3.0


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
    _check_display()
    if "av" in sys.modules:
        raise MediaError(
            "a window cannot be opened after PyAV was imported: call "
            "tapetum.realtime.live.sinks.window_toolkit.window_toolkit() before everything else"
        )
    os.environ.setdefault("QT_LOGGING_RULES", _QUIET)
    cv2.namedWindow(_FIRST)
    cv2.destroyWindow(_FIRST)
    return cv2


def _check_display() -> None:
    """Refuse where no window can be shown.

    Raises:
        MediaError: DISPLAY is not set, or nothing answers there.
    """
    name = os.environ.get("DISPLAY")
    if not name:
        raise MediaError("a window needs an X display: set DISPLAY, or choose another --sink")
    if not _answers(name):
        raise MediaError(f"there is no display at DISPLAY={name}; choose another --sink")


def _answers(name: str) -> bool:
    match = _DISPLAY.fullmatch(name)
    if match is None:
        return False
    number, host = int(match["number"]), match["host"]
    if host:
        return _connects(socket.AF_INET, (host, _FIRST_PORT + number))
    if not hasattr(socket, "AF_UNIX"):
        return False
    path = f"/tmp/.X11-unix/X{number}"
    return any(_connects(socket.AF_UNIX, address) for address in (f"\0{path}", path))


def _connects(family: int, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_TIMEOUT_S)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True
