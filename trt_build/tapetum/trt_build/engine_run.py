"""Runs an engine on a few pictures, with no more than the driver: for verification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.trt_build.cuda_driver import CudaDriver
from tapetum.trt_build.flavour import Flavour
from tapetum.trt_build.loaded_engine import LoadedEngine, check_loads


def check_loads_on(plan: bytes, flavour: Flavour, gpu_index: int) -> None:
    """Load an engine and unload it, as `check_loads` does, on a GPU of this machine.

    Raises:
        StaleEngineError: the engine is broken, or of another version or GPU.
        EngineError: there is no driver that serves this TensorRT, or not enough memory.
        DeviceError: the GPU or its driver fails.
    """
    with CudaDriver().on_device(gpu_index):
        check_loads(plan, flavour)


def run_engine(
    plan: bytes, flavour: Flavour, gpu_index: int, pictures: Sequence[npt.NDArray[np.float32]]
) -> list[npt.NDArray[np.float32]]:
    """Load an engine, run it once for each picture, and unload it.

    Args:
        plan: the serialised engine.
        flavour: the TensorRT that built it.
        gpu_index: the GPU to run it on.
        pictures: its inputs, of sizes that it takes; converted to the type that it takes.

    Returns:
        Its outputs as float32.

    Raises:
        DeviceError: the GPU or its driver fails, or has not enough memory.
        EngineError: the engine does not load or run.
    """
    driver = CudaDriver()
    with driver.on_device(gpu_index):  # in which the engine is unloaded too
        return _outputs(driver, LoadedEngine(plan, flavour), pictures)


def _outputs(
    driver: CudaDriver, engine: LoadedEngine, pictures: Sequence[npt.NDArray[Any]]
) -> list[npt.NDArray[np.float32]]:
    return [_run(driver, engine, picture) for picture in pictures]


def _run(driver: CudaDriver, engine: LoadedEngine, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    given = np.ascontiguousarray(picture, engine.input.dtype)
    shape = engine.set_input_shape(given.shape)
    size_bytes = int(np.prod(shape)) * engine.output.dtype.itemsize
    with driver.memory(given.nbytes) as source, driver.memory(size_bytes) as target:
        driver.put(source, given)
        with driver.stream() as stream:
            engine.run(stream, source, target)
        return driver.get(target, shape, engine.output.dtype).astype(np.float32)
