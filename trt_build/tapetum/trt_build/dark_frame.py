"""The real frame that networks are tried on: one of the sample clip, dark and noisy.

A lamp is put into it, because bright lights in the dark are what drives layers far.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import Size


def dark_frame(kind: str, size: Size) -> npt.NDArray[Any]:
    """The frame as a network takes it, scaled.

    Args:
        kind: "grid" for RGB in [0, 1], "unet" for RGB in [-1, 1].
        size: height and width.

    Returns:
        (1, 3, H, W) float32.
    """
    import av

    height, width = size
    with (
        resources.files(__package__).joinpath("dark_frame.jpg").open("rb") as file,
        av.open(file, "r") as container,
    ):
        frame = next(container.decode(video=0))
    scaled = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    scaled[_lamp(size)] = 255
    unit = scaled.transpose(2, 0, 1)[np.newaxis].astype(np.float32) / 255
    picture: npt.NDArray[Any] = unit if kind == "grid" else 2 * unit - 1
    return np.ascontiguousarray(picture)


def _lamp(size: Size) -> npt.NDArray[np.bool_]:
    """A disc in the upper half."""
    height, width = size
    rows, columns = np.ogrid[:height, :width]
    inside: npt.NDArray[np.bool_] = (
        np.hypot(rows - height // 4, columns - width // 2) <= height / 16
    )
    return inside
