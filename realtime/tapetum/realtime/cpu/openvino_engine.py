"""Runs a network on the CPU with OpenVINO."""

from __future__ import annotations

import hashlib
import io
import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.build_cache import keep_content, kept_content
from tapetum.gan.machine import usable_cores
from tapetum.gan.model_kinds import Shape
from tapetum.gan.openvino_runtime import core, openvino, read_network
from tapetum.realtime.cpu.network_shapes import Precision, another_model, checked_batch
from tapetum.realtime.errors import EngineError, ModelError

_log = logging.getLogger(__name__)


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
        keep: bool = False,
    ) -> None:
        """Read a network.

        Args:
            model: an ONNX file's bytes.
            name: what errors call the file.
            threads: CPU threads for a run; None takes all that this process may use.
            precision: what the network is computed in.
            keep: whether what is compiled is kept on the disk, and taken from there if it is known:
                for networks that many starts have in common.

        Raises:
            ModelError: it is not a network.
            EngineError: `bf16` is asked for on a CPU without it.
        """
        self.name = name
        self._threads = threads or usable_cores()
        self._precision = _checked_precision(precision)
        self._network = read_network(model, name)
        self._sha256 = hashlib.sha256(model).hexdigest() if keep else ""

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
        if not self._sha256:
            return OpenVINOEngine(self._compiled(network), self.description)
        name = self._kept_name(input_shape)
        compiled = self._taken_up(kept_content(name))
        if compiled is None:
            compiled = self._compiled(network)
            exported = io.BytesIO()
            compiled.export_model(exported)
            keep_content(name, exported.getvalue())
        return OpenVINOEngine(compiled, self.description)

    def _compiled(self, network: Any) -> Any:  # noqa: ANN401 - OpenVINO has no types here
        try:
            return core().compile_model(network, "CPU", self._properties)
        except RuntimeError as error:
            raise ModelError(f"{self.name} cannot be compiled: {_first_line(error)}") from error

    def _taken_up(self, kept: bytes) -> Any:  # noqa: ANN401
        """What an earlier start compiled; None where that is nothing that can be used here."""
        if not kept:
            return None
        try:
            return core().import_model(kept, "CPU", self._properties)
        except RuntimeError as error:
            _log.info("%s is compiled anew: %s", self.name, _first_line(error))
            return None

    @property
    def _properties(self) -> dict[str, object]:
        return {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self._precision,
            "INFERENCE_NUM_THREADS": self._threads,
            # Pinned threads would wait for an encoder's thread on the same core.
            "ENABLE_CPU_PINNING": False,
        }

    def _kept_name(self, input_shape: Shape) -> str:
        """Holds the network, how it is computed, the runtime's build and the processor."""
        abilities = ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
        processor = [core().get_property("CPU", ability) for ability in abilities]
        what = self._sha256, input_shape, self._properties, openvino().__version__, processor
        return f"network-{hashlib.sha256(repr(what).encode()).hexdigest()[:32]}.blob"


class OpenVINOEngine:
    """A network compiled for one input shape; made by `OpenVINOModel.compile`."""

    def __init__(self, compiled: Any, description: str) -> None:  # noqa: ANN401
        self._request = compiled.create_infer_request()
        self._tensor = openvino().Tensor
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
        # OpenVINO takes memory that may be written to.
        given = np.require(checked_batch(batch, self._input_shape), requirements="W")
        try:
            # `infer(batch)` would first look up what each input may be, which takes a tenth.
            self._request.set_input_tensor(self._tensor(given, shared_memory=True))
            self._request.infer()
        except RuntimeError as error:
            raise EngineError(f"the network failed: {_first_line(error)}") from error
        output: npt.NDArray[np.float32] = self._request.get_output_tensor().data.copy()
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
