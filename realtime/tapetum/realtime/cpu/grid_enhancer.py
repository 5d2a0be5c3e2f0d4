"""The real-time enhancer: a bilateral grid, predicted from a thumbnail, applied to YUV planes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE
from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.grid_rgb import apply_to_pixels
from tapetum.realtime.cpu.grid_strength import strengthened, with_brightness
from tapetum.realtime.cpu.hdr_light import shown_thumbnail
from tapetum.realtime.cpu.picture_of_frame import Picture, PictureFinder, PictureStrips
from tapetum.realtime.cpu.restored_pixels import (
    UNRESTORED,
    half_chroma_frame,
    restored_pixels,
)
from tapetum.realtime.cpu.rgb import (
    Order,
    RgbImage,
    frame_from_rgb,
    has_whole_rows,
    is_red_first,
    pixel_rows,
    pixel_rows_to_fill,
    rgb_from_frame,
)
from tapetum.realtime.cpu.side_by_side import cores
from tapetum.realtime.cpu.thumbnail import image_thumbnail
from tapetum.realtime.errors import EngineError
from tapetum.realtime.exposure import cell_luma, darkness_by_cell
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.protocols import Engine
from tapetum.realtime.temporal import TIME_CONSTANT_S, TemporalFilter

if TYPE_CHECKING:
    from tapetum.realtime.cpu.restoring import Restorer

_BLACK_EDGE = 12
"""Median of an image's edge over which it is no bar, however noisy."""
_BLACK_CORNERS = 2
"""So many corners of a round picture's frame are black, at least."""


class GridEnhancer:
    """Enhances the frames of one stream in their own pixel format.

    Example:
        model = OpenVINOModel(find_model("grid").onnx())
        enhancer = GridEnhancer(model.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE))
        bright = enhancer(dark)

    Attributes:
        strength: as for `__init__`; may be set at any time.
        aim: the same.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        strength: float = 1.0,
        time_constant_s: float = TIME_CONSTANT_S,
        aim: Aim = ALWAYS,
        denoise: Denoise = "off",
    ) -> None:
        """Make an enhancer with no past.

        Args:
            engine: maps a thumbnail (1, 3, 256, 256) to a grid (1, 8, 8, 16, 16).
            strength: 0 leaves the picture as it is, bit for bit; 1 is the model's own output, and
                2 the most, see `grid_strength`.
            denoise: how much noise is taken out first; see `Restorer`.
            time_constant_s: of the smoothing over time; 0 turns it off.
            aim: when pictures are made bright, and how bright; every one, by default.
        """
        self.strength = strength
        self._engine = engine
        self.aim = aim
        self._filter = TemporalFilter(time_constant_s=time_constant_s)
        self._restorer = None if denoise == "off" else _restorer(denoise)
        self._picture = PictureFinder()
        self._seen = identity_grid()
        self._strips: PictureStrips | None = None
        self._needed = 0.0

    @property
    def description(self) -> str:
        """What runs where, like "grid on CPU, OpenVINO f32"."""
        return f"grid on {self._engine.description}"

    def __call__(self, frame: Frame, *, out: tuple[Plane, ...] | None = None) -> Frame:
        """Enhance one frame; frames come in presentation order.

        Args:
            frame: in main memory.
            out: gets the new planes where there are any, and the whole frame is picture; see
                `planes_for`.

        Raises:
            DeviceError: the frame is not in main memory.
            EngineError: the network fails or gives no usable numbers.
        """
        with cores().taken():
            picture = self._picture(frame)
            planes = self.enhance_picture(picture, out=out if picture.area is None else None)
        return frame if planes is None else picture.replaced_in(frame, planes)

    def enhance_picture(
        self, picture: Picture, *, out: tuple[Plane, ...] | None = None
    ) -> tuple[Plane, ...] | None:
        """Enhance what of a frame somebody found to be picture.

        Args:
            picture: of the stream's next frame.
            out: as for a call.

        Returns:
            Planes like those of `picture.frame`; None where nothing is to be done.

        Raises:
            DeviceError: the frame is not in main memory.
            EngineError: the network fails or gives no usable numbers.
        """
        frame = picture.frame
        seen = shown_thumbnail(picture.seen, frame.color)
        restorer = None if self.strength == 0 else self._restorer
        _, predicted = cores().side_by_side(
            lambda: None if restorer is None else restorer.look_at(frame),
            lambda: self._predict(seen),
        )
        grid = self._filter(self._aimed(predicted, seen), thumbnail=seen, time_s=frame.time_s)
        if self.strength == 0:
            return None
        mixed = strengthened(grid, self.strength)
        restored = None if restorer is None else restorer(frame, mixed)
        return apply_grid(frame, mixed, seen=restored, out=out)

    def enhance_image(
        self, image: RgbImage, out: RgbImage, *, order: Order = "rgb", time_s: float | None = None
    ) -> None:
        """Enhance one image; consecutive ones are frames of one video.

        Args:
            image: (H, W, 3) uint8, or (H, W, 4) with alpha, which is kept.
            out: gets the picture; of the same shape, and may be `image` itself.
            order: of the channels.
            time_s: when the image was taken, on the stream's own clock.

        Raises:
            EngineError: the network fails or gives no usable numbers.
        """
        with cores().taken():
            self._enhance_image(image, out, order, time_s)

    def _enhance_image(
        self, image: RgbImage, out: RgbImage, order: Order, time_s: float | None
    ) -> None:
        picture = self._image_picture(image, order, time_s)
        seen = None if picture is None else picture.seen
        if picture is not None and picture.area is not None:
            area = picture.area
            out[...] = image
            place = slice(area.top, area.bottom), slice(area.left, area.right)
            image, out = image[place], out[place]
            if picture.circles is not None:
                before = image.copy()
                self._enhance_pixels(image, out, seen, order, time_s)
                picture.circles.keep_pixels_outside(before, out)
                return
        self._enhance_pixels(image, out, seen, order, time_s)

    def _enhance_pixels(
        self,
        image: RgbImage,
        out: RgbImage,
        small: Floats | None,
        order: Order,
        time_s: float | None,
    ) -> None:
        """Enhance an image that is all picture, or of which `small` is the thumbnail."""
        source = pixel_rows(image, red_first=is_red_first(order))
        small = image_thumbnail(source) if small is None else small
        grid = self.steady_grid(small, time_s=time_s)
        if self.strength == 0:
            out[...] = image
            return
        mixed = strengthened(grid, self.strength)
        restored = UNRESTORED
        if self._restorer is not None:
            seen = half_chroma_frame(source, time_s=time_s)
            made = self._restorer(seen, mixed)
            if self._restorer.is_first:
                if self._enhance_alone(image, mixed, out, order):
                    return
            elif made is not None:
                fine = self._restorer.fine_chroma
                restored = restored_pixels(seen, made, fine, red_first=source.red_first)
        apart = out is image or not np.may_share_memory(source.samples, out)
        bright = out if has_whole_rows(out) and apart else np.empty(image.shape, np.uint8)
        target = pixel_rows_to_fill(bright, red_first=source.red_first)
        apply_to_pixels(source, mixed, target, restored)
        if bright is not out:
            out[...] = bright

    def _enhance_alone(self, image: RgbImage, grid: Floats, out: RgbImage, order: Order) -> bool:
        """Restore and enhance an image that begins a stream; False where there is no noise in it.

        Its noise is told from its texture by its finest colours.
        """
        seen = frame_from_rgb(image, order=order)
        restored = None if self._restorer is None else _restorer(self._restorer.denoise)(seen, grid)
        if restored is None:
            return False
        bright = rgb_from_frame(seen.with_planes(apply_grid(restored, grid)), order=order)
        if out is not image:
            out[...] = image  # alpha
        out[..., :3] = bright
        return True

    def _image_picture(self, image: RgbImage, order: Order, time_s: float | None) -> Picture | None:
        """What of an image is picture; only one with a black edge or corner is looked at whole."""
        edges = (image[0], image[-1], image[:, 0], image[:, -1])
        ends = [image[rows, columns, :3] for rows in (0, -1) for columns in (0, -1)]
        if all(_is_lit(edge[:, :3]) for edge in edges) and (
            sum(end.max() <= _BLACK_EDGE for end in ends) < _BLACK_CORNERS
        ):
            self._picture.reset()
            return None
        return self._picture(frame_from_rgb(image, order=order, time_s=time_s))

    def steady_grid(self, small: Floats, *, time_s: float | None) -> Floats:
        """The grid of the next frame, smoothed over time, for who applies it elsewhere.

        Args:
            small: the frame's thumbnail, (1, 3, 256, 256) RGB in [0, 1].
            time_s: the frame's time.

        Returns:
            (8, 8, 16, 16): coefficient, luma level, row, column.

        Raises:
            EngineError: the network fails or gives no usable numbers.
        """
        return self._filter(self.aimed_grid(small), thumbnail=small, time_s=time_s)

    def aimed_grid(self, small: Floats) -> Floats:
        """The grid of one frame by itself, for who smooths it elsewhere.

        Args:
            small: as for `steady_grid`.

        Raises:
            EngineError: the network fails or gives no usable numbers.
        """
        return self._aimed(self._predict(small), small)

    def _aimed(self, grid: Floats, small: Floats) -> Floats:
        if self.aim.brightness is not None:
            self._needed = 1.0
            return with_brightness(grid, cell_luma(small), self.aim.brightness)
        if not self.aim.when_dark:
            self._needed = 1.0
            return grid
        shares = darkness_by_cell(cell_luma(small))
        self._needed = max(self._needed, float(shares.max()))
        return strengthened(grid, shares)

    def most_needed(self) -> float:
        """See `SparingEnhancer`."""
        needed, self._needed = self._needed, 0.0
        return needed

    def look_at(self, overview: Frame) -> None:
        """Predict the grid of a whole picture, of which strips come next.

        Args:
            overview: the picture, of any size.

        Raises:
            DeviceError: the frame is not in main memory.
            EngineError: the network fails or gives no usable numbers.
        """
        picture = self._picture(overview)
        self._strips = PictureStrips(picture, overview.height, overview.width)
        self._seen = self.steady_grid(picture.seen, time_s=overview.time_s)

    def enhance_strip(self, frame: Frame, *, top: int, height: int) -> Frame:
        """Enhance some rows of the picture that `look_at` saw.

        Args:
            frame: the rows; they begin with a whole row of chroma.
            top: where they begin in the picture.
            height: rows of the picture.
        """
        if self.strength == 0:
            return frame
        mixed = strengthened(self._seen, self.strength)
        if self._strips is None:
            return frame.with_planes(apply_grid(frame, mixed, top=top, height=height))
        return self._strips(frame, top=top, height=height, enhance=partial(apply_grid, grid=mixed))

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        self._filter.reset()
        self._picture.reset()
        self._strips = None
        if self._restorer is not None:
            self._restorer.reset()

    @property
    def lasting(self) -> str:
        """See `RememberingEnhancer`."""
        return str(self._picture.lasting)

    @property
    def memory(self) -> tuple[object, ...]:
        """See `RememberingEnhancer`."""
        return self._filter, self._picture, self._restorer

    @memory.setter
    def memory(self, memory: object) -> None:
        kept = [*map(type, self.memory)]
        if not isinstance(memory, tuple) or [*map(type, memory)] != kept:
            raise TypeError("this is no grid enhancer's memory")
        self._filter, self._picture, self._restorer = memory

    def _predict(self, small: Floats) -> Floats:
        grid = self._engine(small)
        if grid.shape != GRID_OUTPUT_SHAPE:
            raise EngineError(f"a grid is {GRID_OUTPUT_SHAPE}; the network gave {grid.shape}")
        if not np.isfinite(grid).all():
            raise EngineError("the network gave coefficients that are not finite numbers")
        first: Floats = grid[0]
        return first


def _is_lit(edge: RgbImage) -> bool:
    """Whether the median of an image's edge is that of no bar."""
    return bool(2 * np.count_nonzero(edge > _BLACK_EDGE) > edge.size)


def _restorer(denoise: Denoise) -> Restorer:
    from tapetum.realtime.cpu.restoring import Restorer  # kernels that others do without

    return Restorer(denoise)
