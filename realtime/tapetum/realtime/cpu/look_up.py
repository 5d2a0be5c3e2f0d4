"""Looks samples up in a table: a whole picture's curve, as fast as memory."""

from __future__ import annotations

import numpy as np

from tapetum.realtime.cpu.compiled import kernel
from tapetum.realtime.cpu.plane_rows import sample_rows
from tapetum.realtime.frame import Plane


def look_up(plane: Plane, even: Plane, odd: Plane, shift: int, enhanced: Plane) -> None:
    """Fill `enhanced` with the entries of a plane's samples, shifted down by `shift`.

    Args:
        plane: (H, W) uint8 or uint16.
        even: the table of even columns, one entry a level.
        odd: the table of odd ones; the same but where U and V are interleaved.
        shift: empty low bits of a sample's word.
        enhanced: like `plane`, rows without gaps.
    """
    samples, pitch = sample_rows(plane)
    _look_up(samples, pitch, even, odd, shift, enhanced)


@kernel
def _look_up(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: Plane, pitch: int, even: Plane, odd: Plane, shift: int, enhanced: Plane
) -> None:
    height, width = enhanced.shape
    top, down = np.uint16(even.size - 1), np.uint16(shift)
    pairs = np.uint64(width // 2)
    for row in range(height):
        line, out = samples[row * pitch : row * pitch + width], enhanced[row]
        for pair in range(pairs):
            x = np.uint64(2) * np.uint64(pair)
            following = x + np.uint64(1)
            out[x] = even[min(np.uint16(np.uint16(line[x]) >> down), top)]
            out[following] = odd[min(np.uint16(np.uint16(line[following]) >> down), top)]
        if width % 2:
            out[width - 1] = even[min(np.uint16(np.uint16(line[width - 1]) >> down), top)]
