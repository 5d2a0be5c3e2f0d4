"""A serialised engine in the memory of a GPU, ready to run: TensorRT and TensorRT-RTX alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tapetum.gan.errors import EngineError
from tapetum.trt_build.engine_cache import StaleEngineError
from tapetum.trt_build.flavour import Flavour
from tapetum.trt_build.tensorrt_log import (
    calls_for_rebuild,
    collecting_logger,
    explained,
    started,
)


@dataclass(frozen=True, slots=True)
class Binding:
    """An engine's input or output.

    Attributes:
        name: as in the ONNX model.
        dtype: of its elements.
        shape: -1 for what may vary.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class LoadedEngine:
    """An engine of one input and one output, on the GPU that is current when it is made.

    It owns no buffers: a run is given the addresses of the input and the output, both without
    gaps, and a stream.

    Attributes:
        input: what it reads.
        output: what it fills.
    """

    def __init__(self, plan: bytes, flavour: Flavour, *, kept_kernels: bytes = b"") -> None:
        """Load an engine.

        Args:
            plan: the serialised engine.
            flavour: the TensorRT that built it.
            kept_kernels: what `kernels_to_keep` gave in an earlier process, or empty.

        Raises:
            StaleEngineError: the engine is broken, or of another version or GPU.
            EngineError: there is no driver that serves this TensorRT, or not enough memory.
        """
        self._flavour = flavour
        self._errors: list[str] = []
        self._logger = collecting_logger(flavour.trt, self._errors)
        self._runtime, self._engine = _deserialized(plan, flavour, self._logger, self._errors)
        self.input, self.output = self._binding(0), self._binding(1)
        self._kernels: Any = None
        self._context = self._new_context(kept_kernels, records=False)

    def set_input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Choose the input's shape.

        Returns:
            The output's shape.

        Raises:
            EngineError: the engine does not take it.
        """
        if not self._context.set_input_shape(self.input.name, shape):
            raise self._failed(f"takes no input of shape {shape}")
        return tuple(self._context.get_tensor_shape(self.output.name))

    def run(self, stream: int, source: int, target: int) -> None:
        """Queue a run on a stream.

        Args:
            stream: address of a CUDA stream that is not the default one.
            source: address of the input.
            target: address of the output.

        Raises:
            EngineError: TensorRT refuses it.
        """
        for name, address in ((self.input.name, source), (self.output.name, target)):
            if not self._context.set_tensor_address(name, address):
                raise self._failed(f"takes no address of {name}")
        if not self._context.execute_async_v3(stream):
            raise self._failed("does not run the engine")

    def can_be_captured(self, stream: int) -> bool:
        """Whether a run may be a part of a CUDA graph that the caller captures.

        TensorRT's engines may, once they have run with the shape of their input. Where
        TensorRT-RTX says that its engine may not, it is told to capture a graph of its own.
        """
        if self._flavour.name == "tensorrt":
            return True
        if self._context.is_stream_capturable(stream):
            return True
        shape = tuple(self._context.get_tensor_shape(self.input.name))
        self._context = self._new_context(self.kernels_to_keep(), records=True)
        self.set_input_shape(shape)
        return False

    def kernels_to_keep(self) -> bytes:
        """The kernels that TensorRT-RTX compiled while it ran, for the next process; or empty."""
        serialized = None if self._kernels is None else self._kernels.serialize()
        return b"" if serialized is None else bytes(serialized)

    def _binding(self, index: int) -> Binding:
        name = self._engine.get_tensor_name(index)
        dtype = np.dtype(self._flavour.trt.nptype(self._engine.get_tensor_dtype(name)))
        return Binding(name, dtype, tuple(self._engine.get_tensor_shape(name)))

    def _new_context(self, kept_kernels: bytes, *, records: bool) -> Any:  # noqa: ANN401
        if self._flavour.name == "tensorrt":
            context = self._engine.create_execution_context()
        else:
            self._settings = self._new_settings(kept_kernels, records=records)
            context = self._engine.create_execution_context(self._settings)
        if context is None:
            raise self._failed("does not start the engine")
        return context

    def _new_settings(self, kept_kernels: bytes, *, records: bool) -> Any:  # noqa: ANN401
        """TensorRT-RTX compiles kernels when it runs, and can capture graphs itself."""
        settings = self._engine.create_runtime_config()
        self._kernels = settings.create_runtime_cache()
        if kept_kernels:  # those of another GPU or version are refused, and compiled anew
            self._kernels.deserialize(kept_kernels)
        settings.set_runtime_cache(self._kernels)
        if records:
            settings.cuda_graph_strategy = self._flavour.trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        return settings

    def _failed(self, what: str) -> EngineError:
        reason = explained(self._errors)
        self._errors.clear()
        return EngineError(f"{self._flavour.name} {self._flavour.version} {what}: {reason}")


def check_loads(plan: bytes, flavour: Flavour) -> None:
    """Load an engine on the current GPU and unload it.

    Raises:
        StaleEngineError: the engine is broken, or of another version or GPU.
        EngineError: there is no driver that serves this TensorRT, or not enough memory.
    """
    errors: list[str] = []
    _deserialized(plan, flavour, collecting_logger(flavour.trt, errors), errors)


def _deserialized(
    plan: bytes,
    flavour: Flavour,
    logger: Any,  # noqa: ANN401 - TensorRT's objects
    errors: list[str],
) -> tuple[Any, Any]:
    """The runtime, which must outlive the engine, and the engine."""
    runtime = started(flavour.trt.Runtime, logger, errors)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        kind = StaleEngineError if calls_for_rebuild(errors) else EngineError
        reason = explained(errors)
        raise kind(f"{flavour.name} {flavour.version} does not load the engine: {reason}")
    return runtime, engine
