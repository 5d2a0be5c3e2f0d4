"""Reads photos with all that they hold: every picture, depth, transparency, metadata."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.media_input import check_file
from tapetum.realtime.media.sample_entries import shows_a_part, tables_disagree
from tapetum.realtime.photos.coded_colors import coded_colors
from tapetum.realtime.photos.damage import (
    coded_bits,
    examine,
    padded,
    with_jpeg_end,
    with_plain_names,
)
from tapetum.realtime.photos.extras import left_out
from tapetum.realtime.photos.formats import (
    AVIF,
    FORMATS,
    GIF,
    HEIF,
    JPEG,
    PNG,
    TIFF,
    photo_format,
)
from tapetum.realtime.photos.libtiff import silence
from tapetum.realtime.photos.metadata import Metadata, orientation, read_metadata
from tapetum.realtime.photos.picture import Picture
from tapetum.realtime.photos.pillow_image import (
    blacken,
    count_pictures,
    deep_layers,
    durations_ms,
    is_interlaced,
    load_error,
    loop_of,
    pictures_end,
    raw_mode,
    rgb_from_cmyk,
    rows_there,
    set_raw_mode,
    subsampling,
    turn_layers,
    turned_rows,
    without_pillows_limit,
)

MAX_PIXELS = 256_000_000
"""Pixels of the largest picture that is read: about 1 GB of memory."""

_ENOUGH_MADE_UP = 3
_MOST_PIXELS_MADE_UP = 1 << 26
_OTHER_ORDER = {"little": {"N": "B"}, "big": {"N": "L"}}[sys.byteorder] | {"B": "L", "L": "B"}
_DEEP_MODES = ("RGB;16", "RGBA;16")
_GREY_ALPHA_16 = "LA;16B"
_SHORTEST_GIF_MS, _SHOWN_GIF_MS = 10.0, 100.0
"""A picture of a GIF that says it is shown no longer than this is shown as long as that, by all."""


@dataclass(frozen=True, slots=True)
class Animation:
    """How pictures follow each other.

    Attributes:
        durations_ms: how long each is shown.
        loop: how often all are shown, 0 for ever; None where the file does not say.
        default_image: whether the first is shown only where animations are not.
        is_slowed: whether a picture has the time of browsers, and not the shorter one of its file.
    """

    durations_ms: tuple[float, ...]
    loop: int | None
    default_image: bool = False
    is_slowed: bool = False


class PhotoFile:
    """A photo's file, opened.

    Attributes:
        path: the file.
        format: of the file, by its content.
        count: pictures in it, as far as it can be read.
        animation: how they follow each other; None for a still photo, or for pages.
        notices: lines for the user; more are found while `pictures` are read.
        truncated: whether the file ends before its pictures do.
        damaged: pictures of which parts did not decode.
        intact: whether nothing at all is wrong with the file.
    """

    def __init__(self, path: str | Path) -> None:
        """Open a photo.

        Raises:
            MediaError: the file is missing, no photo, too large, or damaged beyond reading.
        """
        self.path = Path(path)
        check_file(self.path)
        found = photo_format(self.path)
        if found is None:
            known = ", ".join(photo.name for photo in FORMATS)
            raise MediaError(
                f"cannot open {self.path}: it is no photo that can be read, or its beginning is"
                f" damaged ({known} are read)"
            )
        self.format = found
        with media_errors("cannot open", self.path):
            raw = self.path.read_bytes()
            self._examined = examine(raw, found)
        self.truncated = self._examined.cut
        self.damaged = int(bool(self._examined.wrong) and not self.truncated)
        self.notices = list(self._examined.wrong)
        self.count = self._announced = 1
        self.animation: Animation | None = None
        self._colors = coded_colors(self._examined.data, found)
        if self._colors and (hdr := self._colors.hdr_transfer):
            self.notices.append(f"its light is HDR ({hdr}); photos are enhanced as SDR is")
        self.notices += left_out(raw, found)
        self._rows: slice | None = None
        if found is TIFF:
            silence()
        if self.truncated:
            self._make_up_the_end(raw)
        with self._reading():
            if found is not HEIF:
                self._look_into()

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong with the file, as far as it has been read."""
        return not (self.truncated or self.damaged)

    def pictures(self) -> Iterator[Picture]:
        """Read picture after picture, upright.

        Raises:
            MediaError: nothing of a picture can be decoded.
        """
        read = 0
        for index in range(self.count):
            try:
                with self._reading():
                    picture = self._heif() if self.format is HEIF else self._picture(index)
            except MediaError:
                if index == 0:
                    raise
                picture = None
            if picture is None:
                break
            read += 1
            yield picture
        self._say_what_is_there(read)

    def _open(self) -> Image.Image:
        """Open the bytes by Pillow, whose own limit on sizes is replaced by `MAX_PIXELS`."""
        with without_pillows_limit():
            image = Image.open(io.BytesIO(self._examined.data), formats=[self.format.name])
        check_size(*image.size, self.path)
        return image

    def _make_up_the_end(self, raw: bytes) -> None:
        """Find the rows of a cut photo that are there whatever its missing end is, if it can be."""
        images: list[npt.NDArray[np.uint8]] = []
        decoded: list[bytes] = []
        for data in padded(raw, self.format):
            if len(decoded) == _ENOUGH_MADE_UP:
                break
            with (
                contextlib.suppress(Exception),  # of a beginning that tells too little
                warnings.catch_warnings(action="ignore"),  # of the end that is made up
                without_pillows_limit(),
                Image.open(io.BytesIO(data)) as image,
            ):
                if image.width * image.height <= _MOST_PIXELS_MADE_UP:
                    images.append(np.asarray(image.convert("RGBA")))
                    decoded.append(data)
        if len(images) < 2:
            return
        alike = np.all([(images[0] == other).all(axis=(1, 2)) for other in images[1:]], axis=0)
        there = len(alike) if alike.all() else int(np.argmin(alike))
        if there:
            self._rows = slice(0, there)
            self._examined = replace(self._examined, data=decoded[0])

    def _look_into(self) -> None:
        image = self._open()
        self._refuse_previews(image)
        count, countable = count_pictures(image)
        if image.mode != "I;16" and coded_bits(self._examined.data, self.format) > 8:
            self._say("its colours have more than 8 bits, of which 8 are read")
        if self.format is JPEG:
            if count > 1:
                self._say_others_of_jpeg(image, count)
            return
        if count > 1 and self.format is not TIFF:
            durations = durations_ms(image, count)
            is_slowed = False
            if self.format is GIF:
                is_slowed = any(0 < ms <= _SHORTEST_GIF_MS for ms in durations)
                durations = tuple(
                    ms if ms > _SHORTEST_GIF_MS else _SHOWN_GIF_MS for ms in durations
                )
            has_default_image = bool(getattr(image, "default_image", False))
            self.animation = Animation(durations, loop_of(image), has_default_image, is_slowed)
            self._announced = count
            count = len(durations)
            if self.format is AVIF and self.intact:
                self._doubt_tables()
        if not countable and self.intact:
            self.damaged = 1
            self._say(f"what follows picture {count} cannot be read")
        self.count = count
        self._announced = max(self._announced, count)

    def _say_others_of_jpeg(self, image: Image.Image, count: int) -> None:
        self._say(f"it holds {count} pictures (previews or a gain map); the main one is enhanced")
        if pictures_end(image) > len(self._examined.data) and self.intact:
            self.damaged = 1
            self._say("its end is missing, with some of the pictures behind the main one")

    def _doubt_tables(self) -> None:
        """Call an AVIF damaged whose tables of times are taken in different ways by readers."""
        if tables_disagree(self.path) or shows_a_part(self.path):
            self.damaged = 1
            self._say("its tables of pictures and times do not agree")

    def _picture(self, index: int) -> Picture | None:
        """Read one picture; None where there is nothing of it."""
        image = self._open()
        try:
            image.seek(index)
        except EOFError:
            return None
        self._refuse_planes(image)
        low = self._low_bytes(image, index)
        image, rows = self._load(image, index)
        if not rows.stop:
            return None
        metadata = self._metadata(image)
        upright, metadata = self._layers(image, low, rows, metadata)
        duration_ms = self.animation.durations_ms[index] if self.animation else 0.0
        sampling, progressive = subsampling(image), bool(image.info.get("progressive"))
        turn, height = orientation(image), image.height
        del image, low  # a large picture is held once
        if turn != 1:
            turn_layers(upright, turn)
            rows = turned_rows(rows, turn, height, upright[0].height)
        return Picture(tuple(upright), metadata, rows, duration_ms, sampling, progressive)

    def _layers(
        self, image: Image.Image, low: Image.Image | None, rows: slice, metadata: Metadata
    ) -> tuple[list[Image.Image], Metadata]:
        """A decoded picture as layers, and its metadata with what became of its profile."""
        if low is not None:
            return list(deep_layers(image, low)), metadata
        plain, metadata = self._plain(image, metadata)
        blacken(plain, rows)
        # Pillow would save all pictures of a file's image for each, also those it cannot read.
        return [plain.copy() if self._announced > 1 else plain], metadata

    def _load(self, image: Image.Image, index: int) -> tuple[Image.Image, slice]:
        """Decode as much as there is, to the image and the rows that hold it."""
        interlaced = is_interlaced(image)
        error = load_error(image)
        if self._rows is not None and error is None:
            self._say_rows(index, self._rows, image.height)
            return image, self._rows
        if error is None:
            return image, slice(0, image.height)
        rows = rows_there(image)
        if interlaced and rows.stop:
            self._count_damaged(index)
            self._say(_COARSE)
            return image, slice(0, image.height)
        if not rows.stop and self.format is JPEG:  # a progressive one is decoded only at its end
            whole_parts = with_jpeg_end(self._examined.data)
            self._examined = replace(self._examined, data=whole_parts)
            image = self._open()
            later_error = load_error(image)
            rows = rows_there(image)
            if later_error is None and rows.stop:
                self._count_damaged(index)
                self._say(_COARSE)
                return image, slice(0, image.height)
        if not rows.stop and index == 0:
            raise MediaError(
                f"cannot open {self.path}: nothing of it can be decoded ({error})"
            ) from error
        self._count_damaged(index)
        if rows.stop:
            self._say_rows(index, rows, image.height)
        return image, rows

    def _say_rows(self, index: int, rows: slice, height: int) -> None:
        which = f"picture {index + 1}" if self.count > 1 else "it"
        there = rows.stop - rows.start
        self._say(
            f"{which} is damaged or cut: about {100 * there // height} % of it"
            f" ({there} of {height} rows) is there"
        )

    def _count_damaged(self, index: int) -> None:
        """Count a picture of which parts are missing; damage that was found before is that."""
        if index or not self.damaged:
            self.damaged += 1

    def _low_bytes(self, image: Image.Image, index: int) -> Image.Image | None:
        """Before `image` is decoded: what will give the low bytes of its 16-bit samples, if any.

        Pillow unpacks either the high bytes of a file's samples or, told that they lie the other
        way round, the low ones. Grey and alpha it unpacks at once, as four bytes a pixel.
        """
        samples = raw_mode(image)
        if ";16" not in samples or image.mode.startswith("I"):
            return None
        if self.animation is None and "transparency" not in image.info:
            if samples == _GREY_ALPHA_16:
                set_raw_mode(image, lambda _: "RGBA")
                return image
            if samples[:-1] in _DEEP_MODES:
                low = self._open()
                low.seek(index)
                set_raw_mode(low, lambda raw: raw[:-1] + _OTHER_ORDER[raw[-1]])
                return low
        self._say("its 16 bits a colour are read as 8")
        return None

    def _refuse_previews(self, image: Image.Image) -> None:
        """Refuse what is but the small preview of a camera's raw file, whatever it is named."""
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            tags = image.tag_v2
            is_reduced = bool(tags.get(ExifTags.Base.NewSubfileType, 0) & 1)
            if ExifTags.Base.DNGVersion in tags or (is_reduced and ExifTags.Base.SubIFDs in tags):
                raise MediaError(
                    f"{self.path} is a camera's raw file, which is not read; convert it to TIFF or"
                    " PNG first"
                )

    def _refuse_planes(self, image: Image.Image) -> None:
        """Refuse what Pillow takes for 8 bits, and decodes to noise."""
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            tags = image.tag_v2
            bits = tags.get(ExifTags.Base.BitsPerSample, (1,))
            apart = tags.get(ExifTags.Base.PlanarConfiguration) == 2
            if apart and len(bits) > 1 and max(bits) > 8:
                raise MediaError(
                    f"cannot open {self.path}: its colours lie in separate planes of"
                    f" {max(bits)} bits; save it interleaved first"
                )

    def _plain(self, image: Image.Image, metadata: Metadata) -> tuple[Image.Image, Metadata]:
        """The picture in one of the modes that are enhanced."""
        mode = image.mode
        if mode == "I;16" and "transparency" in image.info:
            self._say("the grey that it calls transparent is kept as a grey")
            return image, metadata
        if mode in {"L", "LA", "RGB", "RGBA", "I;16"} and "transparency" not in image.info:
            return image, metadata
        if mode == "CMYK":
            self.notices.append("its CMYK colours are written as RGB")
            return rgb_from_cmyk(image, metadata.icc), replace(metadata, icc=b"")
        if mode == "1":
            return image.convert("L"), metadata
        if mode in {"I", "I;16B", "I;16L"}:
            return self._grey_16(image), metadata
        if mode in {"F", "LAB", "HSV"}:
            raise MediaError(
                f"cannot open {self.path}: its pixels are {_KINDS[mode]}; save it with 8 or 16"
                " bits of RGB first"
            )
        return image.convert("RGBA" if image.has_transparency_data else "RGB"), metadata

    def _grey_16(self, image: Image.Image) -> Image.Image:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise MediaError(
                f"cannot open {self.path}: its pixels have 32 bits; save it with 16 first"
            )
        return Image.fromarray(values.astype(np.uint16))

    def _heif(self) -> Picture:
        import pi_heif

        heif = pi_heif.open_heif(io.BytesIO(self._examined.data), convert_hdr_to_8bit=False)
        width, height = heif.size
        check_size(width, height, self.path)
        if len(heif) > 1:
            self.notices.append(f"it holds {len(heif)} pictures; the main one is enhanced")
        values = np.asarray(heif)
        mode = heif.mode.partition(";")[0]
        parts = (values,) if values.dtype == np.uint8 else (values >> 8, values & 255)
        layers = tuple(Image.fromarray(part.astype(np.uint8)) for part in parts)
        layers = tuple(layer if layer.mode == mode else layer.convert(mode) for layer in layers)
        layers[0].info.update(heif.info)
        return Picture(layers, self._metadata(layers[0]), slice(0, height))

    def _metadata(self, image: Image.Image) -> Metadata:
        """What the file says of a picture; what its numbers say of its colours, as a profile."""
        metadata = read_metadata(image, self._examined.chunks)
        if self.format is PNG or metadata.icc or not self._colors or "RGB" not in image.mode:
            return metadata
        return replace(metadata, icc=self._colors.icc_profile())

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn whatever a decoder raises into one line, and its warnings into notices."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                yield
            except MediaError:
                raise
            except MemoryError as error:
                raise MediaError(f"cannot open {self.path}: there is too little memory") from error
            except UnidentifiedImageError as error:
                raise MediaError(f"cannot open {self.path}: {self._why_not()}") from error
            except Exception as error:  # decoders of damaged files raise anything
                raise MediaError(
                    f"cannot open {self.path}: it is damaged ({_one_line(error)})"
                ) from error
        for warning in caught:
            if not issubclass(warning.category, DeprecationWarning | ResourceWarning):
                self.damaged = max(self.damaged, 1)
                self._say(f"a part of what it says about itself is damaged ({warning.message})")

    def _why_not(self) -> str:
        if self.truncated:
            return f"its end is missing, and {self.format.name} cannot be shown in part"
        return f"it is damaged, or a kind of {self.format.name} that cannot be read"

    def _say(self, line: str) -> None:
        if line not in self.notices:
            self.notices.append(line)

    def _say_what_is_there(self, read: int) -> None:
        if read == 0:
            raise MediaError(f"cannot open {self.path}: nothing of it can be decoded")
        if read < self._announced:
            self.truncated = True
            self._say(f"{read} of {self._announced} pictures are there")
        elif self.truncated and read > 1:
            self._say(f"{read} pictures are there")


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height of a photo as it lies in its file, by its beginning.

    Raises:
        MediaError: it is no photo, or its beginning is damaged.
    """
    found = photo_format(path)
    try:
        if found is HEIF:
            import pi_heif

            data = with_plain_names(path.read_bytes())
            width, height = pi_heif.open_heif(io.BytesIO(data)).size
            return width, height
        if found is not None:
            with without_pillows_limit(), Image.open(path, formats=[found.name]) as image:
                return image.size
    except Exception as error:  # decoders of damaged files raise anything
        raise MediaError(f"cannot open {path}: it is damaged ({_one_line(error)})") from error
    raise MediaError(f"{path} is no photo that can be read")


def is_animated(path: Path) -> bool:
    """Whether a file holds moving pictures that the video decoder reads too (not of WebP)."""
    if photo_format(path) not in {GIF, PNG, AVIF}:
        return False
    try:
        return PhotoFile(path).animation is not None
    except MediaError:
        return False


_COARSE = "it is cut: it has less detail than it had, or grey or black where nothing was left"
_KINDS = {"F": "floating-point numbers", "LAB": "CIE Lab", "HSV": "HSV"}


def check_size(width: int, height: int, path: Path) -> None:
    """Refuse a picture that would need too much memory.

    Raises:
        MediaError: it is larger than `MAX_PIXELS`.
    """
    if width * height > MAX_PIXELS:
        raise MediaError(
            f"cannot open {path}: {width}x{height} is {width * height / 1e6:.0f} million pixels;"
            f" {MAX_PIXELS / 1e6:.0f} are the most"
        )


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__
