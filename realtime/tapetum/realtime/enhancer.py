"""From a model's name or file to an enhancer, and `Enhancer` for single NumPy images."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from numbers import Real
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tapetum.gan.model import Model, find_model
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, STRIDE, THUMBNAIL_SHAPE
from tapetum.realtime.aim import ALWAYS, MAX_STRENGTH, Aim
from tapetum.realtime.choices import DEVICES, Denoise, Device
from tapetum.realtime.errors import ModelError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
    from tapetum.realtime.cpu.rgb import Order, RgbImage
    from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer
    from tapetum.realtime.cuda.cuda_enhancer import EngineChoice
    from tapetum.realtime.cuda.round_trip import RoundTripEnhancer
    from tapetum.realtime.frame import Frame, Plane
    from tapetum.realtime.progress import Building
    from tapetum.realtime.protocols import Engine, FrameEnhancer


class Enhancer:
    """Enhances NumPy images, or a stream of them: one enhancer per stream.

    Consecutive images are taken for frames of one video, whose brightness is kept steady; call
    `reset` before an unrelated one. Threads that share an enhancer take turns. A copy, and what
    another process gets of it, has its settings and no past.

    Example:
        enhancer = Enhancer("grid", strength=0.8)
        bright = enhancer(dark)  # (H, W, 3) uint8 RGB in and out
    """

    def __init__(
        self,
        model: str | Path = "grid",
        strength: float = 1.0,
        device: Device = "auto",
        *,
        when_dark: bool = True,
        brightness: float | None = None,
        denoise: Denoise = "auto",
    ) -> None:
        """Load a model.

        Args:
            model: `grid`, `unet`, or a model file (.onnx, .safetensors, .pth, .pt).
            strength: from 0 (the picture as it is) to 1 (the model's own output), and up to 2.
            device: `auto` or `cpu`; or a GPU such as `cuda`: images are copied there and back.
            when_dark: leave well-lit images as they are; else every image gets the model's output.
            brightness: mean luma that `grid` brings every image to, over 0 and under 1, as far as
                strengths up to 2 can; None leaves it to the model.
            denoise: of `grid` and `unet`: `auto` takes the noise out where they brighten,
                a number from 0 to 1 takes that share of it out everywhere, `off` leaves it in.

        Raises:
            ModelError: there is no such model, or its file cannot be used, or a number is given
                for `brightness` or `denoise` and it has no grid.
            DeviceError: the GPU or what it needs is missing, or it cannot do what is asked for.
            ValueError: `strength`, `brightness` or `denoise` is out of its range.
        """
        aim = Aim(when_dark, brightness)
        anew = partial(type(self), model, device=device, when_dark=when_dark)
        self._anew = partial(anew, brightness=brightness, denoise=denoise)
        self._turn = Lock()
        self._enhancer: GridEnhancer | UNetEnhancer | RoundTripEnhancer
        self._by_image: GridEnhancer | UNetEnhancer | None = None
        check_device(device)
        if is_cuda(device):
            self._enhancer = _load_on_gpu(model, strength, device, aim, denoise)
        else:
            self._enhancer = self._by_image = _load(model, strength, aim, denoise)

    def __reduce__(self) -> tuple[Callable[[float], Enhancer], tuple[float]]:
        """What is copied and pickled: the settings, for networks and the past cannot be."""
        return self._anew, (self.strength,)

    @property
    def description(self) -> str:
        """What runs where, like "grid on CPU, OpenVINO f32"."""
        return self._enhancer.description

    @property
    def strength(self) -> float:
        """0 leaves images as they are, 1 is the model's output, 2 the most; may be set any time."""
        return self._enhancer.strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._enhancer.strength = checked_strength(strength)

    @property
    def notices(self) -> tuple[str, ...]:
        """What runs the model on a GPU, and what is left undone there, in words."""
        from tapetum.realtime.protocols import notices_of

        return notices_of(self._enhancer)

    def __call__(
        self,
        image: RgbImage,
        *,
        order: Order = "rgb",
        time_s: float | None = None,
        out: RgbImage | None = None,
    ) -> RgbImage:
        """Enhance one image.

        Args:
            image: (H, W, 3) uint8, any size from 1x1, any strides; or (H, W, 4) with alpha, which
                is kept; or (H, W), grey.
            order: `rgb`, or `bgr` for OpenCV's images.
            time_s: when the image was taken, on the stream's own clock, for exact smoothing of
                streams whose frame rate varies.
            out: gets the picture; of the image's shape, and may be the image itself.

        Returns:
            `out`, by default a new array, of the same shape and order.

        Raises:
            DeviceError: the GPU is full, or lost.
            TypeError: `image` or `out` is no array.
            ValueError: it is none of these, `out` is not like it, or `time_s` is no time.
        """
        from tapetum.realtime.cpu.rgb import check_image, is_red_first, luma_of, output_for

        check_image(image)
        is_red_first(order)
        _check_time(time_s)
        target = output_for(image, out)
        if image.ndim == 3:
            with self._turn:
                self._enhance_image(image, target, order, time_s)
            return target
        colored = image[..., None].repeat(3, axis=2)
        with self._turn:
            self._enhance_image(colored, colored, "rgb", time_s)
        target[...] = luma_of(colored) + 0.5
        return target

    def _enhance_image(
        self, image: RgbImage, out: RgbImage, order: Order, time_s: float | None
    ) -> None:
        """Enhance an image with colours, as such on the CPU, and as a frame on a GPU."""
        if self._by_image is not None:
            self._by_image.enhance_image(image, out, order=order, time_s=time_s)
            return
        from tapetum.realtime.cpu.rgb import frame_from_rgb, rgb_from_frame

        bright = self._enhancer(frame_from_rgb(image, order=order, time_s=time_s))
        if out is not image:
            out[...] = image  # alpha
        out[..., :3] = rgb_from_frame(bright, order=order)

    def enhance_frame(self, frame: Frame, *, out: tuple[Plane, ...] | None = None) -> Frame:
        """Enhance one decoded frame in its own pixel format; cheaper than RGB.

        Args:
            frame: in main memory.
            out: gets the planes; of the frame's shapes and type, rows without gaps, and apart from
                the frame's own.

        Returns:
            A frame of `out`; by default of new planes, or of its own where nothing is to be done.

        Raises:
            ValueError: `out` is not so.
        """
        if out is None:
            with self._turn:
                return self._enhancer(frame)
        from tapetum.realtime.cpu.plane_rows import check_out

        check_out(frame, out)
        with self._turn:
            bright = self._enhancer(frame, out=out)
        for place, plane in zip(out, bright.planes, strict=True):
            if plane is not place:
                place[...] = plane
        return bright.with_planes(out)

    def reset(self) -> None:
        """Forget the past: the next image starts a new scene."""
        with self._turn:
            self._enhancer.reset()


def make_enhancer(
    model: str | Path = "grid",
    *,
    strength: float = 1.0,
    device: Device = "auto",
    aim: Aim = Aim(),  # noqa: B008 - it is immutable
    denoise: Denoise = "auto",
    on_build: Callable[[Building], None] | None = None,
) -> FrameEnhancer:
    """Load a model as the enhancer of one stream of frames in main memory.

    Args:
        model: `grid`, `unet`, or a model file.
        strength: as for `Enhancer`.
        device: `auto` or `cpu`; or a GPU such as `cuda`, to which each frame is copied.
        aim: when pictures are made bright, and how bright; how bright is for grid models.
        denoise: as for `Enhancer`; on a GPU of 4:2:0 frames alone.
        on_build: called while an engine is built for a GPU, from other threads; must not raise.

    Raises:
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the GPU or what it needs is missing, or it cannot do what is asked for.
        ValueError: a value is out of its range.
    """
    check_device(device)
    if is_cuda(device):
        return _load_on_gpu(model, strength, device, aim, denoise, on_build=on_build)
    return _load(model, strength, aim, denoise)


def _load_on_gpu(
    model: str | Path,
    strength: float,
    device: Device,
    aim: Aim,
    denoise: Denoise,
    *,
    on_build: Callable[[Building], None] | None = None,
) -> RoundTripEnhancer:
    checked_strength(strength)
    found = find_model(model)
    check_aim(found, aim)
    check_restores(found, checked_denoise(denoise))
    from tapetum.realtime.cuda.round_trip import make_round_trip

    return make_round_trip(
        model, device, strength=strength, aim=aim, denoise=denoise, on_build=on_build
    )


def _load(
    model: str | Path, strength: float, aim: Aim, denoise: Denoise
) -> GridEnhancer | UNetEnhancer:
    checked_strength(strength)
    checked_denoise(denoise)
    found = find_model(model)
    if found.description.kind == "grid":
        return _grid(found, strength, aim, denoise)
    check_aim(found, aim)
    check_restores(found, denoise)
    return _unet(found, strength, aim, denoise)


def check_model(model: str | Path) -> None:
    """Check, without loading anything, that `model` names a model or an existing file.

    Raises:
        ModelError: it does neither; the message names what exists.
    """
    find_model(model)


def check_device(device: str) -> None:
    """Check that there is a device of that name.

    Raises:
        ValueError: there is none.
    """
    if device in {"auto", "cpu"}:
        return
    from tapetum.trt_build.gpu import device_index

    try:
        device_index(device)
    except ValueError:
        raise ValueError(f"device is {DEVICES}; got {device!r}") from None


def is_cuda(device: str) -> bool:
    """Whether a checked device is a GPU."""
    return device.startswith("cuda")


def check_device_is_there(device: str) -> EngineChoice | None:
    """Check that there is a device of that name, and, of a GPU, that this machine can use it.

    Returns:
        What runs models on the GPU; None for the CPU.

    Raises:
        DeviceError: the GPU or what it needs is missing.
        ModelError: nothing that runs models on the GPU is installed.
        ValueError: there is no device of that name.
    """
    check_device(device)
    if not is_cuda(device):
        return None
    from tapetum.realtime.cuda.round_trip import check_gpu

    return check_gpu(device)


def check_aim(model: Model, aim: Aim) -> None:
    """Check that a brightness is given for a model that gives grids.

    Raises:
        ModelError: it is not.
    """
    if aim.brightness is not None and model.description.kind != "grid":
        raise ModelError(f"brightness is for grid models; {model.name} is none")


def check_restores(model: Model, denoise: Denoise) -> None:
    """Check that a number for `denoise` is given for a model before which noise is taken out.

    Raises:
        ModelError: it is not.
    """
    if denoise not in {"auto", "off"} and not model.description.has_grid:
        raise ModelError(
            f"denoise is for grid models, and those behind one; {model.name} is neither"
        )


def checked_strength(strength: float) -> float:
    """`strength` itself, if it is from 0 to 2.

    Raises:
        ValueError: it is not.
    """
    if not _is_number(strength) or not 0 <= strength <= MAX_STRENGTH:
        raise ValueError(f"strength is from 0 to {MAX_STRENGTH:g}; got {_shown(strength)}")
    return strength


def checked_denoise(denoise: Denoise) -> Denoise:
    """`denoise` itself, if it is `auto`, `off`, or from 0 to 1.

    Raises:
        ValueError: it is not.
    """
    if denoise in {"auto", "off"} or (_is_number(denoise) and 0 <= float(denoise) <= 1):
        return denoise
    raise ValueError(f"denoise is auto, off, or from 0 to 1; got {denoise}")


def _check_time(time_s: float | None) -> None:
    if time_s is not None and not (_is_number(time_s) and math.isfinite(time_s)):
        raise ValueError(f"time_s is a number of seconds, or None; got {_shown(time_s)}")


def _is_number(value: object) -> bool:
    """Whether a value is a number, whatever its type says."""
    return isinstance(value, Real)


def _shown(value: object) -> str:
    return f"{float(value):g}" if isinstance(value, Real) else repr(value)


def _grid(model: Model, strength: float, aim: Aim, denoise: Denoise) -> GridEnhancer:
    from tapetum.realtime.cpu.cpu_network import cpu_network
    from tapetum.realtime.worker import begun

    # One thread: the others decode and encode.
    keep = model.shipped is not None
    network = cpu_network(model.onnx(), model.name, threads=1, precision="auto", keep=keep)
    compiling: Future[Engine] = begun(
        lambda: network.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE), name="tapetum-compile"
    )
    from tapetum.realtime.cpu.grid_enhancer import GridEnhancer  # with numba: as slow again

    return GridEnhancer(compiling.result(), strength=strength, aim=aim, denoise=denoise)


def _unet(model: Model, strength: float, aim: Aim, denoise: Denoise) -> UNetEnhancer:
    from tapetum.realtime.cpu.cpu_network import cpu_network
    from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer

    network = cpu_network(model.onnx(), model.name, threads=None, precision="auto")
    smallest = (1, 3, STRIDE, STRIDE)
    network.compile(smallest, smallest)  # a model of one size is refused here, not in mid-video
    return UNetEnhancer(network, strength=strength, aim=aim, light=make_light(model, denoise))


def make_light(model: Model, denoise: Denoise = "auto") -> GridEnhancer | None:
    """What makes pictures bright before a model of the kind `unet` gets them, if it needs that.

    Args:
        model: which.
        denoise: as for `Enhancer`.

    Raises:
        ModelError: it cannot be read.
    """
    name = model.description.light
    return None if name is None else _grid(find_model(name), 1.0, ALWAYS, denoise)
