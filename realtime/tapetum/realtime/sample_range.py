"""What a frame's integer samples mean: black, white, grey and the legal limits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tapetum.realtime.frame import Frame


@dataclass(frozen=True, slots=True)
class SampleRange:
    """Integer levels of a frame's samples, after any shift in their words.

    Attributes:
        black: luma level of Y = 0.
        luma_span: levels from Y = 0 to Y = 1.
        grey: chroma level of U = V = 0.
        chroma_span: levels from U = -0.5 to U = 0.5.
        luma_limits: lowest and highest legal luma level.
        chroma_limits: lowest and highest legal chroma level.
    """

    black: int
    luma_span: int
    grey: int
    chroma_span: int
    luma_limits: tuple[int, int]
    chroma_limits: tuple[int, int]

    def with_fraction(self, bits: int) -> SampleRange:
        """The same range where each level has so many bits of fraction below it."""
        if bits == 0:
            return self

        def shifted(limits: tuple[int, int]) -> tuple[int, int]:
            return limits[0] << bits, limits[1] << bits

        return SampleRange(
            self.black << bits,
            self.luma_span << bits,
            self.grey << bits,
            self.chroma_span << bits,
            shifted(self.luma_limits),
            shifted(self.chroma_limits),
        )


def sample_range(frame: Frame) -> SampleRange:
    """The levels of a frame's range and bit depth."""
    return _levels(frame.format.depth, frame.full_range)


@cache
def _levels(depth: int, full_range: bool) -> SampleRange:
    top, grey = (1 << depth) - 1, 1 << (depth - 1)
    if full_range:
        return SampleRange(0, top, grey, top, (0, top), (0, top))
    scale = 1 << (depth - 8)
    luma_limits, chroma_limits = (16 * scale, 235 * scale), (16 * scale, 240 * scale)
    return SampleRange(luma_limits[0], 219 * scale, grey, 224 * scale, luma_limits, chroma_limits)
