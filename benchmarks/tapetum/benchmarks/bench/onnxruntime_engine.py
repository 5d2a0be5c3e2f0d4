"""ONNX Runtime as the engine of a grid or unet model file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from tapetum.benchmarks.bench.subjects import Enhance
from tapetum.realtime import make_enhancer
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer

Floats = npt.NDArray[np.float32]


class OnnxRuntimeEngine:
    """An `Engine`, and a model whose engines are itself: a session takes any shape of its model."""

    def __init__(self, onnx: bytes, *, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        self._threads = threads
        self._session = onnxruntime.InferenceSession(onnx, options, providers=providers)
        self._input = self._session.get_inputs()[0].name

    @property
    def description(self) -> str:
        """Runtime, device and precision."""
        return f"CPU, ONNX Runtime {onnxruntime.__version__} f32, {self._threads} threads"

    def compile(
        self,
        input_shape: tuple[int, ...],  # noqa: ARG002 - nothing is compiled
        output_shape: tuple[int, ...] | None = None,  # noqa: ARG002
    ) -> OnnxRuntimeEngine:
        """The engine itself."""
        return self

    def __call__(self, batch: Floats) -> Floats:
        """Run the network on (N, C, H, W) float32."""
        output: Floats = self._session.run(None, {self._input: np.ascontiguousarray(batch)})[0]
        return output


def onnxruntime_enhancer(model: Path) -> Callable[[], Enhance]:
    """A maker of enhancers of an .onnx file: a grid from a thumbnail, or RGB in [-1, 1] to RGB.

    Raises:
        ModelError: the file is missing, or neither.
    """
    ours = make_enhancer(model)  # says what is wrong with a file that does not fit
    onnx = model.read_bytes()
    if isinstance(ours, GridEnhancer):
        return lambda: GridEnhancer(OnnxRuntimeEngine(onnx, threads=1))
    threads = len(os.sched_getaffinity(0))
    return lambda: UNetEnhancer(OnnxRuntimeEngine(onnx, threads=threads))
