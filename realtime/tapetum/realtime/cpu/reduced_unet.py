"""`unet`'s look at the price of a small picture: run on a thumbnail, and spread by a grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.gan.model import Model, find_model
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime.cpu.cpu_network import cpu_network
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_fit import fit_grid
from tapetum.realtime.cpu.grid_rgb import apply_to_pixels
from tapetum.realtime.cpu.rgb import pixel_rows, pixel_rows_to_fill
from tapetum.realtime.protocols import Engine

REDUCED = 128
"""Rows and columns of the picture that the network sees."""
SHAPE = (1, 3, REDUCED, REDUCED)

_TO_YUV = np.array(
    [[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]], np.float32
)
"""RGB to YUV of BT.709."""


class FittedGridEngine:
    """An `Engine` from a thumbnail to the grid that does what `unet` did to it, reduced."""

    def __init__(self, network: Engine, light: Engine | None = None) -> None:
        """Take a network.

        Args:
            network: maps RGB in [-1, 1], (1, 3, 128, 128), to the same shape.
            light: a grid network that makes pictures bright for it, where it needs that.
        """
        self._network = network
        self._light = light

    @property
    def description(self) -> str:
        """Runtime, device and precision, like "unet at 128x128, CPU, OpenVINO bf16"."""
        return f"unet at {REDUCED}x{REDUCED}, {self._network.description}"

    def __call__(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """A grid (1, 8, 8, 16, 16) for a thumbnail (1, 3, 256, 256) RGB in [0, 1]."""
        small, lit = _reduced(batch), _reduced(self._lit(batch))
        enhanced = (np.clip(self._network(2 * lit - 1), -1, 1) + 1) / 2
        return fit_grid(_yuv(small[0]), _yuv(enhanced[0]))[np.newaxis]

    def _lit(self, batch: Floats) -> Floats:
        """A thumbnail as the network's light makes it, in steps of 1/255."""
        if self._light is None:
            return batch
        dark = np.ascontiguousarray(np.rint(255 * batch[0].transpose(1, 2, 0)).astype(np.uint8))
        bright = np.empty_like(dark)
        apply_to_pixels(
            pixel_rows(dark, red_first=True),
            self._light(batch)[0],
            pixel_rows_to_fill(bright, red_first=True),
        )
        return bright.transpose(2, 0, 1)[np.newaxis].astype(np.float32) / np.float32(255)


def _reduced(batch: Floats) -> Floats:
    reduced: Floats = batch.reshape(1, 3, REDUCED, 2, REDUCED, 2).mean(axis=(3, 5))
    return reduced


def make_reduced_unet(model: Model) -> GridEnhancer:
    """An enhancer by a `unet` network.

    Raises:
        ModelError: it is no ONNX file of such a network.
    """
    network = cpu_network(model.onnx(), model.name, threads=None, precision="auto")
    return GridEnhancer(FittedGridEngine(network.compile(SHAPE, SHAPE), _light(model)))


def _light(model: Model) -> Engine | None:
    name = model.description.light
    if name is None:
        return None
    network = cpu_network(find_model(name).onnx(), name, threads=1, precision="auto", keep=True)
    return network.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)


def _yuv(rgb: Floats) -> Floats:
    yuv: Floats = np.tensordot(_TO_YUV, rgb, 1)
    return yuv
