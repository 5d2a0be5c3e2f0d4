"""`unet`'s look at the price of a small picture: run on a thumbnail, and spread by a grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.gan.model import Model
from tapetum.realtime.cpu.cpu_network import cpu_network
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_fit import fit_grid
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

    def __init__(self, network: Engine) -> None:
        """Take a network.

        Args:
            network: maps RGB in [-1, 1], (1, 3, 128, 128), to the same shape.
        """
        self._network = network

    @property
    def description(self) -> str:
        """Runtime, device and precision, like "unet at 128x128, CPU, OpenVINO bf16"."""
        return f"unet at {REDUCED}x{REDUCED}, {self._network.description}"

    def __call__(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """A grid (1, 8, 8, 16, 16) for a thumbnail (1, 3, 256, 256) RGB in [0, 1]."""
        small = batch.reshape(1, 3, REDUCED, 2, REDUCED, 2).mean(axis=(3, 5))
        enhanced = (np.clip(self._network(2 * small - 1), -1, 1) + 1) / 2
        return fit_grid(_yuv(small[0]), _yuv(enhanced[0]))[np.newaxis]


def make_reduced_unet(model: Model) -> GridEnhancer:
    """An enhancer by a `unet` network.

    Raises:
        ModelError: it is no ONNX file of such a network.
    """
    network = cpu_network(model.onnx(), model.name, threads=None, precision="auto")
    return GridEnhancer(FittedGridEngine(network.compile(SHAPE, SHAPE)))


def _yuv(rgb: Floats) -> Floats:
    yuv: Floats = np.tensordot(_TO_YUV, rgb, 1)
    return yuv
