"""How far a long job is: frames, speed and the time that is left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a job, as its `on_progress` callback gets it after each frame.

    Attributes:
        frames: frames done.
        total_frames: frames in all as far as the container says, or None.
        elapsed_s: wall-clock time since the job began, loading included.
        media_s: play time of the frames done.
        first_frame_s: of `elapsed_s`, what went by until the first frame was done: loading above
            all, which says nothing of the frames that are left.
    """

    frames: int
    total_frames: int | None
    elapsed_s: float
    media_s: float
    first_frame_s: float = 0.0

    @property
    def fps(self) -> float:
        """Frames per second so far."""
        return self.frames / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def speed(self) -> float:
        """Play time done per second of work: over 1 is faster than real time."""
        return self.media_s / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds that are left at the pace since the first frame; None where nobody knows."""
        if self.total_frames is None or self.frames == 0:
            return None
        left = max(0, self.total_frames - self.frames)
        if left == 0:
            return 0.0
        if self.frames == 1:
            return None
        return left * (self.elapsed_s - self.first_frame_s) / (self.frames - 1)
