"""Compares what an engine computes with what the network means, before the engine is used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import EngineError

PSNR_FLOOR_DB = 45.0
"""Float16's rounding leaves 60 dB or so; a wrong kernel, or a frozen branch, some 20."""

Array = npt.NDArray[Any]


def psnr_db(output: Array, reference: Array) -> float:
    """Peak signal-to-noise ratio, the peak being the range of the reference.

    Args:
        output: what was computed, any shape.
        reference: what should have been, the same shape.

    Returns:
        dB; infinite where both are equal, minus infinite where the output is not finite.

    Raises:
        EngineError: the shapes differ.
    """
    if output.shape != reference.shape:
        raise EngineError(
            f"the engine gives shape {output.shape}, its reference {reference.shape}: rebuild it"
        )
    exact, found = reference.astype(np.float64), output.astype(np.float64)
    if not np.isfinite(found).all():
        return -math.inf
    error = float(np.mean((found - exact) ** 2))
    span = float(np.ptp(exact)) or 1.0
    return math.inf if error == 0 else 10 * math.log10(span**2 / error)


def checked_psnr_db(output: Array, reference: Array, floor_db: float = PSNR_FLOOR_DB) -> float:
    """PSNR of an engine's output, where it is good enough to use the engine.

    Args:
        output: what the engine made of a picture.
        reference: what the float32 network makes of it.
        floor_db: the least PSNR to accept.

    Raises:
        EngineError: the PSNR is below the floor, or the shapes differ.
    """
    found_db = psnr_db(output, reference)
    if not found_db >= floor_db:
        raise EngineError(
            f"the engine differs from its reference (PSNR {found_db:.1f} dB, at least "
            f"{floor_db:g} wanted) and is refused: try another TensorRT version or --runtime"
        )
    return found_db
