"""Slows a file or test pattern down to its own pace."""

from __future__ import annotations

import threading
import time

_LATE_S = 0.2
"""A source this late starts its pace anew: it was suspended, or cannot keep up, and frames that
are made up for in a burst are frames that come too early."""


class Pacer:
    """Waits until a frame is due; the first one is due at once."""

    def __init__(self, stop: threading.Event) -> None:
        """Make a pacer whose waits end early when `stop` is set."""
        self._stop = stop
        self._offset_s: float | None = None

    def wait(self, time_s: float) -> None:
        """Wait until the frame with the presentation time `time_s` is due."""
        now_s = time.monotonic()
        if self._offset_s is None or now_s - (time_s + self._offset_s) > _LATE_S:
            self._offset_s = now_s - time_s
        self._stop.wait(max(0.0, time_s + self._offset_s - now_s))
