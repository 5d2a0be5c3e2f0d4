"""`unet`'s look at the price of a small picture, on a GPU: `cpu.reduced_unet`'s twin."""

from __future__ import annotations

import numpy as np

from tapetum.gan.model_kinds import GRID_SHAPE
from tapetum.realtime.cuda.compute_device import ComputeDevice, DeviceEngine
from tapetum.realtime.cuda.grid_fit_kernels import SMALL_SIDE, SUMS_SHAPE, Small
from tapetum.realtime.cuda.kernel_arguments import DeviceArray

SHAPE = (1, 3, SMALL_SIDE, SMALL_SIDE)
"""Of what the network gets, and of what it gives."""


class ReducedUNetEngine:
    """A `DeviceEngine` from a thumbnail to the grid that does what `unet` did to it, reduced.

    Its kernels queue their work on the device's stream, so that it can be captured where its
    networks can.
    """

    def __init__(
        self, device: ComputeDevice, network: DeviceEngine, light: DeviceEngine | None = None
    ) -> None:
        """Take a network.

        Args:
            device: where it runs.
            network: maps RGB in [-1, 1], (1, 3, 128, 128) float16, to the same shape.
            light: a grid network that makes pictures bright for it, where it needs that.
        """
        self._device, self._network, self._light = device, network, light
        self._given, after = (device.empty(SHAPE, np.float16) for _ in range(2))
        before = device.empty(SHAPE[1:], np.float32)
        grid = None if light is None else device.empty(GRID_SHAPE, np.float32)
        self._dark, self._made = Small(before, self._given, grid), Small(before, after, grid)
        self._sums = device.empty(SUMS_SHAPE, np.float32)

    @property
    def description(self) -> str:
        """Device, runtime and precision, like "unet at 128x128, cuda:0, TensorRT f16"."""
        return f"unet at {SMALL_SIDE}x{SMALL_SIDE}, {self._network.description}"

    @property
    def capturable(self) -> bool:
        """Whether its networks can be captured."""
        return self._network.capturable and (self._light is None or self._light.capturable)

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run.

        Args:
            batch: the thumbnail, (1, 3, 256, 256) float32 RGB in [0, 1].
            result: gets the grid, (8, 8, 16, 16) float32.
        """
        kernels = self._device.kernels.fitting
        if self._light is not None and self._dark.light is not None:
            self._light(batch, self._dark.light)
        kernels.reduce(batch, self._dark)
        self._network(self._given, self._made.after)
        kernels.fit_grid(self._made, self._sums, result)
