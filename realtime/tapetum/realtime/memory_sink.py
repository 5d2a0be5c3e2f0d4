"""`MemorySink`: keeps the frames that it is given, for programs and tests."""

from __future__ import annotations

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame


class MemorySink:
    """A `FrameSink` that keeps frames in a list.

    Attributes:
        frames: the frames so far, in the order in which they came; empty after `discard`.
        closed: whether `close` or `discard` was called.
    """

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.closed = False

    def write(self, frame: Frame) -> None:
        """Keep one frame.

        Raises:
            MediaError: the sink is closed.
        """
        if self.closed:
            raise MediaError("a closed memory sink takes no more frames")
        self.frames.append(frame)

    def close(self) -> None:
        """Take no more frames."""
        self.closed = True

    def discard(self) -> None:
        """Forget the frames."""
        if not self.closed:
            self.frames.clear()
        self.closed = True
