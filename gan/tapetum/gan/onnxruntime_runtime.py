"""ONNX Runtime, which computes networks where OpenVINO has no package.

Its builds for Windows report events to the system's tracing; they are told not to.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import Shape


@cache
def onnxruntime() -> Any:  # noqa: ANN401 - ONNX Runtime has no types
    """The module, imported when it is first needed.

    Raises:
        ImportError: it is not installed.
    """
    module = importlib.import_module("onnxruntime")
    module.disable_telemetry_events()
    module.set_default_logger_severity(3)  # errors are raised; its warnings tell no user anything
    return module


def failures() -> tuple[type[Exception], ...]:
    """What it raises: its exceptions have no class in common."""
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    kinds = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
    return (*(getattr(state, kind) for kind in kinds), state.RuntimeException, RuntimeError)


def session(serialized: bytes, name: str, *, threads: int = 1, optimised: bool = True) -> Any:  # noqa: ANN401
    """Read an ONNX file's bytes as an `onnxruntime.InferenceSession` on the CPU.

    Args:
        serialized: the bytes.
        name: what errors call the file.
        threads: for a run.
        optimised: whether it is to be run, and not only looked at.

    Raises:
        ModelError: they are no network of one input and one output, or nothing is installed that
            computes networks on a CPU.
    """
    try:
        runtime = onnxruntime()
    except ModuleNotFoundError as error:
        raise ModelError(
            "the CPU needs OpenVINO or ONNX Runtime, and neither is installed: pip install openvino"
        ) from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        made = runtime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])
    except failures() as error:
        raise ModelError(f"{name} is not an ONNX model, or is damaged; fetch it again") from error
    inputs, outputs = len(made.get_inputs()), len(made.get_outputs())
    if (inputs, outputs) != (1, 1):
        raise ModelError(
            f"{name} has {inputs} inputs and {outputs} outputs; an enhancing network has one of"
            " each"
        )
    return made


def session_shapes(made: Any) -> tuple[Shape, Shape]:  # noqa: ANN401
    """The lengths of a session's input and output, 0 for what may vary."""
    return _lengths(made.get_inputs()[0].shape), _lengths(made.get_outputs()[0].shape)


def _lengths(shape: list[Any] | None) -> Shape:
    return tuple(length if isinstance(length, int) else 0 for length in shape or ())
