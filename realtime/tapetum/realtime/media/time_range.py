"""The part of a file that is read, the same for the video and for every copied stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer

from tapetum.realtime.errors import MediaError


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start_s` to `end_s` on the container's clock; what is kept moves by `-shift_s`.

    Attributes:
        start_s: first instant that is kept, None for everything from the beginning.
        end_s: first instant that is not kept, None for everything to the end.
    """

    start_s: Fraction | None = None
    end_s: Fraction | None = None

    @property
    def shift_s(self) -> Fraction:
        """Time at which the output's zero lies; 0 if the beginning is kept."""
        return self.start_s or Fraction(0)

    def first_pts(self, time_base: Fraction) -> int | None:
        """The smallest timestamp that is kept."""
        return None if self.start_s is None else math.ceil(self.start_s / time_base)

    def end_pts(self, time_base: Fraction) -> int | None:
        """The smallest timestamp after the range."""
        return None if self.end_s is None else math.ceil(self.end_s / time_base)

    def shift(self, time_base: Fraction) -> int:
        """What is subtracted from timestamps in `time_base` units."""
        return round(self.shift_s / time_base)


def time_range(container: InputContainer, start_s: float, duration_s: float | None) -> TimeRange:
    """Place a start and a duration, both counted from the file's first instant, on its clock.

    Raises:
        MediaError: `start_s` is negative or `duration_s` is not positive.
    """
    if not math.isfinite(start_s) or start_s < 0:
        raise MediaError(f"start must be 0 seconds or more, got {start_s}")
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s > 0):
        raise MediaError(f"duration must be more than 0 seconds, got {duration_s}")
    origin = Fraction(container.start_time or 0, av.time_base)
    begin = origin + Fraction(start_s).limit_denominator(1_000_000)
    end = None
    if duration_s is not None:
        end = begin + Fraction(duration_s).limit_denominator(1_000_000)
    return TimeRange(begin if start_s else None, end)
