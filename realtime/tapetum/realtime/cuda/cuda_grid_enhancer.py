"""The real-time enhancer on a GPU: a bilateral grid that never leaves the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tapetum.gan.model_kinds import GRID_SHAPE
from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cuda.compute_device import ComputeDevice, DeviceEngine, Fault, planes_on
from tapetum.realtime.cuda.device_picture import (
    DevicePicture,
    DevicePictureFinder,
    replaced_in,
)
from tapetum.realtime.cuda.frame_graph import FrameGraph
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes, Structure
from tapetum.realtime.cuda.temporal_smoothing import TemporalSmoothing
from tapetum.realtime.errors import EngineError
from tapetum.realtime.frame import Frame
from tapetum.realtime.temporal import TIME_CONSTANT_S

if TYPE_CHECKING:
    from tapetum.realtime.cuda.device_restorer import DeviceRestorer
    from tapetum.realtime.cuda.restoring_kernels import FrameStep


class CudaGridEnhancer:
    """Enhances the frames of one stream, in GPU memory; `GridEnhancer`'s twin.

    A call returns when the frame is done, so that neither the old nor the new frame is touched
    by the device afterwards.

    Attributes:
        strength: as for `__init__`; may be set at any time.
        pictures: tells what of the stream's frames is picture.
    """

    def __init__(
        self,
        device: ComputeDevice,
        engine: DeviceEngine,
        *,
        strength: float = 1.0,
        time_constant_s: float = TIME_CONSTANT_S,
        aim: Aim = ALWAYS,
        denoise: Denoise = "off",
    ) -> None:
        """Allocate all buffers but the frames'.

        Args:
            device: where the frames are.
            engine: maps a thumbnail (1, 3, 256, 256) float32 to a grid (8, 8, 16, 16) float32.
            strength: 0 leaves the picture as it is, bit for bit; 1 is the model's own output, and
                2 the most, see `cpu.grid_strength`.
            time_constant_s: of the smoothing over time; 0 turns it off.
            aim: when pictures are made bright, and how bright; every one, by default.
            denoise: how much noise is taken out first; see `Restorer`, and `DeviceRestorer`.
        """
        self.strength = strength
        self._device = device
        self._engine = engine
        self._smooth = TemporalSmoothing(device, time_constant_s=time_constant_s, aim=aim)
        self.pictures = DevicePictureFinder(device)
        self._grid = device.empty(GRID_SHAPE, np.float32)
        self._fault = Fault(device)
        self._graph = FrameGraph(device, engine, self.pictures.small, self._grid)
        self._restorer = None if denoise == "off" else _restorer(device, denoise)

    @property
    def aim(self) -> Aim:
        """When pictures are made bright, and how bright; may be set at any time."""
        return self._smooth.aim

    @aim.setter
    def aim(self, aim: Aim) -> None:
        self._smooth.aim = aim

    @property
    def restores(self) -> bool:
        """Whether noise is taken out."""
        return self._restorer is not None

    @property
    def description(self) -> str:
        """What runs where, like "grid on cuda:0, TensorRT f16"."""
        return f"grid on {self._engine.description}"

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame; frames come in presentation order.

        Raises:
            DeviceError: the frame is not in GPU memory.
            MediaError: it is in none of `DEVICE_FORMATS`.
            EngineError: the network gives no usable numbers.
        """
        planes_on(self._device, frame)
        picture = self.pictures(frame)
        if self.strength == 0:
            self._queue_grid(self._smooth.step(frame.time_s))  # of which the frame is no part
            return frame
        whole = replaced_in(
            frame, picture, self._device, lambda planes: self.enhance_picture(picture, planes)
        )
        if picture.circles is not None:
            self._finish()  # what lies around them is put back behind the rest
        return whole

    def enhance_picture(self, picture: DevicePicture, planes: DevicePlanes) -> None:
        """Enhance what of a frame somebody found to be picture; return when it is done.

        Args:
            picture: of the stream's next frame, found by `pictures`, whose thumbnail is its.
            planes: get it.

        Raises:
            EngineError: the network gives no usable numbers.
        """
        frame, restorer = picture.frame, self._restorer
        step: FrameStep | None = None
        times = self._smooth.step(frame.time_s, strength=self.strength)
        step = None if restorer is None else restorer.step(frame)
        self._graph(
            frame,
            lambda given: self._queue(given, planes, times, step),
            show=lambda given: self.pictures.show(picture, None if given is frame else given),
        )
        self._finish()
        if restorer is not None and step is None:
            self._brighten_restored(restorer, frame, planes)

    def _finish(self) -> None:
        """Wait for all queued work.

        Raises:
            EngineError: the network gave no usable numbers.
        """
        if self._fault.wait():
            self.reset()
            raise EngineError("the network gave coefficients that are not finite numbers")

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        self.pictures.reset()
        self._smooth.reset()
        if self._restorer is not None:
            self._restorer.reset()

    def most_needed(self) -> float:
        """See `SparingEnhancer`."""
        needed, self._fault.needed = self._fault.needed, 0.0
        return needed

    def _brighten_restored(
        self, restorer: DeviceRestorer, frame: Frame, planes: DevicePlanes
    ) -> None:
        """Brighten once more what no kernel restores, restored, if there is anything to restore."""
        read = restorer.brighten(frame, self._smooth.grid, planes)
        if read is not None:
            self._fault.wait()

    def _queue(
        self, frame: Frame, planes: DevicePlanes, times: Structure, step: FrameStep | None
    ) -> None:
        grid = self._queue_grid(times)
        if self._restorer is None or step is None:
            self._device.kernels.apply_grid(frame, grid, planes)
        else:
            self._restorer.queue(frame, grid, planes, step)

    def _queue_grid(self, times: Structure) -> DeviceArray:
        small = self.pictures.small
        self._engine(small, self._grid)
        return self._smooth.queue(self._grid, times, small, fault=self._fault.mark)


def _restorer(device: ComputeDevice, denoise: Denoise) -> DeviceRestorer:
    from tapetum.realtime.cuda.device_restorer import DeviceRestorer  # what others do without

    return DeviceRestorer(device, denoise)
