"""The heavy enhancer: EnlightenGAN's U-Net on the whole picture, in tiles where it is large."""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.cpu.hdr_light import (
    from_working,
    kept_highlights,
    shown_thumbnail,
    to_working,
)
from tapetum.realtime.cpu.picture_of_frame import Picture, PictureFinder
from tapetum.realtime.cpu.plane_rows import sample_rows
from tapetum.realtime.cpu.rgb import Order, RgbImage, frame_from_rgb, rgb_from_frame
from tapetum.realtime.cpu.rgb_kernels import planes_with_change, rgb_from_planes
from tapetum.realtime.cpu.tiling import OVERLAP, Tiling, tiling
from tapetum.realtime.errors import EngineError
from tapetum.realtime.exposure import SteadyDarkness, cell_luma
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.protocols import Engine

Floats = npt.NDArray[np.float32]
Working = npt.NDArray[np.float64]
"""Light in the working range of `hdr_light`."""

MAX_PIXELS = 1 << 20
"""Pixels of a tile: the network needs about 1.2 kB a pixel in f32, 0.8 kB in bf16."""


class NetworkModel(Protocol):
    """A network that can be compiled for any input shape, like `OpenVINOModel`."""

    @property
    def description(self) -> str:
        """Runtime, device and precision of its engines."""

    def compile(
        self, input_shape: tuple[int, ...], output_shape: tuple[int, ...] | None = None
    ) -> Engine:
        """An engine for one input shape."""


class Light(Protocol):
    """Makes pictures bright for a network; `GridEnhancer` is one."""

    memory: object
    """See `RememberingEnhancer`."""

    def enhance_picture(self, picture: Picture) -> tuple[Plane, ...] | None:
        """See `GridEnhancer.enhance_picture`."""

    def reset(self) -> None:
        """Forget the past."""


class UNetEnhancer:
    """Enhances the frames of one stream; each frame by itself, but for the light.

    Frames are padded by reflection to multiples of 16. The network is compiled for one tile
    size when the first frame arrives, and again only if the size of the frames changes.

    Example:
        model = OpenVINOModel(find_model("unet").onnx(), threads=2, precision="auto")
        enhancer = UNetEnhancer(model)
        bright = enhancer(dark)

    Attributes:
        strength: as for `__init__`; may be set at any time.
        aim: the same.
    """

    def __init__(
        self,
        model: NetworkModel,
        *,
        strength: float = 1.0,
        max_pixels: int = MAX_PIXELS,
        aim: Aim = ALWAYS,
        light: Light | None = None,
    ) -> None:
        """Make an enhancer.

        Args:
            model: maps RGB in [-1, 1], (1, 3, H, W), H and W multiples of 16, to the same shape.
            strength: 0 leaves the picture as it is, bit for bit; 1 is the model's own output, and
                up to 2 the change goes on, as far as there is room.
            max_pixels: a larger picture is enhanced in tiles of about this size.
            aim: when pictures are made bright; every one, by default. How bright is the model's
                own business.
            light: makes pictures bright, at its own strength, before the model gets them; for
                models that say so.

        Raises:
            ValueError: `max_pixels` is too small for tiles that overlap.
        """
        if max_pixels < (4 * OVERLAP) ** 2:
            raise ValueError(f"max_pixels must be at least {(4 * OVERLAP) ** 2}; got {max_pixels}")
        self.strength = strength
        self._model = model
        self.aim = aim
        self._light = light
        self._darkness = SteadyDarkness()
        self._max_pixels = max_pixels
        self._shape: tuple[int, ...] | None = None
        self._engine: Engine | None = None
        self._picture = PictureFinder()
        self._needed = 0.0

    @property
    def description(self) -> str:
        """What runs where, like "unet on CPU, OpenVINO bf16"."""
        return f"unet on {self._model.description}"

    def __call__(self, frame: Frame, *, out: tuple[Plane, ...] | None = None) -> Frame:
        """Enhance one frame.

        Args:
            frame: in main memory.
            out: as for `GridEnhancer`.

        Raises:
            DeviceError: the frame is not in main memory.
            ModelError: the network does not take pictures of this kind.
            EngineError: the network fails or gives no usable numbers.
        """
        if self.strength == 0:
            sample_rows(frame.planes[0])  # a frame elsewhere is an error at any strength
            return frame
        picture, share = self._picture(frame), 1.0
        if self.aim.when_dark:
            seen = shown_thumbnail(picture.seen, frame.color)
            share = self._darkness(cell_luma(seen), time_s=frame.time_s)
        self._needed = max(self._needed, share)
        strength = share * self.strength
        if strength == 0:
            return frame
        rgb, shown, working = _shown(picture.frame)
        change = self._enhanced(shown if self._light is None else self._lit(self._light, picture))
        np.clip(change, -1, 1, out=change)
        change -= shown
        if strength > 1:
            change *= 1 + np.float32(strength - 1) * room(shown, change)
        else:
            change *= np.float32(strength)
        if working is not None:
            brighter = kept_highlights((shown + change + 1) / 2, working)
            change = (2 * from_working(brighter, frame.color.transfer) - 1).astype(np.float32) - rgb
        place = out if picture.area is None else None
        return picture.replaced_in(frame, planes_with_change(picture.frame, change, out=place))

    def enhance_image(
        self, image: RgbImage, out: RgbImage, *, order: Order = "rgb", time_s: float | None = None
    ) -> None:
        """Enhance one image; as `GridEnhancer.enhance_image`.

        Raises:
            ModelError: the network does not take pictures of this kind.
            EngineError: the network fails or gives no usable numbers.
        """
        frame = frame_from_rgb(image, order=order, time_s=time_s)
        enhanced = rgb_from_frame(self(frame), order=order)
        out[..., 3:] = image[..., 3:]
        out[..., :3] = enhanced

    def most_needed(self) -> float:
        """See `SparingEnhancer`."""
        needed, self._needed = self._needed, 0.0
        return needed

    def reset(self) -> None:
        """Forget what of the frames was picture, and how dark it was."""
        self._picture.reset()
        self._darkness.reset()
        if self._light is not None:
            self._light.reset()

    @property
    def lasting(self) -> str:
        """See `RememberingEnhancer`."""
        return str(self._picture.lasting)

    @property
    def memory(self) -> object:
        """See `RememberingEnhancer`."""
        return self._picture, self._darkness, None if self._light is None else self._light.memory

    @memory.setter
    def memory(self, memory: object) -> None:
        kept = [*map(type, cast("tuple[object, ...]", self.memory))]
        if not isinstance(memory, tuple) or [*map(type, memory)] != kept:
            raise TypeError("this is no U-Net enhancer's memory")
        self._picture, self._darkness, light = memory
        if self._light is not None:
            self._light.memory = light

    def _lit(self, light: Light, picture: Picture) -> Floats:
        """What the network gets of a picture that a light has made bright."""
        planes = light.enhance_picture(picture)
        return _shown(picture.frame if planes is None else picture.frame.with_planes(planes))[1]

    def _enhanced(self, rgb: Floats) -> Floats:
        """The network's output for (3, H, W), unclipped, a new array."""
        tiles = tiling(rgb.shape[1], rgb.shape[2], self._max_pixels)
        engine = self._engine_for(tiles)
        total = np.zeros_like(rgb)
        for rows, columns in tiles.tiles():
            batch = rgb[:, rows.source][:, :, columns.source][np.newaxis]
            result = engine(batch)
            if not np.isfinite(result).all():
                raise EngineError("the network gave values that are not finite numbers")
            weights = rows.weights[:, np.newaxis] * columns.weights
            total[:, rows.place, columns.place] += result[0, :, rows.kept, columns.kept] * weights
        return total

    def _engine_for(self, tiles: Tiling) -> Engine:
        shape = (1, 3, tiles.tile_height, tiles.tile_width)
        if self._engine is None or self._shape != shape:
            self._engine, self._shape = self._model.compile(shape, shape), shape
        return self._engine


def _shown(frame: Frame) -> tuple[Floats, Floats, Working | None]:
    """A frame's RGB in [-1, 1], (3, H, W); as an SDR screen shows it; and of HDR the working light.

    Both are one array where the frame is not HDR.
    """
    rgb = rgb_from_planes(frame)
    if not frame.color.is_hdr:
        return rgb, rgb, None
    working = to_working((rgb.astype(np.float64) + 1) / 2, frame.color.transfer)
    return rgb, (2 * np.minimum(working, 1) - 1).astype(np.float32), working


def room(rgb: Floats, change: Floats) -> Floats:
    """Share of the room that a change leaves, to white where it brightens, else to black.

    Args:
        rgb: before it, in [-1, 1].
        change: of the same shape, up to those limits.
    """
    limit: Floats = np.where(change > 0, np.float32(1), np.float32(-1))
    whole = np.where(limit == rgb, limit, limit - rgb)
    room: Floats = np.divide(limit - rgb - change, whole, dtype=np.float32)
    return room
