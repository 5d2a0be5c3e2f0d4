"""Anybody's ONNX network from pictures to pictures, run by ONNX Runtime, as an enhancer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,  # noqa: A004 - ONNX Runtime's name
    RuntimeException,
)

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.picture_network import PictureFormat
from tapetum.benchmarks.bench.subjects import Enhance
from tapetum.realtime import Frame
from tapetum.realtime.cpu.rgb_kernels import planes_with_change, rgb_from_planes

_ERRORS = (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


class OnnxPictureEnhancer:
    """Enhances frames one by one; colour conversion to RGB and back is Tapetum's.

    Attributes:
        description: what runs where.
    """

    def __init__(self, path: Path, form: PictureFormat) -> None:
        """Load a network.

        Args:
            path: an ONNX file with one input.
            form: how it takes and gives pictures.

        Raises:
            BenchmarkError: ONNX Runtime cannot load it, or its input or output is another.
        """
        self._name, self._form = path.name, form
        self._session = _session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            found = ", ".join(f"{each.name} {each.type}" for each in inputs)
            raise BenchmarkError(f"{path.name} takes {found}, not one picture")
        names = [each.name for each in outputs]
        if form.output is not None and form.output not in names:
            raise BenchmarkError(f"{path.name} has the outputs {', '.join(names)}")
        self._input, self._type = inputs[0].name, _TYPES[inputs[0].type]
        self._output = form.output or names[0]
        self.description = f"{path.name} on CPU, {runtime_version()}"

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame.

        Raises:
            BenchmarkError: the network does not take a picture of this size, or gives none.
        """
        rgb = rgb_from_planes(frame)
        enhanced = self._form.unpacked(self._run(self._form.packed(rgb)), *rgb.shape[1:])
        return frame.with_planes(planes_with_change(frame, enhanced - rgb))

    def _run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.generic]:
        if self._type == np.uint8:
            batch = np.rint(batch)
        try:
            (output,) = self._session.run([self._output], {self._input: batch.astype(self._type)})
        except _ERRORS as error:
            shape = list(batch.shape)
            raise BenchmarkError(f"{self._name} does not take {shape}: {_line(error)}") from error
        return np.asarray(output)


def picture_enhancer(path: Path, form: PictureFormat) -> Callable[[], Enhance]:
    """A maker of enhancers, which share nothing; the first is made at once, to see that it can be.

    Raises:
        BenchmarkError: it cannot.
    """
    OnnxPictureEnhancer(path, form)
    return lambda: OnnxPictureEnhancer(path, form)


def runtime_version() -> str:
    """Version and threads, for the results."""
    return f"ONNX Runtime {onnxruntime.__version__}, {_threads()} threads"


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def _session(path: Path) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise BenchmarkError(f"model file {path} does not exist")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 4  # what is wrong is raised, too
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except _ERRORS as error:
        raise BenchmarkError(f"ONNX Runtime cannot load {path.name}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
