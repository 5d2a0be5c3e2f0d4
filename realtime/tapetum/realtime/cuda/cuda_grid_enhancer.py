"""The real-time enhancer on a GPU: a bilateral grid that never leaves the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapetum.realtime.cpu.grid_axis import GRID_SHAPE
from tapetum.realtime.cuda.compute_device import ComputeDevice, DeviceEngine, Fault
from tapetum.realtime.cuda.pixel_kernels import THUMBNAIL_SHAPE
from tapetum.realtime.cuda.temporal_smoothing import TemporalSmoothing
from tapetum.realtime.errors import EngineError
from tapetum.realtime.frame import Frame
from tapetum.realtime.temporal import TIME_CONSTANT_S


class CudaGridEnhancer:
    """Enhances the NV12 or P010 frames of one stream, in GPU memory; `GridEnhancer`'s twin.

    A call returns when the frame is done, so that neither the old nor the new frame is touched
    by the device afterwards.
    """

    def __init__(
        self,
        device: ComputeDevice,
        engine: DeviceEngine,
        *,
        strength: float = 1.0,
        time_constant_s: float = TIME_CONSTANT_S,
    ) -> None:
        """Allocate all buffers but the frames'.

        Args:
            device: where the frames are.
            engine: maps a thumbnail (1, 3, 256, 256) float32 to a grid (8, 8, 16, 16) float32.
            strength: 0 leaves the picture as it is, bit for bit; 1 is the model's own output.
            time_constant_s: of the smoothing over time; 0 turns it off.
        """
        self.strength = strength
        self._device = device
        self._engine = engine
        self._smooth = TemporalSmoothing(device, time_constant_s=time_constant_s)
        self._small = device.empty(THUMBNAIL_SHAPE, np.float32)
        self._grid = device.empty(GRID_SHAPE, np.float32)
        self._fault = Fault(device)

    @property
    def description(self) -> str:
        """What runs where, like "grid on cuda:0, TensorRT f16"."""
        return f"grid on {self._engine.description}"

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame; frames come in presentation order.

        Raises:
            DeviceError: the frame is not in GPU memory.
            MediaError: it is neither NV12 nor P010.
            EngineError: the network gives no usable numbers.
        """
        kernels, fault = self._device.kernels, self._fault
        kernels.thumbnail(frame, self._small)
        self._engine(self._small, self._grid)
        grid = self._smooth(
            self._grid, thumbnail=self._small, time_s=frame.time_s, fault=fault.mark
        )
        planes: Any = frame.planes
        if self.strength != 0:
            planes = tuple(self._device.empty(plane.shape, plane.dtype) for plane in planes)
            kernels.apply_grid(frame, grid, planes, strength=self.strength)
        if fault.wait():
            self.reset()
            raise EngineError("the network gave coefficients that are not finite numbers")
        return frame.with_planes(planes)

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        self._smooth.reset()
