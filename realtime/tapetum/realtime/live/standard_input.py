"""`StandardInput`: video that another program writes into this one's standard input."""

from __future__ import annotations

import os
import select
import stat
import sys
import weakref

from tapetum.realtime.errors import MediaError

STDIN = "-"
"""What a user calls it."""


class StandardInput:
    """A pipe as a file for FFmpeg, whose wait for bytes can be ended from another thread.

    Attributes:
        received: whether anything came so far.
    """

    def __init__(self) -> None:
        """Take the process's own; nothing is read yet.

        Raises:
            MediaError: it is closed, or a terminal.
        """
        self.received = False
        self._input = _descriptor()
        self._woken, wake = os.pipe()
        self._close_wake = weakref.finalize(self, os.close, wake)
        weakref.finalize(self, os.close, self._woken)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes as soon as there are any; none at the end, or when interrupted.

        Raises:
            OSError: it cannot be read.
        """
        data = b"" if self._is_interrupted() else os.read(self._input, size)
        self.received = self.received or bool(data)
        return data

    def _is_interrupted(self) -> bool:
        """Wait until there is something to read or it is interrupted, where both can be awaited."""
        if os.name == "nt":  # Windows awaits sockets alone: a read that waits ends with its bytes
            return not self._close_wake.alive
        ready, _, _ = select.select([self._input, self._woken], [], [])
        return self._woken in ready

    def interrupt(self) -> None:
        """End it for the reader, also for one that waits; calling it again does nothing."""
        self._close_wake()


def is_redirected_file() -> bool:
    """Whether standard input is a file, as by `< dark.mp4`, and no pipe.

    Raises:
        MediaError: it is closed, or a terminal.
    """
    # On Windows it has no name by which FFmpeg could open it: there it is read like a pipe.
    return os.name != "nt" and stat.S_ISREG(os.fstat(_descriptor()).st_mode)


def _descriptor() -> int:
    if sys.stdin is None:
        raise MediaError("- reads video from standard input, which is closed")
    if sys.stdin.isatty():
        raise MediaError(
            "- reads video, and standard input is a terminal; pipe a program's video to it, or"
            " name a file or camera"
        )
    return sys.stdin.fileno()
