"""Whether there is an X display; asked first, because Qt ends the process where there is none."""

from __future__ import annotations

import os
import re
import socket

from tapetum.realtime.errors import MediaError

_DISPLAY = re.compile(r"(?:unix|(?P<host>[^:]*)):(?P<number>\d+)(?:\.\d+)?")
_FIRST_PORT = 6000
_TIMEOUT_S = 3.0


def check_display() -> None:
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
