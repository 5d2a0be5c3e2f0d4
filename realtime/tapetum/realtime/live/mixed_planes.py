"""Two looks of one picture, mixed: what is shown on the way from one to the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapetum.realtime.frame import Plane

_BITS = 7
"""Of the weights: a difference of bytes times a weight fits 16 bits."""
_AT_ONCE = 1 << 16
"""Samples that are mixed at a time: what lies between stays in a processor's cache."""


def mixed_planes(
    before: tuple[Plane, ...], after: tuple[Plane, ...], part: float
) -> tuple[Plane, ...]:
    """New planes on the way from one look to the other.

    Args:
        before: planes of a picture.
        after: planes of the same shapes and types.
        part: of the way, from 0 (`before`) to 1 (`after`).
    """
    weight = round(part * (1 << _BITS))
    return tuple(_mixed(old, new, weight) for old, new in zip(before, after, strict=True))


def _mixed(old: Plane, new: Plane, weight: int) -> Plane:
    mixed: Plane = np.empty_like(new)
    wide = np.int16 if new.itemsize == 1 else np.int32
    rows = max(1, _AT_ONCE // new.shape[1])
    for top in range(0, new.shape[0], rows):
        band = slice(top, top + rows)
        way: Any = np.subtract(new[band], old[band], dtype=wide)
        way *= weight
        way += 1 << (_BITS - 1)
        way >>= _BITS
        way += old[band]
        mixed[band] = way
    return mixed
