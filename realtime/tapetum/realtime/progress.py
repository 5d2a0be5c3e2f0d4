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
    """

    frames: int
    total_frames: int | None
    elapsed_s: float
    media_s: float

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
        """Seconds that are left at this pace, or None where the total is unknown."""
        if self.total_frames is None or self.fps == 0:
            return None
        return max(0, self.total_frames - self.frames) / self.fps
