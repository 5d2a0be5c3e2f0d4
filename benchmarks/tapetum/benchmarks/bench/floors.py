"""An estimate of how fast it could be: bytes over measured bandwidth, arithmetic over its peak.

Floors in the sense of Williams, Waterman, Patterson, "Roofline: an insightful visual performance
model for multicore architectures" (2009), with both roofs measured here and not taken from a
data sheet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np

from tapetum.benchmarks.bench.subjects import Network
from tapetum.gan.cpu_runtime import cpu_runtime
from tapetum.gan.machine import usable_cores
from tapetum.gan.openvino_runtime import core, openvino
from tapetum.realtime import Frame
from tapetum.realtime.cpu.cpu_network import best_precision
from tapetum.realtime.cpu.network_shapes import Precision

_COPIED_BYTES = 64 << 20
"""Larger than any cache of a core."""
_MATRIX = 1024
_ROUNDS = 8


@dataclass(frozen=True)
class Floor:
    """An estimate of the least time that this machine could take.

    Attributes:
        name: what bounds it.
        amount: how many bytes, floating-point operations or other things a frame takes at least.
        rate: how many of them a second, measured.
        ms: amount over rate.
        ratio: measured median over `ms`; None where nothing was measured.
    """

    name: str
    amount: float
    rate: float
    ms: float
    ratio: float | None = None

    def against(self, median_ms: float) -> Floor:
        """The floor beside a figure."""
        ratio = round(median_ms / self.ms, 2) if self.ms else None
        return Floor(self.name, self.amount, self.rate, self.ms, ratio)


def floors(frame: Frame, network: Network | None, *, streams: int = 1) -> list[Floor]:
    """What bounds the enhancing of one frame: its samples read once and written once; its network.

    The last floor is the sum of the others, because one stage follows the other.

    Args:
        frame: what is enhanced.
        network: what enhances it, where that is a network; its arithmetic counts with OpenVINO.
        streams: how many frames are enhanced at once; where they want more cores than there are,
            each has its share.
    """
    moved = 2 * sum(plane.size * plane.itemsize for plane in frame.planes)
    bandwidth = bytes_per_s() * _share_of_cores(streams, 1)
    found = [_floor("memory: read and write every sample once", moved, bandwidth)]
    # OpenVINO counts the operations, and measures the peak.
    if network is not None and cpu_runtime() == "openvino":
        count = network_flops(network.onnx, network.input_shape(frame))
        rate = _flops_per_s(network) * _share_of_cores(streams, network.threads)
        found.append(_floor("arithmetic of the network", count, rate))
        total_ms = sum(floor.ms for floor in found)
        found.append(Floor("both, one after the other", 1, 1e3 / total_ms, total_ms))
    return found


def _share_of_cores(streams: int, threads: int | None) -> float:
    """What each stream has of the rate that so many threads (None: all cores) would have alone."""
    cores = usable_cores()
    return min(1.0, cores / (streams * (threads or cores)))


def _floor(name: str, amount: float, rate: float) -> Floor:
    return Floor(name, amount, round(rate), round(amount / rate * 1000, 5))


@cache
def bytes_per_s() -> float:
    """Bandwidth of main memory for one thread: bytes read plus bytes written by a plain copy."""
    source = np.ones(_COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    return 2 * _COPIED_BYTES / _shortest_s(lambda: np.copyto(target, source))


def _flops_per_s(network: Network) -> float:
    precision = best_precision() if network.precision == "auto" else network.precision
    return flops_per_s(network.threads, precision)


@cache
def flops_per_s(threads: int | None, precision: Precision) -> float:
    """Rate of OpenVINO's own product of 1024x1024 matrices in a precision."""
    properties: dict[str, object] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_CPU_PINNING": False,
    }
    if threads is not None:
        properties["INFERENCE_NUM_THREADS"] = threads
    request = core().compile_model(_product_of_matrices(), "CPU", properties).create_infer_request()
    matrix = np.random.default_rng(0).random((_MATRIX, _MATRIX), np.float32)
    return 2 * _MATRIX**3 / _shortest_s(lambda: request.infer([matrix], share_inputs=True))


def _product_of_matrices() -> Any:  # noqa: ANN401 - OpenVINO has no types
    operations = openvino().opset13

    shape = [_MATRIX, _MATRIX]
    left = operations.parameter(shape, np.float32)
    weights = np.random.default_rng(1).random(shape, np.float32)
    product = operations.matmul(left, operations.constant(weights), False, False)
    return openvino().Model([product], [left])


def _shortest_s(work: Callable[[], object]) -> float:
    """The shortest of some rounds: a floor is what the machine can do undisturbed."""
    durations_s = []
    for _ in range(_ROUNDS):
        started_s = time.perf_counter()
        work()
        durations_s.append(time.perf_counter() - started_s)
    return min(durations_s)


def network_flops(onnx: bytes, input_shape: tuple[int, ...]) -> float:
    """Floating-point operations of a network's convolutions and matrix products."""
    network = core().read_model(onnx)
    network.reshape(openvino().PartialShape(list(input_shape)))
    return float(sum(_operation_flops(operation) for operation in network.get_ops()))


def _operation_flops(operation: Any) -> int:  # noqa: ANN401 - OpenVINO has no types
    kind = operation.get_type_name()
    if kind not in {"Convolution", "GroupConvolution", "MatMul"}:
        return 0
    weights = [int(side) for side in operation.input_value(1).get_shape()]
    outputs = prod(int(side) for side in operation.output(0).get_shape())
    if kind == "MatMul":
        return 2 * outputs * int(operation.input_value(0).get_shape()[-1])
    # (O, I, h, w), or (G, O, I, h, w) with groups: each output needs I * h * w products.
    return 2 * outputs * prod(weights[-3:])
