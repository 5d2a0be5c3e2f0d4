"""The one hand-over of live frames: the newest waits for its reader, and older ones are dropped."""

from __future__ import annotations

from tapetum.realtime.frame import Frame
from tapetum.realtime.prefetch import Channel, Policy, Prefetch
from tapetum.realtime.protocols import FrameSource

_CLOSE_TIMEOUT_S = 0.5
"""A source that hangs in a read is left to end by itself: nobody who stops shall wait for what
does not come."""


class NewestFrames(Prefetch[Frame]):
    """Reads a live source in a thread of its own, for a reader in a thread or an event loop.

    Example:
        with NewestFrames(LiveSource(0)) as frames:
            for frame in frames:
                ...
    """

    def __init__(self, source: FrameSource, *, policy: Policy = "drop_oldest") -> None:
        """Begin to read.

        Args:
            source: it is closed by `close`.
            policy: `wait` hands every frame over, and lets a source wait that can.
        """
        self._source = source
        super().__init__(source, depth=1, policy=policy)

    def close(self, timeout_s: float | None = _CLOSE_TIMEOUT_S) -> None:
        """Close the source, and wait so long for its thread; calling it again does nothing."""
        self._source.close()
        super().close(timeout_s)


def newest_channel() -> Channel[Frame]:
    """The same hand-over for frames that come from a callback or a coroutine."""
    return Channel(depth=1, policy="drop_oldest")
