"""From a model's name or file to an enhancer, and `Enhancer` for single NumPy images."""

from __future__ import annotations

import difflib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.gan.weights import weights_path
from tapetum.realtime.choices import DEVICES, MODELS, Device
from tapetum.realtime.errors import DeviceError, ModelError
from tapetum.trt_build.gpu import device_index

if TYPE_CHECKING:
    from tapetum.realtime.cpu.rgb import Order, RgbImage
    from tapetum.realtime.frame import Frame
    from tapetum.realtime.protocols import FrameEnhancer

_CHECKPOINTS = (".safetensors", ".pth", ".pt")
_MODEL_FILES = (".onnx", *_CHECKPOINTS)


class Enhancer:
    """Enhances NumPy images, or a stream of them: one enhancer per stream.

    Consecutive images are taken for frames of one video, whose brightness is kept steady; call
    `reset` before an unrelated one.

    Example:
        enhancer = Enhancer("grid", strength=0.8)
        bright = enhancer(dark)  # (H, W, 3) uint8 RGB in and out
    """

    def __init__(
        self,
        model: str | Path = "grid",
        strength: float = 1.0,
        device: Device = "auto",
    ) -> None:
        """Load a model.

        Args:
            model: `grid`, `unet`, or a model file (.onnx, .safetensors, .pth, .pt).
            strength: from 0 (the picture as it is) to 1 (the model's own output).
            device: `auto` or `cpu`; `cuda` is for videos.

        Raises:
            ModelError: there is no such model, or its file cannot be used.
            DeviceError: it is `cuda`.
            ValueError: `strength` is outside 0 to 1.
        """
        self._enhancer = make_enhancer(model, strength=strength, device=device)

    @property
    def description(self) -> str:
        """What runs where, like "grid on CPU, OpenVINO f32"."""
        return self._enhancer.description

    @property
    def strength(self) -> float:
        """From 0 (the picture as it is) to 1 (the model's own output); may be set at any time."""
        return self._enhancer.strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._enhancer.strength = checked_strength(strength)

    def __call__(
        self, image: RgbImage, *, order: Order = "rgb", time_s: float | None = None
    ) -> RgbImage:
        """Enhance one image.

        Args:
            image: (H, W, 3) uint8, any size from 1x1.
            order: `rgb`, or `bgr` for OpenCV's images.
            time_s: when the image was taken, on the stream's own clock, for exact smoothing of
                streams whose frame rate varies.

        Returns:
            A new array of the same shape and order.

        Raises:
            ValueError: `image` is not (H, W, 3) uint8.
        """
        from tapetum.realtime.cpu.rgb import frame_from_rgb, rgb_from_frame

        frame = frame_from_rgb(image, order=order, time_s=time_s)
        return rgb_from_frame(self._enhancer(frame), order=order)

    def enhance_frame(self, frame: Frame) -> Frame:
        """Enhance one decoded frame in its own pixel format; cheaper than RGB."""
        return self._enhancer(frame)

    def reset(self) -> None:
        """Forget the past: the next image starts a new scene."""
        self._enhancer.reset()


def make_enhancer(
    model: str | Path = "grid", *, strength: float = 1.0, device: Device = "auto"
) -> FrameEnhancer:
    """Load a model as the enhancer of one stream of frames in main memory, as for `Enhancer`."""
    checked_strength(strength)
    check_model(model)
    check_cpu_device(device)
    if model == "grid":
        return _grid(weights_path("grid", ".onnx"), strength)
    if model == "unet":
        return _unet(weights_path("unet", ".onnx"), strength)
    path = Path(model)
    if path.suffix == ".onnx":
        return _from_file(path, strength)
    with tempfile.TemporaryDirectory(prefix="tapetum-") as folder:
        return _from_file(_export(path, Path(folder) / f"{path.stem}.onnx"), strength)


def check_model(model: str | Path) -> None:
    """Check, without loading anything, that `model` names a model or an existing file.

    Raises:
        ModelError: it does neither; the message names what exists.
    """
    name = str(model)
    if name in MODELS:
        _check_weights(name)
    elif Path(name).suffix in _MODEL_FILES:
        if not os.path.isfile(name):  # noqa: PTH113 - which takes names of any length
            raise ModelError(f"model file {name} does not exist")
    else:
        raise ModelError(_unknown_model(name))


def check_device(device: str) -> None:
    """Check that there is a device of that name.

    Raises:
        ValueError: there is none.
    """
    if device in {"auto", "cpu"}:
        return
    try:
        device_index(device)
    except ValueError:
        raise ValueError(f"device is {DEVICES}; got {device!r}") from None


def is_cuda(device: str) -> bool:
    """Whether a checked device is a GPU."""
    return device.startswith("cuda")


def check_cpu_device(device: str) -> None:
    """Check that `device` is, or may be, the CPU.

    Raises:
        DeviceError: it is a GPU, on which only whole video files are enhanced.
        ValueError: there is no device of that name.
    """
    check_device(device)
    if is_cuda(device):
        raise DeviceError(
            f"{device} is for `tapetum enhance` of videos alone; use --device cpu here"
        )


def checked_strength(strength: float) -> float:
    """`strength` itself, if it is from 0 to 1.

    Raises:
        ValueError: it is not.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is from 0 to 1; got {strength:g}")
    return strength


def _check_weights(name: str) -> None:
    try:
        weights_path(name, ".onnx")
    except ModelError:
        raise ModelError(
            f"no default weights for {name} ship with this version; give a weights file"
            f" ({', '.join(_MODEL_FILES)}) as the model, or use grid"
        ) from None


def _unknown_model(name: str) -> str:
    close = difflib.get_close_matches(name, MODELS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    known = f"{', '.join(MODELS)} or a file ({', '.join(_MODEL_FILES)})"
    return f"unknown model {name}: choose {known}{hint}"


def _export(checkpoint: Path, target: Path) -> Path:
    try:
        from tapetum.gan.export import export_weights
    except ImportError as error:
        raise ModelError(
            f"converting {checkpoint} needs {error.name}: pip install 'tapetum[train]',"
            " or give an .onnx file"
        ) from error
    export_weights(checkpoint, target)
    return target


def _grid(path: Path, strength: float) -> FrameEnhancer:
    from tapetum.realtime.cpu.grid_enhancer import GRID_INPUT_SHAPE, GRID_OUTPUT_SHAPE, GridEnhancer
    from tapetum.realtime.cpu.openvino_engine import OpenVINOModel

    # One thread: the others decode and encode.
    model = OpenVINOModel(path, threads=1, precision="auto")
    return GridEnhancer(model.compile(GRID_INPUT_SHAPE, GRID_OUTPUT_SHAPE), strength=strength)


def _unet(path: Path, strength: float) -> FrameEnhancer:
    from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
    from tapetum.realtime.cpu.tiling import STRIDE
    from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer

    model = OpenVINOModel(path, threads=None, precision="auto")
    smallest = (1, 3, STRIDE, STRIDE)
    model.compile(smallest, smallest)  # a model that is none is refused here, not in mid-video
    return UNetEnhancer(model, strength=strength)


def _from_file(path: Path, strength: float) -> FrameEnhancer:
    """The enhancer that fits the shapes of a model file."""
    try:
        return _grid(path, strength)
    except ModelError as grid_error:
        try:
            return _unet(path, strength)
        except ModelError as unet_error:
            if str(grid_error) == str(unet_error):
                raise
            raise ModelError(
                f"{path} is neither a grid model ({grid_error}) nor a unet model ({unet_error})"
            ) from None
