"""One picture in memory, worked on in strips of rows, so that a large one needs no second copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from tapetum.realtime.photos.metadata import Metadata

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""(H, W, C): grey, grey and alpha, RGB, or RGB and alpha; full range."""

_STRIP_PIXELS = 1 << 21
_WRITTEN_ROWS = 64


@dataclass(slots=True, eq=False)
class Picture:
    """A picture with what belongs to it.

    Attributes:
        layers: one image of mode L, LA, RGB, RGBA or I;16; or two of the same mode that hold the
            high and the low bytes of 16-bit samples.
        metadata: what the file says about it.
        rows: those that are there; fewer than its height in a cut file.
        duration_ms: how long it is shown in an animation; 0 for a still one.
        jpeg_subsampling: of the JPEG that it comes from, as Pillow counts (2 is 4:2:0); -1
            for none.
        progressive: whether it comes from a progressive JPEG.
    """

    layers: tuple[Image.Image, ...]
    metadata: Metadata
    rows: slice
    duration_ms: float = 0.0
    jpeg_subsampling: int = -1
    progressive: bool = False

    @property
    def width(self) -> int:
        """Columns."""
        return self.layers[0].width

    @property
    def height(self) -> int:
        """Rows."""
        return self.layers[0].height

    @property
    def deep(self) -> bool:
        """Whether samples have 16 bits."""
        return len(self.layers) == 2 or self.layers[0].mode == "I;16"

    @property
    def bands(self) -> int:
        """Samples of a pixel: 1 to 4."""
        return len(self.layers[0].getbands())

    @property
    def has_alpha(self) -> bool:
        """Whether the last sample of a pixel is its transparency."""
        return self.bands in {2, 4}

    def strips(self) -> Iterator[slice]:
        """The rows that are there, from top to bottom, a few at a time."""
        step = max(1, _STRIP_PIXELS // self.width)
        for top in range(self.rows.start, self.rows.stop, step):
            yield slice(top, min(top + step, self.rows.stop))

    def all_strips(self) -> Iterator[slice]:
        """All rows, also those that a cut file did not have, for writing."""
        for top in range(0, self.height, _WRITTEN_ROWS):
            yield slice(top, min(top + _WRITTEN_ROWS, self.height))

    def pixels(self, rows: slice) -> Pixels:
        """A copy of some rows."""
        box = (0, rows.start, self.width, rows.stop)
        shape = (rows.stop - rows.start, self.width, self.bands)
        parts = [np.array(layer.crop(box)).reshape(shape) for layer in self.layers]
        pixels: Pixels = parts[0]
        if len(parts) == 2:
            pixels = parts[0].astype(np.uint16) << np.uint16(8) | parts[1].astype(np.uint16)
        return pixels

    def put(self, rows: slice, pixels: Pixels) -> None:
        """Write some rows."""
        corner = (0, rows.start)
        if pixels.shape[2] == 1:
            pixels = pixels[..., 0]
        if len(self.layers) == 1:
            self.layers[0].paste(Image.fromarray(np.ascontiguousarray(pixels)), corner)
            return
        for layer, part in zip(self.layers, (pixels >> 8, pixels & 255), strict=True):
            layer.paste(Image.fromarray(part.astype(np.uint8)), corner)

    def blank(self, width: int) -> Picture:
        """A black picture of the same kind, as high and `width` columns wide."""
        size = (width, self.height)
        layers = tuple(Image.new(layer.mode, size) for layer in self.layers)
        return Picture(
            layers,
            self.metadata,
            self.rows,
            self.duration_ms,
            self.jpeg_subsampling,
            self.progressive,
        )

    def shallow(self) -> Image.Image:
        """The picture with 8 bits a sample; for a deep one, a new image."""
        if not self.deep:
            return self.layers[0]
        mode = "L" if self.bands == 1 else self.layers[0].mode
        image = Image.new(mode, (self.width, self.height))
        for rows in self.all_strips():
            small = (self.pixels(rows).astype(np.uint32) + 128) // 257
            part = small.astype(np.uint8)
            image.paste(Image.fromarray(part[..., 0] if self.bands == 1 else part), (0, rows.start))
        return image


def picture_of(pixels: Pixels, alpha: Pixels | None = None) -> Picture:
    """A picture of (H, W, C) pixels and (H, W) transparency, in the pixels' own depth."""
    if alpha is not None:
        top, alpha_top = np.iinfo(pixels.dtype).max, np.iinfo(alpha.dtype).max
        scaled = alpha.astype(np.uint32) * top // alpha_top
        pixels = np.dstack([pixels, scaled.astype(pixels.dtype)])
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[2]]
    layers = (Image.new(mode, pixels.shape[1::-1]) for _ in range(pixels.itemsize))
    picture = Picture(tuple(layers), Metadata(), slice(0, pixels.shape[0]))
    picture.put(slice(0, pixels.shape[0]), pixels)
    return picture
