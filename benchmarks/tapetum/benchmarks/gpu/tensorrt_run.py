"""Runs an engine of `tapetum.trt_build` with TensorRT or TensorRT-RTX, on a device's stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tapetum.gan.errors import EngineError
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, address
from tapetum.trt_build.engine import EngineRequest, build_engine
from tapetum.trt_build.flavour import FlavourName, load_flavour


class TensorRTRun:
    """A network that TensorRT runs; its engine is built first where the cache has none."""

    def __init__(
        self, weights: Path, device: ComputeDevice, shape: tuple[int, ...], name: FlavourName
    ) -> None:
        """Build or find the engine, and load it.

        Raises:
            DeviceError: TensorRT does not build for this GPU.
            EngineError: TensorRT is not installed, or the engine does not load.
        """
        flavour = load_flavour(name)
        size = None if shape[2:] == (256, 256) else (shape[2], shape[3])
        built = build_engine(weights, EngineRequest(size=size, runtime=name))
        trt = flavour.trt
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        engine = self._runtime.deserialize_cuda_engine(built.path.read_bytes())
        if engine is None:
            raise EngineError(f"{name} {flavour.version} does not load {built.path}")
        self._context: Any = engine.create_execution_context()
        self._engine, self._name = engine, f"{name} {flavour.version}"
        self._input, self._output = (engine.get_tensor_name(index) for index in range(2))
        if not self._context.set_input_shape(self._input, shape):
            raise EngineError(f"{self._name} takes no input of shape {shape}")
        self.input_dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(self._input)))
        self.description = f"{device.name}, {self._name} f16"
        self._stream = device.stream_address

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run.

        Raises:
            EngineError: TensorRT refuses it.
        """
        self._context.set_tensor_address(self._input, address(batch))
        self._context.set_tensor_address(self._output, address(result))
        if not self._context.execute_async_v3(self._stream):
            raise EngineError(f"{self._name} does not run its engine")
