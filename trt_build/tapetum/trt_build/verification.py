"""Verifies an engine before it is used: runs it with no more than the driver, and compares.

What it should compute is what OpenVINO makes of the float32 network on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.cpu_runtime import cpu_runtime
from tapetum.gan.errors import EngineError, ModelError
from tapetum.trt_build.cuda_driver import CudaDriver
from tapetum.trt_build.flavour import Flavour
from tapetum.trt_build.loaded_engine import LoadedEngine, check_loads
from tapetum.trt_build.profile import size_text

if TYPE_CHECKING:
    import onnx


PSNR_FLOOR_DB = 45.0
"""Float16's rounding leaves 60 dB or so; a wrong kernel, or a frozen branch, some 20."""

PSNR_CEILING_DB = 200.0
"""What counts as equal: float32's own rounding leaves 150 dB or so. Infinity is not JSON."""

Array = npt.NDArray[Any]


def psnr_db(output: Array, reference: Array) -> float:
    """Peak signal-to-noise ratio, the peak being the range of the reference.

    Args:
        output: what was computed, any shape.
        reference: what should have been, the same shape.

    Returns:
        dB, at most `PSNR_CEILING_DB`; minus infinite where the output is not finite.

    Raises:
        EngineError: the shapes differ.
    """
    if output.shape != reference.shape:
        raise EngineError(
            f"the engine gives shape {output.shape}, its reference {reference.shape}: rebuild it"
        )
    exact, found = reference.astype(np.float64), output.astype(np.float64)
    if not np.isfinite(found).all():
        return -math.inf
    error = float(np.mean((found - exact) ** 2))
    span = float(np.ptp(exact)) or 1.0
    if error == 0:
        return PSNR_CEILING_DB
    return min(10 * math.log10(span**2 / error), PSNR_CEILING_DB)


def lowest_psnr_db(
    pictures: Iterable[Array],
    outputs: Iterable[Array],
    reference: Callable[[Array], Array],
    floor_db: float = PSNR_FLOOR_DB,
) -> float:
    """Lowest PSNR of an engine's outputs, where each is good enough to use the engine.

    Args:
        pictures: the inputs, (1, 3, H, W), at least one.
        outputs: what the engine made of each.
        reference: the float32 network.
        floor_db: the least PSNR to accept.

    Raises:
        EngineError: a PSNR is below the floor, or shapes differ.
    """
    return min(
        _checked_psnr_db(picture, output, reference, floor_db)
        for picture, output in zip(pictures, outputs, strict=True)
    )


def _checked_psnr_db(
    picture: Array, output: Array, reference: Callable[[Array], Array], floor_db: float
) -> float:
    found_db = psnr_db(output, reference(picture))
    if not found_db >= floor_db:
        raise EngineError(
            f"the engine differs from its reference at {size_text(picture.shape[2:])} (PSNR "
            f"{found_db:.1f} dB, at least {floor_db:g} wanted) and is refused: try another "
            "TensorRT version or --runtime"
        )
    return found_db


def reference_output(
    network: onnx.ModelProto, picture: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Run a network once.

    Args:
        network: float32, of one input and one output.
        picture: its input.

    Raises:
        ModelError: the CPU's runtime cannot run the network.
    """
    if cpu_runtime() == "onnxruntime":
        from tapetum.gan.onnxruntime_runtime import session

        reference = session(network.SerializeToString(), "the network")
        given = {network.graph.input[0].name: picture}
        found: npt.NDArray[np.float32] = reference.run(None, given)[0]
        return found
    from tapetum.gan.openvino_runtime import core

    try:
        read = core().read_model(network.SerializeToString())
        read.reshape(list(picture.shape))
        compiled = core().compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        output: npt.NDArray[np.float32] = compiled([picture])[0]
    except RuntimeError as error:
        first_line = str(error).strip().partition("\n")[0]
        raise ModelError(f"the network cannot be run to verify its engine: {first_line}") from error
    return output


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
