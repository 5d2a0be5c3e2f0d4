"""Runs a model with TensorRT or TensorRT-RTX, on the device's own stream and memory.

Engines come from `tapetum.trt_build`'s cache; one that is not there is built, and verified,
first. Neither TensorRT nor `onnx` is imported before a model is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tapetum.gan.model import Model
from tapetum.gan.model_kinds import THUMBNAIL_SHAPE, Size
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.gpu_faults import faults_told
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, address, check_array
from tapetum.realtime.progress import Building

if TYPE_CHECKING:
    from tapetum.trt_build import EngineFile, EngineRequest
    from tapetum.trt_build.flavour import Flavour

_PRODUCTS = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX"}
_SMALLEST, _USUAL, _LARGEST = (64, 64), (720, 1280), (1088, 1920)
"""Heights and widths of one engine for video whose size changes, where that is wide."""


class TensorRTModel:
    """A model whose engines are built for one GPU: `DeviceModel`."""

    def __init__(
        self,
        model: Model,
        device: ComputeDevice,
        flavour: Flavour,
        *,
        sizes_change: bool = False,
        on_build: Callable[[Building], None] | None = None,
    ) -> None:
        """Look at the model; no engine is built yet.

        Args:
            model: what it runs.
            device: where its engines will run; TensorRT supports that GPU.
            flavour: the TensorRT.
            sizes_change: whether one engine of `unet` is to serve frames of many sizes, up to
                1080p: a build takes minutes. It is best at 720p.
            on_build: called while an engine is built, from TensorRT's threads; must not raise.

        Raises:
            ModelError: its file cannot be used.
        """
        self._model, self._device, self._flavour = model, device, flavour
        self._on_build, self._sizes_change = on_build, sizes_change
        self.kind = model.description.kind

    @property
    def description(self) -> str:
        """What runs where, like "cuda:0, TensorRT 11.0.0 f16"."""
        flavour = self._flavour
        return f"{self._device.name}, {_PRODUCTS[flavour.name]} {flavour.version} f16"

    def compile(self, shape: tuple[int, ...]) -> TensorRTEngine:
        """Load the engine for inputs of one shape; build it first if there is none.

        Raises:
            ModelError: the model does not take this shape.
            EngineError: the build fails, the engine computes something else than the network, or
                there is not enough memory.
        """
        kept: list[TensorRTEngine] = []
        built = self._built(shape, lambda found: kept.append(self._loaded(found, shape)))
        return kept[0] if kept else self._loaded(built, shape)

    def _loaded(self, built: EngineFile, shape: tuple[int, ...]) -> TensorRTEngine:
        return TensorRTEngine(built, self._flavour, self._device, shape, self.description)

    def _built(self, shape: tuple[int, ...], try_kept: Callable[[EngineFile], None]) -> EngineFile:
        from tapetum.trt_build import build_engine

        request = self._request(shape)
        report, name = self._on_build or (lambda _: None), self._model.name
        return build_engine(
            name,
            request,
            try_kept=try_kept,
            on_start=lambda start: report(Building(str(start))),
            on_phase=lambda at: report(Building(name, at.name, at.step, at.steps)),
        )

    def _request(self, shape: tuple[int, ...]) -> EngineRequest:
        """The engine for inputs of a shape: for it alone, or for sizes that a stream may get."""
        from tapetum.trt_build import EngineRequest
        from tapetum.trt_build.gpu import device_index

        size: Size = shape[2], shape[3]
        smallest = best = largest = None
        if not (self.kind == "grid" and shape == THUMBNAIL_SHAPE):
            best = size
        if best is not None and self._sizes_change and self._model.description.fixed_size is None:
            smallest, best, largest = _sizes_around(size)
        return EngineRequest(
            size=best,
            smallest=smallest,
            largest=largest,
            runtime=self._flavour.name,
            gpu_index=device_index(self._device.name),
        )


def _sizes_around(size: Size) -> tuple[Size, Size, Size]:
    """Smallest, best and largest size of the engine that serves a size; one engine serves most."""
    sizes = _SMALLEST, _USUAL, _LARGEST
    if size[0] > size[1]:  # a telephone held upright
        sizes = (_SMALLEST[::-1], _USUAL[::-1], _LARGEST[::-1])
    fits = all(low <= at <= high for low, at, high in zip(sizes[0], size, sizes[2], strict=True))
    return sizes if fits else (size, size, size)


class TensorRTEngine:
    """A loaded engine: `DeviceEngine`."""

    def __init__(
        self,
        built: EngineFile,
        flavour: Flavour,
        device: ComputeDevice,
        shape: tuple[int, ...],
        description: str,
    ) -> None:
        """Load an engine onto a device.

        Args:
            built: the engine.
            flavour: the TensorRT that built it.
            device: where it will run.
            shape: of its input.
            description: device, runtime and precision.

        Raises:
            StaleEngineError: it is broken, or of another version or GPU.
            DeviceError: the GPU is lost, or full.
            EngineError: it does not load for another reason, or takes another shape.
        """
        from tapetum.trt_build.engine_cache import kept_kernels
        from tapetum.trt_build.loaded_engine import LoadedEngine

        self.description = description
        self._device, self._built = device, built
        with device.context(), faults_told(description, device):
            self._engine = LoadedEngine(
                built.path.read_bytes(), flavour, kept_kernels=kept_kernels(built)
            )
            output_shape = self._engine.set_input_shape(shape)
            self.capturable = self._engine.can_be_captured(device.stream_address or 0)
        self._input = shape, self._engine.input.dtype
        self._output_size = int(np.prod(output_shape))
        self._has_run = False

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run: read `batch`, fill `result`; both are without gaps.

        Raises:
            DeviceError: the GPU is lost, or full.
            EngineError: TensorRT refuses to run.
            ValueError: the arrays are not of the engine's shapes and types.
        """
        check_array(batch, *self._input)
        check_array(result, result.shape, self._engine.output.dtype)
        if int(np.prod(result.shape)) != self._output_size:
            raise ValueError(f"the engine gives {self._output_size} numbers, not {result.shape}")
        source, target = address(batch), address(result)
        with faults_told(self.description, self._device):
            self._device.enqueue(lambda stream: self._engine.run(stream, source, target))
        if not self._has_run:
            self._has_run = True
            self._keep_kernels()

    def _keep_kernels(self) -> None:
        """Spare the next process what TensorRT-RTX has compiled in the first run."""
        from tapetum.trt_build.engine_cache import keep_kernels

        keep_kernels(self._built, self._engine.kernels_to_keep())
