"""The names that options take, in one place that is light to import."""

from __future__ import annotations

import re

from tapetum.benchmarks.measure.errors import BenchmarkError

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")

SINGLE_STREAM = "single-stream"
SCENARIOS = (SINGLE_STREAM, "multi-stream", "paced", "offline", "cold-start")
"""In the order in which they run; `suite` says what each is."""

SIZES = {
    "360p": (640, 360),
    "540p": (960, 540),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "1440p": (2560, 1440),
    "4K": (3840, 2160),
}
"""Width and height in pixels."""

DEFAULT_SIZES = ("720p", "1080p", "4K")
QUICK_SIZES = ("720p",)

BUILT_IN = "built-in"
"""The clip that ships with Tapetum, as `--input`."""

PRECISIONS = ("auto", "f32", "bf16")
"""What a network can be computed in; `auto` is bf16 where the CPU has it, else f32."""

LEAST_REPEATS = 3
"""Repeats under which the noise is not known, and two runs cannot be told apart."""


def parse_size(text: str) -> tuple[int, int]:
    """Read `720p`, `4K` or `1280x720`.

    Raises:
        BenchmarkError: it is none of these.
    """
    known = {name.lower(): size for name, size in SIZES.items()}
    match = _SIZE.fullmatch(text.lower())
    if text.lower() in known:
        return known[text.lower()]
    if match is None or min(size := (int(match[1]), int(match[2]))) < 16:
        raise BenchmarkError(
            f"{text} is no size: choose {', '.join(SIZES)} or WIDTHxHEIGHT from 16x16"
        )
    return size
