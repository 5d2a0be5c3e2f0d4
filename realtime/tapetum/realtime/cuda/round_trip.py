"""Frames of main memory by a GPU's enhancer: live video, photos, images, other programs' frames."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import Kind
from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_enhancer import (
    EngineChoice,
    choose_engine,
    make_cuda_enhancer,
    no_runtime,
)
from tapetum.realtime.cuda.cuda_grid_enhancer import CudaGridEnhancer
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.device import CudaDevice, cupy_for
from tapetum.realtime.cuda.gpu_limits import left_undone
from tapetum.realtime.cuda.kernel_compiler import check_compiler
from tapetum.realtime.cuda.least_memory import FRAMES_OF_PICTURE, least_bytes
from tapetum.realtime.cuda.transfer import FetchFromDevice, downloaded, format_as, uploaded
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.progress import Building
from tapetum.trt_build.gpu import device_index


class RoundTripEnhancer:
    """Copies each frame to a GPU, has it enhanced there, and copies it back.

    A `FrameEnhancer` of one stream, as those of the CPU are; frames stay in their own format. A
    frame of the GPU's memory that can be fetched is enhanced where it lies.

    Attributes:
        takes_any_memory: see `TakesAnyMemory`.
        notices: see `NoticingEnhancer`.
    """

    def __init__(
        self,
        enhancer: CudaGridEnhancer | CudaUNetEnhancer,
        device: ComputeDevice,
        *,
        notices: tuple[str, ...] = (),
        stays: bool = False,
    ) -> None:
        """Take an enhancer of frames in a device's memory; see `make_round_trip`."""
        self.takes_any_memory = True
        self._stays = stays
        self._enhancer = enhancer
        self._device = device
        self._layout: tuple[str, int, int] | None = None
        self._taken_bytes = 0
        self.notices = notices

    @property
    def strength(self) -> float:
        """0 leaves the picture as it is, bit for bit; 1 is the model's output, 2 the most."""
        return self._enhancer.strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._enhancer.strength = strength

    @property
    def aim(self) -> Aim:
        """When pictures are made bright, and how bright."""
        return self._enhancer.aim

    @aim.setter
    def aim(self, aim: Aim) -> None:
        self._enhancer.aim = aim

    @property
    def description(self) -> str:
        """What runs where, like "unet on cuda:0, TensorRT f16"."""
        return self._enhancer.description

    @property
    def compiles_by_size(self) -> bool:
        """See `SizingEnhancer`: `unet` does."""
        return isinstance(self._enhancer, CudaUNetEnhancer)

    def __call__(self, frame: Frame, *, out: tuple[Plane, ...] | None = None) -> Frame:
        """Enhance one frame; frames come in presentation order.

        Args:
            frame: in main memory, or one that can be fetched, which stays where it is.
            out: gets the planes; see `planes_for`.

        Raises:
            DeviceError: the frame is not in main memory, or the GPU failed, or has no room for it.
            EngineError: the network cannot be compiled, or gives no usable numbers.
        """
        with self._room_for(frame):
            return self._enhanced(frame, out)

    def _enhanced(self, frame: Frame, out: tuple[Plane, ...] | None) -> Frame:
        device = self._device
        if frame.fetch is not None:
            bright = self._enhancer(frame)
            return replace(bright, fetch=FetchFromDevice(bright, device))
        bright = self._enhancer(uploaded(frame, device))
        if self._stays:
            return replace(bright, fetch=FetchFromDevice(bright, device, frame))
        made = format_as(downloaded(bright, self._device), frame)
        if out is None:
            return made
        for place, plane in zip(out, made.planes, strict=True):
            place[...] = plane
        return made.with_planes(out)

    def _room_for(self, frame: Frame) -> AbstractContextManager[object]:
        """Memory for pictures of a size or format that comes for the first time, until it is taken.

        Raises:
            DeviceError: there is not enough.
        """
        layout = frame.format_name, frame.width, frame.height
        if layout == self._layout:
            return nullcontext()
        kind: Kind = "unet" if self.compiles_by_size else "grid"
        restores = self._enhancer.restores
        needed = least_bytes(kind, *layout, frames=FRAMES_OF_PICTURE, restores=restores)
        more = needed - self._taken_bytes  # what the size before took is given back
        room = self._device.room_for(more, f"{kind} at {frame.width}x{frame.height}")
        self._layout, self._taken_bytes = layout, needed
        return room

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        self._enhancer.reset()

    def most_needed(self) -> float:
        """See `SparingEnhancer`."""
        return self._enhancer.most_needed()


def check_gpu(device: str) -> EngineChoice:
    """Check that a GPU is there with what it needs, and say what runs models there.

    The driver and the libraries are asked; nothing is opened on the GPU, compiled or loaded.

    Args:
        device: such as "cuda:1".

    Raises:
        DeviceError: the GPU, or what it needs, is missing.
        ModelError: nothing that runs models on it is installed.
    """
    index = device_index(device)
    cupy_for(index)
    check_compiler()
    choice = choose_engine(index)
    if choice.flavour is None and find_spec("torch") is None:
        raise no_runtime(f"cuda:{index}", "torch")
    return choice


def make_round_trip(
    model: str | Path,
    device: str,
    *,
    strength: float = 1.0,
    aim: Aim = Aim(),  # noqa: B008 - it is immutable
    denoise: Denoise = "off",
    choice: EngineChoice | None = None,
    memory: CudaDevice | None = None,
    sizes_change: bool = False,
    reduced: bool = False,
    on_build: Callable[[Building], None] | None = None,
) -> RoundTripEnhancer:
    """Load a model on a GPU as the enhancer of one stream of frames in main memory.

    Args:
        model: `grid`, `unet`, or a model file.
        device: such as "cuda:1".
        strength: 0 leaves the picture as it is, 1 is the model's own output, 2 is the most.
        aim: when pictures are made bright, and how bright.
        denoise: how much noise is taken out first; see `Restorer`, and `DeviceRestorer`.
        choice: what `check_gpu` said of the device, where it was asked.
        memory: the device, opened, in whose memory enhanced frames stay, each with a way to fetch
            it; None copies them back at once. The enhancer has a stream of its own: several, in
            threads of their own, may share that memory.
        sizes_change: as for `make_cuda_enhancer`.
        reduced: as for `make_cuda_enhancer`.
        on_build: called while a TensorRT engine is built, from TensorRT's threads.

    Raises:
        ModelError: there is no such model, its file cannot be used, or what it needs is missing.
        DeviceError: the GPU or what it needs is missing.
        EngineError: an engine cannot be built, or there is not enough memory.
    """
    choice = choice or check_gpu(device)
    gpu = CudaDevice(device_index(device))
    enhancer = make_cuda_enhancer(
        model,
        gpu,
        strength=strength,
        aim=aim,
        denoise=denoise,
        flavour=choice.flavour,
        sizes_change=sizes_change,
        reduced=reduced,
        on_build=on_build,
    )
    limits = left_undone(find_model(model).description, denoise=denoise)
    notices = (*choice.notices, *limits)
    return RoundTripEnhancer(enhancer, gpu, notices=notices, stays=memory is not None)
