"""The heavy enhancer on a GPU: EnlightenGAN's U-Net on the whole picture at once."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from tapetum.gan.model_kinds import padded_size
from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.cuda.compute_device import ComputeDevice, DeviceEngine, Fault, planes_on
from tapetum.realtime.cuda.cuda_grid_enhancer import CudaGridEnhancer
from tapetum.realtime.cuda.device_picture import (
    DevicePicture,
    DevicePictureFinder,
    replaced_in,
)
from tapetum.realtime.cuda.frame_graph import FrameGraph
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes
from tapetum.realtime.cuda.pixel_kernels import CELLS_SHAPE
from tapetum.realtime.cuda.surface import empty_surface
from tapetum.realtime.errors import EngineError
from tapetum.realtime.exposure import SteadyDarkness
from tapetum.realtime.frame import Frame


class DeviceModel(Protocol):
    """A network that can be compiled for any input shape."""

    @property
    def description(self) -> str:
        """Device, runtime and precision of its engines, like "cuda:0, TensorRT f16"."""

    def compile(self, shape: tuple[int, ...]) -> DeviceEngine:
        """An engine whose input and output are (N, C, H, W) float16 of this shape."""


class _Compiled(NamedTuple):
    """An engine, its input and its output, and the graphs in which it runs."""

    engine: DeviceEngine
    rgb: DeviceArray
    result: DeviceArray
    graph: FrameGraph

    @classmethod
    def of(cls, engine: DeviceEngine, device: ComputeDevice, shape: tuple[int, ...]) -> _Compiled:
        """Allocate input and output."""
        rgb, result = (device.empty(shape, np.float16) for _ in range(2))
        return cls(engine, rgb, result, FrameGraph(device, engine, rgb, result))


class CudaUNetEnhancer:
    """Enhances the frames of one stream, in GPU memory; `UNetEnhancer`'s twin.

    Frames are padded by reflection to multiples of 16. The network is compiled when the first
    frame arrives, and again only if the size of the frames changes. A call returns when the
    frame is done.

    Attributes:
        strength: as for `__init__`; may be set at any time.
        aim: the same.
    """

    def __init__(
        self,
        device: ComputeDevice,
        model: DeviceModel,
        *,
        strength: float = 1.0,
        aim: Aim = ALWAYS,
        light: CudaGridEnhancer | None = None,
    ) -> None:
        """Make an enhancer.

        Args:
            device: where the frames are.
            model: maps RGB in [-1, 1], (1, 3, H, W) float16, to the same shape.
            strength: 0 leaves the picture as it is, bit for bit; 1 is the model's own output, and
                up to 2 the change goes on, as far as there is room.
            aim: when pictures are made bright; every one, by default.
            light: makes pictures bright before the model gets them, for models that say so.
        """
        self.strength = strength
        self.aim = aim
        self._needed = 0.0
        self._darkness = SteadyDarkness()
        self._pictures = DevicePictureFinder(device) if light is None else light.pictures
        self._cells = device.empty(CELLS_SHAPE, np.float32)
        self._light = light
        self._device = device
        self._model = model
        self._fault = Fault(device)
        self._compiled: _Compiled | None = None

    @property
    def description(self) -> str:
        """What runs where, like "unet on cuda:0, TensorRT f16"."""
        return f"unet on {self._model.description}"

    @property
    def restores(self) -> bool:
        """Whether noise is taken out, before the network gets a picture."""
        return self._light is not None and self._light.restores

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame.

        Raises:
            DeviceError: the frame is not in GPU memory.
            MediaError: it is in none of `DEVICE_FORMATS`.
            EngineError: the network cannot be compiled, or gives no usable numbers.
        """
        planes_on(self._device, frame)
        if self.strength == 0:
            return frame
        self.compile_for(frame.height, frame.width)  # however light: the dark shall not wait for it
        picture = self._pictures(frame)
        share = self._share(frame) if self.aim.when_dark else 1.0
        self._needed = max(self._needed, share)
        strength = share * self.strength
        if strength == 0:
            return frame
        whole = replaced_in(
            frame, picture, self._device, lambda planes: self._enhance(picture, planes, strength)
        )
        if self._fault.wait():
            raise EngineError("the network gave values that are not finite numbers")
        return whole

    def _enhance(self, picture: DevicePicture, planes: DevicePlanes, strength: float) -> None:
        """Queue what enhances a picture.

        The network's input has the size of the frame, for which it is compiled: it sees the picture
        continued by reflection, as beyond the border of a frame.
        """
        lit = frame = picture.frame
        if self._light is not None:
            bright: Any = empty_surface(frame, self._device.empty)
            self._light.enhance_picture(picture, bright)
            lit = frame.with_planes(bright)
        graph = cast("_Compiled", self._compiled).graph
        graph(lit, lambda given: self._queue(given, frame, planes, strength))

    def most_needed(self) -> float:
        """See `SparingEnhancer`."""
        needed, self._needed = self._needed, 0.0
        return needed

    def reset(self) -> None:
        """Forget what of the frames was picture, and how dark it was."""
        self._pictures.reset()
        self._darkness.reset()
        if self._light is not None:
            self._light.reset()

    def compile_for(self, height: int, width: int) -> None:
        """Compile the network for frames of a size, unless it is compiled for it.

        Raises:
            EngineError: it cannot be compiled.
        """
        shape = (1, 3, *padded_size(height, width))
        if self._compiled is None or self._compiled.rgb.shape != shape:
            self._compiled = None  # its memory goes first
            self._compiled = _Compiled.of(self._model.compile(shape), self._device, shape)

    def _share(self, frame: Frame) -> float:
        """The share of the effect that a frame needs, of which the picture was found."""
        self._device.kernels.measure_cells(self._pictures.small, self._cells)
        return self._darkness(self._device.get(self._cells), time_s=frame.time_s)

    def _queue(self, lit: Frame, frame: Frame, planes: DevicePlanes, strength: float) -> None:
        kernels, mark = self._device.kernels, self._fault.mark
        engine, rgb, result, _ = cast("_Compiled", self._compiled)
        kernels.planes_to_rgb(lit, rgb)
        engine(rgb, result)
        kernels.change_to_planes(frame, result, planes, fault=mark, strength=strength)
