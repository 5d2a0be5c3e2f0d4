"""The times of an input: in what units, where they begin, and what part is read.

Every stream of an input is read on one clock, whoever reads it: the video here, what is copied
beside it there. A packet's time on that clock is its own plus the offset of the recording that it
belongs to (`input_clock`), and the output's is that less `TimeRange.shift_s`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import av
from av.container import InputContainer
from av.stream import Stream

from tapetum.realtime.errors import MediaError

_TS_DISCONT = 0x0200
"""FFmpeg's AVFMT_TS_DISCONT; PyAV's enumeration of flags cannot take all that there are."""
_LATEST_BEGIN_S = 60
"""A file whose first instant is later than this was cut from a clock that is not its own."""

_FINEST_PER_S = 1_000_000
"""Units of time in a second, at most."""

LONGEST_STILL_S = Fraction(1)
"""In a broadcast pictures and sound follow each other faster than that, but for gaps."""


class TimeRange(NamedTuple):
    """From `start_s` to `end_s` on the input's clock; what is kept moves by `-shift_s`.

    Attributes:
        start_s: first instant that is kept, None for everything from the beginning.
        end_s: first instant that is not kept, None for everything to the end.
        origin_s: the instant that becomes the output's 0 if the beginning is kept.
    """

    start_s: Fraction | None = None
    end_s: Fraction | None = None
    origin_s: Fraction = Fraction(0)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut off."""
        return self.start_s is None and self.end_s is None

    @property
    def shift_s(self) -> Fraction:
        """Time at which the output's zero lies."""
        return self.origin_s if self.start_s is None else self.start_s

    def first_pts(self, time_base: Fraction) -> int | None:
        """The smallest timestamp that is kept."""
        return None if self.start_s is None else math.ceil(self.start_s / time_base)

    def end_pts(self, time_base: Fraction) -> int | None:
        """The smallest timestamp after the range."""
        return None if self.end_s is None else math.ceil(self.end_s / time_base)

    def shift(self, time_base: Fraction) -> int:
        """What is subtracted from timestamps in `time_base` units."""
        return round(self.shift_s / time_base)


def time_range(
    container: InputContainer, video: Stream, start_s: float, duration_s: float | None
) -> TimeRange:
    """Place a start and a duration, both counted from the file's first instant, on its clock.

    The start is moved to the next tick of the video's clock, for all streams: where a tick is a
    picture, as in AVI, the picture could not begin between two and would move against the sound.

    Raises:
        MediaError: `start_s` is negative or `duration_s` is not positive.
    """
    if not math.isfinite(start_s) or start_s < 0:
        raise MediaError(f"start must be 0 seconds or more, got {start_s}")
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s > 0):
        raise MediaError(f"duration must be more than 0 seconds, got {duration_s}")
    first_s = Fraction(container.start_time or 0, av.time_base)
    begin = first_s + Fraction(start_s).limit_denominator(1_000_000)
    end = None
    if duration_s is not None:
        end = begin + Fraction(duration_s).limit_denominator(1_000_000)
    foreign = is_broadcast(container) or first_s > _LATEST_BEGIN_S
    tick_s = counted_time_base(video)
    begin = math.ceil(begin / tick_s) * tick_s
    return TimeRange(begin if start_s else None, end, first_s if foreign else Fraction(0))


def is_broadcast(container: InputContainer) -> bool:
    """Whether the input's clock is a broadcaster's (MPEG-TS, MPEG-PS, HLS).

    It began long before the file, wraps, and starts anew where recordings were joined; so the
    place of an instant in the file is known only by reading up to it.
    """
    return bool(container.format.flags & _TS_DISCONT)


def stream_time_base(stream: Stream) -> Fraction:
    """A stream's time base, as a `Fraction` in every version of PyAV."""
    base = stream.time_base
    if isinstance(base, Fraction):
        return base
    return Fraction(base.numerator, base.denominator) if base else Fraction(1, av.time_base)


def counted_time_base(stream: Stream) -> Fraction:
    """The unit in which a stream's pictures are counted: its own, or a microsecond.

    MP4 has 31 bits for each step, and VP9's encoder no finer unit than a nanosecond: what counts
    in more than a million parts of a second, as damaged headers do, is brought to that.
    """
    base = stream_time_base(stream)
    return base if base.denominator <= _FINEST_PER_S else Fraction(1, _FINEST_PER_S)


class Gap(NamedTuple):
    """Where a stream of a broadcast has nothing, which in others is a picture that stands still.

    Attributes:
        begin_s: seconds after the input's first instant.
        length_s: seconds to what follows.
    """

    begin_s: Fraction
    length_s: Fraction


def said_of_gaps(what: str, gaps: list[Gap], *, verb: str = "are missing") -> str:
    """A line about the gaps of a stream."""
    begin_s, length_s = gaps[0]
    more = len(gaps) - 1
    others = f", and {more} more gap{'s' * (more > 1)}" if more else ""
    return f"{what}: {float(length_s):.2f} s {verb} from {float(begin_s):.2f} s on{others}"
