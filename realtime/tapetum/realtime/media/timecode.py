"""Timecode as video streams carry it, HH:MM:SS:FF, counted on by frames (SMPTE 12M)."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)")
_KEY = "timecode"


def moved_timecode(
    metadata: dict[str, str], start_s: float, rate: Fraction | None
) -> dict[str, str]:
    """Metadata whose timecode, if any, is that of the first frame from `start_s` on.

    Args:
        metadata: of a file or stream; its timecode is that of the first frame of all.
        start_s: where the output begins in the input, in seconds.
        rate: frames per second; without it a timecode cannot be moved, and is left out.
    """
    if not start_s:
        return metadata
    moved = dict(metadata)
    for key in metadata:
        if key.lower() == _KEY:
            later = None if rate is None else _later(moved.pop(key), start_s, rate)
            if later is not None:
                moved[key] = later
    return moved


def _later(timecode: str, start_s: float, rate: Fraction) -> str | None:
    match, per_second = _TIMECODE.fullmatch(timecode), round(rate)
    if match is None or not per_second:
        return None
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    dropped = per_second // 15 if match[4] in ";." else 0
    minutes += 60 * hours
    count = (60 * minutes + seconds) * per_second + frames - dropped * (minutes - minutes // 10)
    count += math.ceil(Fraction(start_s).limit_denominator(1_000_000) * rate)
    return _timecode(count, per_second, dropped, match[4])


def _timecode(count: int, per_second: int, dropped: int, separator: str) -> str:
    """The timecode of a frame; each minute but each tenth begins with `dropped` numbers less."""
    per_minute = 60 * per_second - dropped
    per_ten_minutes = 10 * per_minute + dropped
    count %= 144 * per_ten_minutes  # a day
    tens, rest = divmod(count, per_ten_minutes)
    skipped = 9 * tens + max(0, (rest - dropped) // per_minute)
    seconds, frames = divmod(count + dropped * skipped, per_second)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{separator}{frames:02}"
