"""For programs: `live_frames`, an iterator of enhanced frames, and `Capture`, as OpenCV has it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Self

from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.enhancer import (
    check_device_is_there,
    check_model,
    checked_denoise,
    checked_strength,
    make_enhancer,
)
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.live_source import LiveSource
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.newest import NewestFrames
from tapetum.realtime.live.sinks.bgr import BgrConverter, BgrImage
from tapetum.realtime.prefetch import Prefetch

_POS_MSEC, _POS_FRAMES, _WIDTH, _HEIGHT, _FPS = 0, 1, 3, 4, 5
"""OpenCV's numbers of `cv2.CAP_PROP_...`."""


class Capture:
    """Reads a camera, stream or file as enhanced (H, W, 3) uint8 BGR images.

    A camera or stream gives its newest picture at each `read`; a file gives every picture, one
    after the other. As in OpenCV, a source that cannot be opened or read is no exception: look
    at `isOpened` and at what `read` returns; `error` says why.

    Example:
        capture = Capture(0)  # was: cv2.VideoCapture(0)
        ok, image = capture.read()

    Attributes:
        error: why the source could not be opened or read, or None.
    """

    def __init__(
        self,
        source: str | int | Path = 0,
        *,
        model: str | Path = "grid",
        strength: float = 1.0,
        when_dark: bool = True,
        device: Device = "auto",
        denoise: Denoise = "auto",
    ) -> None:
        """Open a source.

        Args:
            source: a camera's number or device, a URL, "screen", "lavfi:PATTERN", or a file.
            model: `grid`, `unet`, or a model file; while it loads, a simple curve makes a
                camera's pictures bright.
            strength: from 0 (the picture as it is) to 1 (the model's own output), and up to 2.
            when_dark: leave well-lit pictures as they are.
            device: `auto` or `cpu`, or a GPU such as `cuda`.
            denoise: how much noise `grid` takes out: `auto`, `off`, or from 0 to 1.

        Raises:
            ModelError: there is no such model.
            DeviceError: the GPU or what it needs is missing.
            ValueError: `strength` or `denoise` is out of its range.
        """
        check_model(model)
        check_device_is_there(device)
        self.error: str | None = None
        self._model = model
        self._strength = checked_strength(strength)
        self._when_dark = when_dark
        self._device = device
        self._denoise = checked_denoise(denoise)
        self._name = source
        self._wanted: dict[int, float] = {}
        self._convert = BgrConverter()
        self._frames: Generator[Frame, None, None] | None = None
        self._grabbed: Frame | None = None
        self._count = 0
        self._source = self._opened()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether pictures can be read."""
        return self._source is not None

    def read(self) -> tuple[bool, BgrImage | None]:
        """The next picture: (True, image), or (False, None) at the end or on a failure.

        Raises:
            ModelError: the model's file cannot be used.
            EngineError: the model cannot be run.
        """
        return self.retrieve() if self.grab() else (False, None)

    def grab(self) -> bool:
        """Take the next picture without converting it; False at the end or on a failure."""
        if self._source is None:
            return False
        if self._frames is None:
            self._frames = self._begin(self._source)
        try:
            self._grabbed = next(self._frames, None)
        except MediaError as error:
            self._grabbed, self.error = None, str(error)
        self._count += self._grabbed is not None
        return self._grabbed is not None

    def retrieve(self) -> tuple[bool, BgrImage | None]:
        """The picture that `grab` took."""
        if self._grabbed is None:
            return False, None
        return True, self._convert(self._grabbed)

    def get(self, property_id: int) -> float:
        """A `cv2.CAP_PROP_...`: frame width, height and rate, position; 0 for others."""
        if self._source is None:
            return 0.0
        time_s = self._grabbed.time_s if self._grabbed else None
        known = {
            _POS_MSEC: 1000 * (time_s or 0.0),
            _POS_FRAMES: float(self._count),
            _WIDTH: float(self._source.size[0]),
            _HEIGHT: float(self._source.size[1]),
            _FPS: float(self._source.rate or 0),
        }
        return known.get(property_id, 0.0)

    def set(self, property_id: int, value: float) -> bool:
        """Ask a camera for a frame width, height or rate, before the first `read`.

        Returns:
            Whether the camera has it now; width and height are asked for when both are known.
        """
        asked = property_id in (_WIDTH, _HEIGHT, _FPS)
        if not asked or self._frames is not None or self._source is None or self._source.ends:
            return False
        self._wanted[property_id] = value
        if property_id != _FPS and not {_WIDTH, _HEIGHT} <= set(self._wanted):
            return True
        self._source.close()
        self._source = self._opened()
        return self.get(property_id) == value

    def release(self) -> None:
        """Release the camera or file; calling it again does nothing."""
        if self._frames is not None:
            self._frames.close()
        elif self._source is not None:
            self._source.close()
        self._frames = self._source = self._grabbed = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()

    def _opened(self) -> LiveSource | None:
        wanted = self._wanted
        both = {_WIDTH, _HEIGHT} <= set(wanted)
        size = (int(wanted[_WIDTH]), int(wanted[_HEIGHT])) if both else None
        rate = Fraction(wanted[_FPS]).limit_denominator(1001) if _FPS in wanted else None
        try:
            return LiveSource(self._name, size=size, rate=rate, paced=False)
        except MediaError as error:
            self.error = str(error)
            return None

    def _begin(self, source: LiveSource) -> Generator[Frame, None, None]:
        frames = _all_frames if source.ends else live_frames
        return frames(
            source,
            model=self._model,
            strength=self._strength,
            when_dark=self._when_dark,
            device=self._device,
            denoise=self._denoise,
        )


def live_frames(
    source: LiveSource | str | int | Path = 0,
    *,
    model: str | Path = "grid",
    strength: float = 1.0,
    when_dark: bool = True,
    device: Device = "auto",
    denoise: Denoise = "auto",
    latency_budget_ms: float = 50.0,
) -> Generator[Frame, None, None]:
    """Yield the newest frame of a live stream, enhanced, each time that one is asked for.

    Frames that nobody asked for in time are dropped. While the model loads, a simple curve makes
    them bright. Close the iterator, or exhaust it, to release the camera.

    Args:
        source: a camera's number or device, a URL, "screen", "lavfi:PATTERN", a file, which plays
            at its own pace, or a `LiveSource`.
        model: `grid`, `unet`, or a model file.
        strength: from 0 (the picture as it is) to 1 (the model's own output), and up to 2.
        when_dark: leave well-lit pictures as they are.
        device: `auto` or `cpu`, or a GPU such as `cuda`.
        denoise: how much noise `grid` takes out: `auto`, `off`, or from 0 to 1.
        latency_budget_ms: how long a frame may be with us.

    Raises:
        MediaError: the source cannot be opened or read.
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the GPU or what it needs is missing.
    """
    with ExitStack() as opened:
        ladder = ladder_for(
            model,
            strength=strength,
            aim=Aim(when_dark),
            device=device,
            denoise=denoise,
            budget_ms=latency_budget_ms,
        )
        opened.callback(ladder.close)
        camera = source if isinstance(source, LiveSource) else LiveSource(source)
        ladder.wait_for_model()
        frames = opened.enter_context(NewestFrames(camera))
        for frame in frames:
            if not ladder.skips():
                yield ladder(frame)


def _all_frames(
    source: LiveSource,
    *,
    model: str | Path,
    strength: float,
    when_dark: bool,
    device: Device,
    denoise: Denoise,
) -> Generator[Frame, None, None]:
    """Yield every frame of a source that can wait, such as a file, enhanced."""
    aim = Aim(when_dark)
    enhancer = make_enhancer(model, strength=strength, device=device, aim=aim, denoise=denoise)
    with Prefetch(source) as frames, source:
        for frame in frames:
            yield enhancer(frame)
