"""A sink that throws frames away: to measure, or to run only for the summary."""

from __future__ import annotations

from tapetum.realtime.frame import Frame


class NullSink:
    """A `FrameSink` that keeps nothing."""

    def write(self, frame: Frame) -> None:
        """Throw one frame away."""

    def close(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing."""
