"""ONNX Runtime as a peer: with Tapetum's networks, and with anybody's from pictures to pictures.

`onnxruntime:FILE:layout=nhwc:range=0..255:order=bgr` is a network that was trained on OpenCV's
images. What is declared here is done here; a network that needs more has to carry it inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.bench.subjects import Enhance
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.machine import usable_cores
from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.gan.onnxruntime_runtime import failures, onnxruntime
from tapetum.realtime import Frame, make_enhancer
from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.onnxruntime_engine import OnnxRuntimeModel, version
from tapetum.realtime.cpu.rgb_kernels import planes_with_change, rgb_from_planes
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer
from tapetum.realtime.enhancer import make_light

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PictureFormat:
    """What stands between RGB in [-1, 1] and a network.

    Attributes:
        layout: `nchw`, or `nhwc` with channels last.
        input_range: numbers that stand for black and white in its input.
        output_range: the same in its output.
        order: of the channels, in both.
        multiple: height and width are padded, by reflection, to multiples of this.
        output: the output that is the picture; None is the first.
    """

    layout: str = "nchw"
    input_range: tuple[float, float] = (0.0, 1.0)
    output_range: tuple[float, float] = (0.0, 1.0)
    order: str = "rgb"
    multiple: int = 1
    output: str | None = None

    def packed(self, rgb: Floats) -> Floats:
        """The network's input for a picture.

        Args:
            rgb: (3, H, W) in [-1, 1].

        Returns:
            A float32 batch of one picture in the network's layout, order and range.
        """
        low, high = self.input_range
        picture = rgb if self.order == "rgb" else rgb[::-1]
        height, width = rgb.shape[1:]
        if height % self.multiple or width % self.multiple:
            rows, columns = -height % self.multiple, -width % self.multiple
            picture = np.pad(picture, ((0, 0), (0, rows), (0, columns)), mode="reflect")
        scaled = (picture + 1) * np.float32((high - low) / 2) + np.float32(low)
        if self.layout == "nhwc":
            scaled = scaled.transpose(1, 2, 0)
        return np.ascontiguousarray(scaled[np.newaxis], np.float32)

    def unpacked(self, batch: npt.NDArray[np.generic], height: int, width: int) -> Floats:
        """The picture in the network's output: (3, H, W) in [-1, 1], clipped.

        Raises:
            BenchmarkError: the output has no such picture.
        """
        picture = batch[0] if batch.ndim == 4 else batch
        if self.layout == "nhwc" and picture.ndim == 3:
            picture = picture.transpose(2, 0, 1)
        if picture.ndim != 3 or picture.shape[0] != 3 or picture.shape[1] < height:
            raise BenchmarkError(
                f"the network gave {list(batch.shape)} in layout {self.layout} for a picture of"
                f" {width}x{height}; declare its layout, or name another output"
            )
        low, high = self.output_range
        kept = picture[:, :height, :width].astype(np.float32)
        rgb = (kept - np.float32(low)) * np.float32(2 / (high - low)) - 1
        return np.asarray(np.clip(rgb if self.order == "rgb" else rgb[::-1], -1, 1), np.float32)


def onnxruntime_enhancer(model: Path) -> Callable[[], Enhance]:
    """A maker of enhancers of an .onnx file: a grid from a thumbnail, or RGB in [-1, 1] to RGB.

    Raises:
        ModelError: the file is missing, or neither.
    """
    ours = make_enhancer(model)  # says what is wrong with a file that does not fit
    threads = 1 if isinstance(ours, GridEnhancer) else None
    network = OnnxRuntimeModel(model.read_bytes(), threads=threads)
    if isinstance(ours, GridEnhancer):
        engine = network.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)
        return lambda: GridEnhancer(engine, aim=Aim())
    found = find_model(model)
    return lambda: UNetEnhancer(network, aim=Aim(), light=make_light(found))


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
        except failures() as error:
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
    return f"ONNX Runtime {version()}, {_threads()} threads"


def _threads() -> int:
    return usable_cores()


def _session(path: Path) -> Any:  # noqa: ANN401 - ONNX Runtime has no types
    if not path.is_file():
        raise BenchmarkError(f"model file {path} does not exist")
    options = onnxruntime().SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 4  # what is wrong is raised, too
    try:
        return onnxruntime().InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except failures() as error:
        raise BenchmarkError(f"ONNX Runtime cannot load {path.name}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
