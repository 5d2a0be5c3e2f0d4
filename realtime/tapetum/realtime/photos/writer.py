"""Writes photos with all that they hold, and says what a format cannot keep."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import IO, Any

from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from tapetum.realtime.errors import MediaError
from tapetum.realtime.photos.coded_colors import png_profile
from tapetum.realtime.photos.damage import examine
from tapetum.realtime.photos.deep_png import write_deep_png
from tapetum.realtime.photos.formats import (
    AVIF,
    GIF,
    JPEG,
    PNG,
    TIFF,
    WEBP,
    PhotoFormat,
)
from tapetum.realtime.photos.metadata import Metadata
from tapetum.realtime.photos.picture import Picture
from tapetum.realtime.photos.reader import Animation
from tapetum.realtime.photos.tiff_page import write_tiff_page

JPEG_QUALITY = 95
WEBP_QUALITY = 95
AVIF_QUALITY = 90
_PROGRESSIVE_PIXELS = 1 << 24
"""Pixels up to which a progressive JPEG is written as one: its encoder holds all coefficients."""
_SAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_JPEG_SEGMENT = 65_533
_XMP_KEYWORD = "XML:com.adobe.xmp"
_GIF_UNIT_MS, _LEAST_GIF_UNITS = 10, 2
"""A GIF's picture of one unit is shown ten times as long by every browser."""


class PhotoOutput(io.BufferedRandom):
    """A new file to write a photo to, all of it or with an error.

    Pillow writes to a file's number where it has one, and does not see where the disk took but a
    part of what it was given, because it is full: this file tells it none.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "w+"))

    def fileno(self) -> int:
        """There is none to be had."""
        raise io.UnsupportedOperation("a photo is not written by its file's number")


class PhotoWriter:
    """Writes pictures as one file of a format.

    Attributes:
        description: how pixels are coded, for the user; known once the first picture is there.
        notices: lines for the user about what the format cannot keep.
    """

    def __init__(self, photo: PhotoFormat, animation: Animation | None = None) -> None:
        self._format = photo
        self._animation = animation
        self.description = photo.name
        self.notices: list[str] = []

    @property
    def holds_several(self) -> bool:
        """Whether more than one picture is written: those that move, and pages as TIFF."""
        return self._format is TIFF or (self._format.several and self._animation is not None)

    def write(self, file: IO[bytes], pictures: Iterator[Picture]) -> int:
        """Write all pictures, or the first where the format holds one.

        Args:
            file: a `PhotoOutput`, or what is in memory.
            pictures: at least one; those that cannot be held are not asked for.

        Returns:
            How many were written.

        Raises:
            MediaError: the format cannot hold such a picture.
            OSError: the file cannot be written.
        """
        first = self._fitted(next(pictures))
        self.description = self._describe(first)
        rest = (self._fitted(picture) for picture in pictures)
        if self._format is TIFF:
            if self._animation:
                self._say(f"{TIFF.suffix} keeps all pictures as pages, without their times")
            return self._write_pages(file, chain([first], rest))
        if self._format.several and self._animation:
            return self._write_animation(file, first, rest, self._animation)
        self._write_one(file, first)
        return 1

    def _describe(self, picture: Picture) -> str:
        bits = "16 bits" if picture.deep else "8 bits"
        return {
            JPEG: f"JPEG, quality {JPEG_QUALITY}, {_SAMPLING[_jpeg_sampling(picture)]}",
            WEBP: f"WebP, quality {WEBP_QUALITY}",
            AVIF: f"AVIF, quality {AVIF_QUALITY}, 4:4:4",
            GIF: "GIF, 256 colours",
        }.get(self._format, f"{self._format.name}, {bits}, lossless")

    def _fitted(self, picture: Picture) -> Picture:
        """The picture as the format can hold it; what is lost is said."""
        photo = self._format
        if max(picture.width, picture.height) > photo.max_side:
            raise MediaError(
                f"a picture of {picture.width}x{picture.height} is too large for {photo.name},"
                f" which holds {photo.max_side} pixels a side; .png and .tif hold it"
            )
        if picture.deep and (not photo.deep or self._animation):
            self._say(f"{photo.suffix} holds 8 bits a colour here; .png and .tif keep all 16")
            picture = replace(picture, layers=(picture.shallow(),))
        if picture.has_alpha:
            picture = self._with_fitting_alpha(picture)
        if photo is not PNG and picture.metadata.png_color_differs:
            picture = self._with_profile(picture)
        lost = picture.metadata.kinds() - photo.metadata
        if "ICC" in lost:
            self._say(f"its colours are converted to sRGB, for {photo.suffix} holds no profile")
            picture = _in_srgb(picture)
        if lost := lost - {"ICC"}:
            self._say(f"{photo.suffix} cannot hold its {', '.join(sorted(lost))}; .tif keeps it")
        return picture

    def _with_profile(self, picture: Picture) -> Picture:
        """A picture whose PNG has numbers for its colours, with a profile in their place."""
        metadata = picture.metadata
        profile = png_profile(metadata.png_color) if picture.bands > 2 else b""
        if profile:
            return replace(picture, metadata=replace(metadata, icc=profile))
        self._say(
            f"{self._format.suffix} cannot hold what its PNG says of its colours (gamma,"
            " primaries), which may look different; .png keeps it"
        )
        return picture

    def _with_fitting_alpha(self, picture: Picture) -> Picture:
        photo, layers = self._format, picture.layers
        if not photo.alpha:
            self._say(f"{photo.suffix} cannot hold transparency; .png keeps it")
            layers = tuple(_opaque(layer) for layer in layers)
        elif photo is GIF and _is_see_through(picture):
            self._say(".gif cannot hold pixels that are half transparent; .png keeps them")
        elif photo is TIFF and picture.deep and picture.bands == 2:  # few programs read it as grey
            layers = tuple(layer.convert("RGBA") for layer in layers)
        return replace(picture, layers=layers)

    def _write_one(self, file: IO[bytes], picture: Picture) -> None:
        if picture.deep:
            write_deep_png(file, picture, _png_chunks(picture.metadata))
            return
        image = picture.layers[0]
        image.info.clear()  # Pillow would write some of it by itself
        image.save(file, self._format.name, **self._options(picture))

    def _write_pages(self, file: IO[bytes], pictures: Iterator[Picture]) -> int:
        count = 0
        with TiffImagePlugin.AppendingTiffWriter(file) as pages:
            for picture in pictures:
                write_tiff_page(pages, picture)
                pages.newFrame()
                count += 1
        return count

    def _write_animation(
        self, file: IO[bytes], first: Picture, rest: Iterator[Picture], animation: Animation
    ) -> int:
        pictures = [first, *rest]  # Pillow's encoders look at them more than once
        images = [picture.layers[0] for picture in pictures]
        for image in images:
            image.info.clear()
        moving = images[animation.default_image :]
        durations = animation.durations_ms[animation.default_image :]
        animation = replace(animation, durations_ms=durations)
        options = self._options(first) | self._timing(animation, transparent=first.has_alpha)
        if self._format is PNG:
            options["disposal"] = _disposals(moving)
        elif animation.default_image:
            images = moving
            self._say(
                f"{self._format.suffix} has no place for the picture that is shown where"
                " animations are not; .png keeps it"
            )
        images[0].save(file, self._format.name, save_all=True, append_images=images[1:], **options)
        return len(pictures)

    def _timing(self, animation: Animation, *, transparent: bool) -> dict[str, Any]:
        durations: list[float] = list(animation.durations_ms)
        loop = animation.loop
        if animation.is_slowed:
            self._say("pictures of 10 ms are written for 100 ms, as every browser shows them")
        if self._format is PNG:
            of_png = {"blend": 0, "default_image": animation.default_image}
            return {"duration": durations, "loop": loop or 0} | of_png
        if self._format is GIF:
            repeats = {} if loop == 1 else {"loop": max(0, (loop or 0) - 1)}
            shown = in_whole_units(durations, _GIF_UNIT_MS, least=_LEAST_GIF_UNITS)
            if any(ms != wanted for ms, wanted in zip(shown, durations, strict=True)):
                self._say(
                    ".gif shows pictures for hundredths of a second, two at least; .png and .webp"
                    " keep their times"
                )
            return {"duration": shown, "disposal": 2 if transparent else 1} | repeats
        whole = in_whole_units(durations, 1)
        return {"duration": whole} | ({"loop": loop or 0} if self._format is WEBP else {})

    def _options(self, picture: Picture) -> dict[str, Any]:
        """What Pillow's encoder of the format is told."""
        metadata = picture.metadata
        options: dict[str, Any] = {}
        if self._format.metadata & {"ICC"} and metadata.icc:
            options["icc_profile"] = metadata.icc
        if self._format.metadata & {"resolution"} and metadata.dpi:
            options["dpi"] = metadata.dpi
        if self._format in {JPEG, WEBP, AVIF, PNG} and metadata.exif:
            options["exif"] = b"Exif\0\0" + metadata.exif
        return options | self._own_options(picture)

    def _own_options(self, picture: Picture) -> dict[str, Any]:
        metadata = picture.metadata
        if self._format is JPEG:
            return self._jpeg_options(picture)
        if self._format is PNG:
            return {"pnginfo": _png_texts(metadata)}
        if self._format is WEBP:
            return {"quality": WEBP_QUALITY, "method": 4, "exact": True, "xmp": metadata.xmp}
        if self._format is AVIF:
            xmp = {"xmp": metadata.xmp} if metadata.xmp else {}
            return {"quality": AVIF_QUALITY, "subsampling": "4:4:4"} | xmp
        if self._format is GIF and metadata.comment:
            return {"comment": metadata.comment}
        return {}

    def _jpeg_options(self, picture: Picture) -> dict[str, Any]:
        metadata = picture.metadata
        options: dict[str, Any] = {
            "quality": JPEG_QUALITY,
            "subsampling": _jpeg_sampling(picture),
            "comment": metadata.comment,
            "progressive": picture.progressive
            and picture.width * picture.height <= _PROGRESSIVE_PIXELS,
        }
        if metadata.xmp:
            options["xmp"] = metadata.xmp
        if metadata.iptc:
            size = len(metadata.iptc) + 2
            options["extra"] = b"\xff\xed" + size.to_bytes(2, "big") + metadata.iptc
        for kind, value in (("xmp", metadata.xmp), ("extra", metadata.iptc)):
            if len(value) > _JPEG_SEGMENT - 64:
                self._say(f".jpg cannot hold so long an {kind.upper()} block; .tif keeps it")
                del options[kind]
        return options

    def _say(self, line: str) -> None:
        if line not in self.notices:
            self.notices.append(line)


def in_whole_units(durations_ms: Sequence[float], unit_ms: int, *, least: int = 0) -> list[int]:
    """Durations in whole units; what one is too long or short, those behind it make up for.

    Args:
        durations_ms: of pictures that follow each other, in milliseconds.
        unit_ms: of the result.
        least: units of a picture.

    Returns:
        The same in milliseconds, multiples of `unit_ms`.
    """
    shown: list[int] = []
    end_ms, shown_until = 0.0, 0
    for duration_ms in durations_ms:
        end_ms += duration_ms
        units = max(least, round(end_ms / unit_ms) - shown_until)
        shown_until += units
        shown.append(unit_ms * units)
    return shown


def _jpeg_sampling(picture: Picture) -> int:
    """As the JPEG that it comes from; else no colour is given away."""
    return picture.jpeg_subsampling if picture.jpeg_subsampling in _SAMPLING else 0


def _is_see_through(picture: Picture) -> bool:
    """Whether there are pixels between transparent and opaque."""
    return any(picture.layers[0].getchannel("A").histogram()[1:255])


def _opaque(layer: Image.Image) -> Image.Image:
    return layer.convert("L" if layer.mode == "LA" else "RGB")


def _in_srgb(picture: Picture) -> Picture:
    """The picture with its colours as sRGB, for formats that hold no profile."""
    image = picture.layers[0]
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.metadata.icc))
    color = image if image.mode in {"RGB", "L"} else image.convert(image.mode.replace("A", ""))
    try:
        converted = ImageCms.profileToProfile(
            color, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except ImageCms.PyCMSError:  # a profile that is none: nothing is known of the colours
        converted = None
    result = converted or color.convert("RGB")
    if picture.has_alpha:
        result.putalpha(image.getchannel("A"))
    return replace(picture, layers=(result,), metadata=replace(picture.metadata, icc=b""))


def _png_texts(metadata: Metadata) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for kind, body in metadata.png_color:
        chunks.add(kind, body)
    comment = {"Comment": metadata.comment.decode("utf-8", "replace")} if metadata.comment else {}
    for keyword, text in (comment | metadata.texts).items():
        chunks.add_itxt(keyword, text)
    if metadata.xmp:
        chunks.add_itxt(_XMP_KEYWORD, metadata.xmp.decode("utf-8", "replace"))
    return chunks


def _png_chunks(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """The same metadata as the chunks of a PNG that Pillow does not write, made by Pillow."""
    options: dict[str, Any] = {"pnginfo": _png_texts(metadata)}
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    if metadata.exif:
        options["exif"] = metadata.exif
    small = io.BytesIO()
    Image.new("RGB", (1, 1)).save(small, "PNG", **options)
    chunks = examine(small.getvalue(), PNG).chunks
    return [chunk for chunk in chunks if chunk[0] not in {b"IHDR", b"IEND", b"PLTE"}]


def _disposals(images: Sequence[Image.Image]) -> list[int]:
    """What becomes of each picture of an APNG when its time is over; the next one replaces it all.

    Pillow makes one picture of two that are alike, unless this differs: 0 leaves it there, 2 takes
    it back.
    """
    disposals = [0]
    for before, image in pairwise(images):
        alike = before.mode == image.mode and before.tobytes() == image.tobytes()
        disposals.append(2 - disposals[-1] if alike else disposals[-1])
    return disposals
