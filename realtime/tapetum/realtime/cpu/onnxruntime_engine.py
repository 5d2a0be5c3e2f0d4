"""Runs a network on the CPU with ONNX Runtime, where OpenVINO has no package."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.cpu_runtime import shape_text
from tapetum.gan.machine import usable_cores
from tapetum.gan.model_kinds import Shape
from tapetum.gan.onnxruntime_runtime import failures, onnxruntime, session, session_shapes
from tapetum.realtime.cpu.network_shapes import Precision, another_model, checked_batch
from tapetum.realtime.errors import EngineError


class OnnxRuntimeModel:
    """A network read and checked, with the interface of `OpenVINOModel`.

    Nothing is compiled for a shape: all engines of a model share one session.
    """

    def __init__(
        self,
        model: bytes,
        name: str = "the given model",
        *,
        threads: int | None = 1,
        precision: Precision = "f32",
        keep: bool = False,  # noqa: ARG002 - nothing is compiled
    ) -> None:
        """Read a network.

        Args:
            model: an ONNX file's bytes.
            name: what errors call the file.
            threads: CPU threads for a run; None takes all that this process may use.
            precision: `f32`, which is what `auto` stands for.
            keep: as for `OpenVINOModel`; of no effect.

        Raises:
            ModelError: it is not a network.
            EngineError: `bf16` is asked for.
        """
        if precision == "bf16":
            raise EngineError("ONNX Runtime computes in f32 here; use precision f32 or auto")
        self.name = name
        self._threads = threads or usable_cores()
        self._session = session(model, name, threads=self._threads)

    @property
    def description(self) -> str:
        """Device, runtime and precision, like "CPU, ONNX Runtime f32"."""
        return "CPU, ONNX Runtime f32"

    def compile(self, input_shape: Shape, output_shape: Shape | None = None) -> OnnxRuntimeEngine:
        """An engine for one input shape.

        Args:
            input_shape: (N, C, H, W).
            output_shape: what the network must give, by default anything.

        Raises:
            ModelError: the network does not take or give these shapes.
        """
        takes, gives = session_shapes(self._session)
        if not (_fits(takes, input_shape) and (not output_shape or _fits(gives, output_shape))):
            found = f"{shape_text(takes)} to {shape_text(gives)}"
            raise another_model(self.name, found, input_shape, output_shape)
        return OnnxRuntimeEngine(self._session, input_shape, self.description)


class OnnxRuntimeEngine:
    """A network for one input shape; made by `OnnxRuntimeModel.compile`."""

    def __init__(self, session: Any, input_shape: Shape, description: str) -> None:  # noqa: ANN401
        self._session = session
        self._input_name = session.get_inputs()[0].name
        self._input_shape = input_shape
        self._description = description

    @property
    def description(self) -> str:
        """Device, runtime and precision, like "CPU, ONNX Runtime f32"."""
        return self._description

    def __call__(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network on one batch.

        Returns:
            A new array.

        Raises:
            EngineError: `batch` is not of the engine's shape and type, or the run fails.
        """
        given = checked_batch(batch, self._input_shape)
        try:
            results = self._session.run(None, {self._input_name: given})
        except failures() as error:
            reason = str(error).partition("\n")[0] or "no reason given"
            raise EngineError(f"the network failed: {reason}") from error
        output: npt.NDArray[np.float32] = results[0]
        return output


def version() -> str:
    """That of ONNX Runtime."""
    return str(onnxruntime().__version__)


def _fits(has: Shape, wanted: Shape) -> bool:
    """Whether a network's shape, 0 for what may vary, can be the wanted one; an unknown one can."""
    if not has:
        return True
    return len(has) == len(wanted) and all(
        length in {0, want} for length, want in zip(has, wanted, strict=True)
    )
