"""Which runtime computes networks on this CPU: OpenVINO, or ONNX Runtime where that lacks one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Literal

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import DESCRIPTIONS, LIGHT, ModelDescription, Shape, described_network

CpuRuntime = Literal["openvino", "onnxruntime"]
"""Also the names of their packages."""


@cache
def cpu_runtime() -> CpuRuntime:
    """The runtime that this installation has: the package's requirements choose it."""
    return "openvino" if find_spec("openvino") is not None else "onnxruntime"


def has_cpu_runtime() -> bool:
    """Whether it is installed: a bare machine with a GPU may lack it."""
    return find_spec(cpu_runtime()) is not None


def describe_onnx(serialized: bytes, name: str) -> ModelDescription:
    """What the bytes of an ONNX file are.

    Args:
        serialized: the bytes.
        name: what errors call the file.

    Raises:
        ModelError: they are no generator, or one with a light that is not known.
    """
    if cpu_runtime() == "openvino":
        from tapetum.gan.openvino_runtime import metadata, read_network, shapes

        network = read_network(serialized, name)
        return _described(metadata(network), *shapes(network), name)
    from tapetum.gan.onnxruntime_runtime import session, session_shapes

    network = session(serialized, name, optimised=False)
    return _described(network.get_modelmeta().custom_metadata_map, *session_shapes(network), name)


def _described(
    metadata: Mapping[str, str], input_shape: Shape, output_shape: Shape, name: str
) -> ModelDescription:
    found = described_network(metadata, input_shape, output_shape)
    if found is None:
        kinds = (
            f"a {kind} model ({shape_text(known.input_shape)} to {shape_text(known.output_shape)})"
            for kind, known in DESCRIPTIONS.items()
        )
        raise ModelError(
            f"{name} is neither {' nor '.join(kinds)}: it maps {shape_text(input_shape)} to"
            f" {shape_text(output_shape)}"
        )
    if found.light not in {None, LIGHT}:
        raise ModelError(
            f"{name} is for pictures that {found.light!r} made bright; this version knows {LIGHT}"
            " alone: update Tapetum, or export the model anew"
        )
    return found


def shape_text(shape: Shape) -> str:
    """Like "[1,3,?,?]", or "[...]" where not even the number of axes is known."""
    return f"[{','.join(str(length or '?') for length in shape) or '...'}]"
