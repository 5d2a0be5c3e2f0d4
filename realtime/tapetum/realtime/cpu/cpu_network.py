"""A network on the CPU, by the runtime that this installation has."""

from __future__ import annotations

from tapetum.gan.cpu_runtime import cpu_runtime
from tapetum.realtime.cpu.network_shapes import Precision
from tapetum.realtime.cpu.onnxruntime_engine import OnnxRuntimeModel
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel, has_native_bf16

CpuNetwork = OpenVINOModel | OnnxRuntimeModel


def network_class() -> type[OpenVINOModel] | type[OnnxRuntimeModel]:
    """What reads networks here."""
    return OpenVINOModel if cpu_runtime() == "openvino" else OnnxRuntimeModel


def cpu_network(
    model: bytes,
    name: str = "the given model",
    *,
    threads: int | None,
    precision: Precision,
    keep: bool = False,
) -> CpuNetwork:
    """Read a network; see `OpenVINOModel`.

    Raises:
        ModelError: it is not a network.
        EngineError: the precision is not to be had here.
    """
    return network_class()(model, name, threads=threads, precision=precision, keep=keep)


def best_precision() -> Precision:
    """What `auto` stands for here."""
    return "bf16" if cpu_runtime() == "openvino" and has_native_bf16() else "f32"
