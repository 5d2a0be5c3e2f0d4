"""Compares what an engine computes with what the network means, before the engine is used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import EngineError
from tapetum.trt_build.profile import size_text

PSNR_FLOOR_DB = 45.0
"""Float16's rounding leaves 60 dB or so; a wrong kernel, or a frozen branch, some 20."""

PSNR_CEILING_DB = 200.0
"""What counts as equal: float32's own rounding leaves 150 dB or so. Infinity is not JSON."""

Array = npt.NDArray[Any]


def psnr_db(output: Array, reference: Array) -> float:
    """Peak signal-to-noise ratio, the peak being the range of the reference.

    Args:
        output: what was computed, any shape.
        reference: what should have been, the same shape.

    Returns:
        dB, at most `PSNR_CEILING_DB`; minus infinite where the output is not finite.

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
    if error == 0:
        return PSNR_CEILING_DB
    return min(10 * math.log10(span**2 / error), PSNR_CEILING_DB)


def lowest_psnr_db(
    pictures: Iterable[Array],
    outputs: Iterable[Array],
    reference: Callable[[Array], Array],
    floor_db: float = PSNR_FLOOR_DB,
) -> float:
    """Lowest PSNR of an engine's outputs, where each is good enough to use the engine.

    Args:
        pictures: the inputs, (1, 3, H, W), at least one.
        outputs: what the engine made of each.
        reference: the float32 network.
        floor_db: the least PSNR to accept.

    Raises:
        EngineError: a PSNR is below the floor, or shapes differ.
    """
    return min(
        _checked_psnr_db(picture, output, reference, floor_db)
        for picture, output in zip(pictures, outputs, strict=True)
    )


def _checked_psnr_db(
    picture: Array, output: Array, reference: Callable[[Array], Array], floor_db: float
) -> float:
    found_db = psnr_db(output, reference(picture))
    if not found_db >= floor_db:
        raise EngineError(
            f"the engine differs from its reference at {size_text(picture.shape[2:])} (PSNR "
            f"{found_db:.1f} dB, at least {floor_db:g} wanted) and is refused: try another "
            "TensorRT version or --runtime"
        )
    return found_db
