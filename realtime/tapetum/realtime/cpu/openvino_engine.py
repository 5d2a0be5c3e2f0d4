"""Runs a network on the CPU with OpenVINO."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.machine import usable_cores
from tapetum.gan.model_kinds import Shape
from tapetum.gan.openvino_runtime import core, openvino, read_network
from tapetum.realtime.cpu.network_shapes import Precision, another_model, checked_batch
from tapetum.realtime.errors import EngineError, ModelError


class OpenVINOModel:
    """A network read and checked, to be compiled for one input shape or several.

    Example:
        model = OpenVINOModel(find_model("unet").onnx(), precision="auto")
        engine = model.compile((1, 3, 368, 640))
    """

    def __init__(
        self,
        model: bytes,
        name: str = "the given model",
        *,
        threads: int | None = 1,
        precision: Precision = "f32",
    ) -> None:
        """Read a network.

        Args:
            model: an ONNX file's bytes.
            name: what errors call the file.
            threads: CPU threads for a run; None takes all that this process may use.
            precision: what the network is computed in.

        Raises:
            ModelError: it is not a network.
            EngineError: `bf16` is asked for on a CPU without it.
        """
        self.name = name
        self._threads = threads or usable_cores()
        self._precision = _checked_precision(precision)
        self._network = read_network(model, name)

    @property
    def description(self) -> str:
        """Device, runtime and precision, like "CPU, OpenVINO f32"."""
        return f"CPU, OpenVINO {self._precision}"

    def compile(self, input_shape: Shape, output_shape: Shape | None = None) -> OpenVINOEngine:
        """Compile the network for one input shape.

        Args:
            input_shape: (N, C, H, W).
            output_shape: what the network must give, by default anything.

        Raises:
            ModelError: the network does not take or give these shapes.
        """
        network = self._network.clone()
        found = f"{network.input(0).partial_shape} to {network.output(0).partial_shape}"
        if not _fits(network, input_shape, output_shape):
            raise another_model(self.name, found, input_shape, output_shape)
        return OpenVINOEngine(self._compiled(network), self.description)

    def _compiled(self, network: Any) -> Any:  # noqa: ANN401 - OpenVINO has no types here
        properties: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self._precision,
            "INFERENCE_NUM_THREADS": self._threads,
            # Pinned threads would wait for an encoder's thread on the same core.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            return core().compile_model(network, "CPU", properties)
        except RuntimeError as error:
            raise ModelError(f"{self.name} cannot be compiled: {_first_line(error)}") from error


class OpenVINOEngine:
    """A network compiled for one input shape; made by `OpenVINOModel.compile`."""

    def __init__(self, compiled: Any, description: str) -> None:  # noqa: ANN401
        self._request = compiled.create_infer_request()
        self._input_shape = tuple(compiled.input(0).shape)
        self._description = description

    @property
    def description(self) -> str:
        """Device, runtime and precision, like "CPU, OpenVINO f32"."""
        return self._description

    def __call__(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network on one batch.

        Returns:
            A new array.

        Raises:
            EngineError: `batch` is not of the compiled shape and type, or the run fails.
        """
        given = checked_batch(batch, self._input_shape)
        try:
            results = self._request.infer([given], share_inputs=True)
        except RuntimeError as error:
            raise EngineError(f"the network failed: {_first_line(error)}") from error
        output: npt.NDArray[np.float32] = results[0]
        return output


def has_native_bf16() -> bool:
    """Whether this CPU computes bfloat16 faster than float32."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _checked_precision(precision: Precision) -> str:
    native = has_native_bf16()
    if precision == "bf16" and not native:
        raise EngineError("this CPU has no bf16 instructions; use precision f32 or auto")
    if precision == "auto":
        return "bf16" if native else "f32"
    return precision


def _fits(network: Any, input_shape: Shape, output_shape: Shape | None) -> bool:  # noqa: ANN401
    """Give the network its input shape; False if it, or what comes out, does not fit."""
    wanted_input = openvino().PartialShape(list(input_shape))
    if not network.input(0).partial_shape.compatible(wanted_input):
        return False
    try:
        network.reshape(wanted_input)
    except RuntimeError:
        return False
    if output_shape is None:
        return True
    return bool(
        network.output(0).partial_shape.compatible(openvino().PartialShape(list(output_shape)))
    )


def _first_line(error: RuntimeError) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "no reason given")
