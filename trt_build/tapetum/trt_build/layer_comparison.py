"""Compares each layer of a network in float16 and float32, and finds those that need float32."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator

from tapetum.gan.errors import ModelError

HALF_MAX = 65504.0
HEADROOM = 4.0
"""Real frames may excite a layer this many times more than the frame that it is tried on."""
SNR_FLOOR_DB = 40.0
"""A layer whose own rounding makes more noise than this stays float32; it is 1 % of the signal."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """One layer's result in float16 against float32.

    Attributes:
        layer: name of its first output.
        operator: the ONNX operator, like "Conv".
        peak: greatest magnitude of the float32 result.
        snr_db: power of the float32 result over that of the difference, in dB; infinite where
            they are equal, minus infinite where float16 overflows.
    """

    layer: str
    operator: str
    peak: float
    snr_db: float

    @property
    def needs_float32(self) -> bool:
        """Whether float16 would overflow or lose too much."""
        return self.peak * HEADROOM > HALF_MAX or self.snr_db < SNR_FLOOR_DB


def compare_layers(
    model: onnx.ModelProto, inputs: Mapping[str, Array]
) -> tuple[LayerComparison, ...]:
    """Try each layer by itself: its float32 inputs and weights rounded to float16, and its result.

    Sums inside a layer are in float32, as on a GPU's matrix units.

    Args:
        model: a float32 network without subgraphs.
        inputs: a float32 array for each input.

    Raises:
        ModelError: it has a layer that is not ONNX's own.
    """
    try:
        values = _run(ReferenceEvaluator(model), inputs)
    except NotImplementedError as error:
        first_line = str(error).partition("\n")[0]
        raise ModelError(f"the network cannot be tried in float16: {first_line}") from error
    return tuple(_compare(model, values))


def signal_to_noise_db(reference: Array, tried: Array) -> float:
    """Power of the reference over that of the difference, in dB; see `LayerComparison.snr_db`."""
    exact = reference.astype(np.float64)
    if not np.isfinite(tried).all():
        return -math.inf
    noise = float(np.mean((exact - tried.astype(np.float64)) ** 2))
    signal = float(np.mean(exact**2))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _compare(model: onnx.ModelProto, values: Mapping[str, Array]) -> Iterator[LayerComparison]:
    opsets = {item.domain: item.version for item in model.opset_import}
    for node in model.graph.node:
        reference = values[node.output[0]]
        if reference.dtype != np.float32:
            continue
        feeds = {name: _rounded(values[name]) for name in node.input if name}
        with np.errstate(all="ignore"):  # what overflows is what this looks for
            result = _run(ReferenceEvaluator(node, opsets=opsets), feeds)
            tried = _rounded(result[node.output[0]])
        peak = float(np.abs(reference).max(initial=0))
        snr_db = signal_to_noise_db(reference, tried)
        yield LayerComparison(node.output[0], node.op_type, peak, snr_db)


def _run(evaluator: ReferenceEvaluator, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """All values of a run by name, those in between too."""
    values = evaluator.run(None, dict(inputs), intermediate=True)
    if not isinstance(values, dict):
        raise TypeError("onnx gave no intermediate values")
    return values


def _rounded(values: Array) -> Array:
    if values.dtype != np.float32:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)
