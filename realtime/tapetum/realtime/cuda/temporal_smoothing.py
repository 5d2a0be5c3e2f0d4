"""The temporal filter of the GPU path: coefficients stay on the device, nothing waits for them."""

from __future__ import annotations

import numpy as np

from tapetum.gan.model_kinds import GRID_SHAPE
from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import SMOOTHING, DeviceArray, Structure
from tapetum.realtime.cuda.pixel_kernels import Past
from tapetum.realtime.temporal import CUT_CHANGE, CUT_CORRELATION, QUICK_CHANGE, VIEW, FrameClock


class TemporalSmoothing:
    """`TemporalFilter` on a device, for one stream, between what `Aim` and strength make of grids.

    Attributes:
        aim: as for `GridEnhancer`; may be set at any time.
    """

    def __init__(self, device: ComputeDevice, *, time_constant_s: float, aim: Aim = ALWAYS) -> None:
        """Start with no past.

        Args:
            device: where the coefficients are.
            time_constant_s: of the smoothing; 0 turns it off.
            aim: as above.

        Raises:
            ValueError: `time_constant_s` is negative.
        """
        if not time_constant_s >= 0:
            raise ValueError(f"time_constant_s must be 0 or more; got {time_constant_s}")
        self._device = device
        self._time_constant_s = time_constant_s
        self.aim = aim
        shapes = (GRID_SHAPE, (VIEW, VIEW), (VIEW, VIEW))
        self._past, self._coming = (
            Past(*(device.empty(shape, np.float32) for shape in shapes)) for _ in range(2)
        )
        self._applied = device.empty(GRID_SHAPE, np.float32)
        self.reset()

    @property
    def grid(self) -> DeviceArray:
        """(8, 8, 16, 16) float32, what the last frame is given, always the same array."""
        return self._applied

    def reset(self) -> None:
        """Forget the past: the next grid is taken as it is."""
        self._has_past = False
        self._clock = FrameClock()

    def __call__(
        self,
        grid: DeviceArray,
        *,
        thumbnail: DeviceArray,
        time_s: float | None,
        fault: DeviceArray,
    ) -> DeviceArray:
        """Take a step in time, and queue the smoothing of that frame's grid; see both."""
        return self.queue(grid, self.step(time_s), thumbnail, fault=fault)

    def step(self, time_s: float | None, *, strength: float = 1.0) -> Structure:
        """Go on to a frame.

        Args:
            time_s: the frame's time, or None.
            strength: of its smoothed grid, from 0 to 2.

        Returns:
            What the smoothing of its grid goes by.
        """
        self._past, self._coming = self._coming, self._past
        times = self._clock(time_s), self._time_constant_s
        thresholds = CUT_CHANGE, CUT_CORRELATION, QUICK_CHANGE
        wanted = self.aim.when_dark, self.aim.brightness or 0.0, strength
        by = np.array((*times, *thresholds, not self._has_past, *wanted), SMOOTHING)
        self._has_past = True
        return by

    def queue(
        self, grid: DeviceArray, by: Structure, thumbnail: DeviceArray, *, fault: DeviceArray
    ) -> DeviceArray:
        """Queue the making of one frame's grid; done again, it is the same.

        Args:
            grid: (8, 8, 16, 16) float32, what the network gave.
            by: of `step`.
            thumbnail: (1, 3, 256, 256) float32, of the frame.
            fault: `Fault.mark`.

        Returns:
            `grid`: the next call writes over it.
        """
        self._device.kernels.smooth_grid(
            thumbnail, grid, by, self._past, self._coming, applied=self._applied, fault=fault
        )
        return self.grid
