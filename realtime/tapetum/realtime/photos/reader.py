"""Reads photos with all that they hold: every picture, depth, transparency, metadata."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin, UnidentifiedImageError

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.media_input import check_file
from tapetum.realtime.photos.damage import Examined, examine, with_jpeg_end
from tapetum.realtime.photos.formats import (
    AVIF,
    FORMATS,
    GIF,
    HEIF,
    JPEG,
    PNG,
    TIFF,
    WEBP,
    PhotoFormat,
    photo_format,
)
from tapetum.realtime.photos.metadata import Metadata, orientation, read_metadata
from tapetum.realtime.photos.picture import Picture

MAX_PIXELS = 256_000_000
"""Pixels of the largest picture that is read: about 1 GB of memory."""

_OTHER_ORDER = {"little": {"N": "B"}, "big": {"N": "L"}}[sys.byteorder] | {"B": "L", "L": "B"}
_DEEP_MODES = ("RGB;16", "RGBA;16")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of an EXIF orientation upright."""


@dataclass(frozen=True, slots=True)
class Animation:
    """How pictures follow each other.

    Attributes:
        durations_ms: how long each is shown.
        loop: how often all are shown, 0 for ever; None where the file does not say.
        default_image: whether the first is shown only where animations are not.
    """

    durations_ms: tuple[float, ...]
    loop: int | None
    default_image: bool = False


class PhotoFile:
    """A photo's file, opened.

    Attributes:
        path: the file.
        format: of the file, by its content.
        count: pictures in it, as far as it can be read.
        animation: how they follow each other; None for a still photo, or for pages.
        notices: lines for the user, more of them once `pictures` has been read.
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
            self._examined = examine(self.path.read_bytes(), found)
        self.truncated = self._examined.cut
        self.damaged = 0
        self.notices: list[str] = []
        self.count, self.animation = 1, None
        with self._reading():
            if found is not HEIF:
                self._look_into()

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong with the file, as far as it has been read."""
        return not (self._examined.wrong or self.truncated or self.damaged)

    def pictures(self) -> Iterator[Picture]:
        """Read picture after picture, upright.

        Raises:
            MediaError: nothing of a picture can be decoded.
        """
        read = 0
        for index in range(self.count):
            with self._reading():
                picture = self._heif() if self.format is HEIF else self._picture(index)
            if picture is None:
                break
            read += 1
            yield picture
        self._say_what_is_there(read)

    def _open(self) -> Image.Image:
        """Open the bytes by Pillow, whose own limit on sizes is replaced by `MAX_PIXELS`."""
        names = ["JPEG", "MPO"] if self.format is JPEG else [self.format.name]
        with _without_pillows_limit():
            image = Image.open(io.BytesIO(self._examined.data), formats=names)
        check_size(*image.size, self.path)
        return image

    def _look_into(self) -> None:
        image = self._open()
        count = _count(image)
        if self.format is JPEG:
            if count > 1:
                self.notices.append(
                    f"it holds {count} pictures (previews or a gain map); the main one is enhanced"
                )
            return
        if count > 1 and self.format is not TIFF:
            durations = _durations_ms(image, count)
            self.animation = Animation(
                durations, _loop(image), bool(getattr(image, "default_image", False))
            )
            count = len(durations)
        self.count = count

    def _picture(self, index: int) -> Picture | None:
        image = self._open()
        if index:
            try:
                image.seek(index)
            except EOFError:
                return None
        layers = self._deep_layers(image, index)
        if layers is None:
            image, rows = self._load(image, index)
            layers = (image,)
        else:
            rows = image.height
        if rows == 0:
            return None
        metadata = read_metadata(image, self._examined.chunks)
        if len(layers) == 1:
            plain, metadata = self._plain(image, metadata)
            layers = (plain,)
        turn = orientation(image)
        if turn > 1:
            layers = tuple(layer.transpose(_TURNS[turn]) for layer in layers)
        duration_ms = self.animation.durations_ms[index] if self.animation else 0.0
        picture = Picture(layers, metadata, layers[0].height, duration_ms)
        if turn < 3:
            picture.rows = rows
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            picture.jpeg_subsampling = _subsampling(image)
            picture.progressive = bool(image.info.get("progressive"))
        return picture

    def _load(self, image: Image.Image, index: int) -> tuple[Image.Image, int]:
        """Decode as much as there is, to the image and the rows that hold it."""
        error = _load_error(image)
        if error is None:
            return image, image.height
        rows = _rows_there(image)
        if rows == 0 and self.format is JPEG:  # a progressive one is decoded only at its end
            self._examined = replace(self._examined, data=with_jpeg_end(self._examined.data))
            image = self._open()
            error = _load_error(image)
            rows = image.height if error is None else _rows_there(image)
        if rows == 0 and index == 0:
            raise MediaError(
                f"cannot open {self.path}: nothing of it can be decoded ({error})"
            ) from error
        self.damaged += 1
        if rows:
            which = f"picture {index + 1}" if self.count > 1 else "it"
            self.notices.append(
                f"{which} is damaged or cut: about {100 * rows // image.height} % of it"
                f" ({rows} of {image.height} rows) is there"
            )
        return image, rows

    def _deep_layers(self, image: Image.Image, index: int) -> tuple[Image.Image, ...] | None:
        """High and low bytes of 16-bit samples, which Pillow unpacks one or the other of.

        None where samples have 8 bits, or where it can only unpack the high ones.
        """
        mode = _raw_mode(image)
        if ";16" not in mode or image.mode == "I;16":
            return None
        if mode == "LA;16B" and not self.animation:
            _set_raw_mode(image, lambda _: "RGBA")
            if _load_error(image) is None:
                parts = image.split()
                return tuple(
                    Image.merge("LA", pair) for pair in ((parts[0], parts[2]), (parts[1], parts[3]))
                )
        elif mode[:-1] in _DEEP_MODES and not self.animation and "transparency" not in image.info:
            low = self._open()
            low.seek(index)
            _set_raw_mode(low, lambda raw: raw[:-1] + _OTHER_ORDER[raw[-1]])
            if _load_error(image) is None and _load_error(low) is None:
                return image, low
        else:
            self.notices.append("its 16 bits a colour are read as 8")
            return None
        return None

    def _plain(self, image: Image.Image, metadata: Metadata) -> tuple[Image.Image, Metadata]:
        """The picture in one of the modes that are enhanced."""
        mode = image.mode
        if mode in {"L", "LA", "RGB", "RGBA", "I;16"} and "transparency" not in image.info:
            return image, metadata
        if mode == "CMYK":
            self.notices.append("its CMYK colours are written as RGB")
            return _rgb_from_cmyk(image, metadata.icc), replace(metadata, icc=b"")
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
        check_size(*heif.size, self.path)
        if len(heif) > 1:
            self.notices.append(f"it holds {len(heif)} pictures; the main one is enhanced")
        values = np.asarray(heif)
        mode = heif.mode.partition(";")[0]
        parts = (values,) if values.dtype == np.uint8 else (values >> 8, values & 255)
        layers = tuple(Image.fromarray(part.astype(np.uint8)) for part in parts)
        layers = tuple(
            layer if layer.mode == mode else layer.convert(mode) for layer in layers
        )
        layers[0].info.update(heif.info)
        return Picture(layers, read_metadata(layers[0], ()), layers[0].height)

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
                self._say(_one_line(warning.message))

    def _why_not(self) -> str:
        if self.truncated:
            return f"its end is missing, and {self.format.name} cannot be shown in part"
        return f"it is damaged, or a kind of {self.format.name} that cannot be read"

    def _say(self, line: str) -> None:
        if line not in self.notices:
            self.notices.append(line)

    def _say_what_is_there(self, read: int) -> None:
        for line in self._examined.wrong:
            self._say(line)
        if read == 0:
            raise MediaError(f"cannot open {self.path}: nothing of it can be decoded")
        if read < self.count:
            self.truncated = True
            self._say(f"{read} of {self.count} pictures are there")


def is_animated(path: Path) -> bool:
    """Whether a file holds pictures that are shown one after the other."""
    if photo_format(path) not in {GIF, PNG, WEBP, AVIF}:
        return False
    try:
        return PhotoFile(path).animation is not None
    except MediaError:
        return False


_KINDS = {"F": "floating-point numbers", "LAB": "CIE Lab", "HSV": "HSV"}
_limit_lock = threading.Lock()


@contextlib.contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Pillow's limit on sizes is one variable for all threads, and its warning is no answer."""
    with _limit_lock:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


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


def _load_error(image: Image.Image) -> Exception | None:
    """Decode, and keep what was decoded before an error."""
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders of damaged files raise anything
        image.tile = []  # type: ignore[attr-defined] # what is decoded so far is the picture
        return error
    return None


def _rows_there(image: Image.Image) -> int:
    """Rows from the top down to the last that is not black; memory begins black."""
    try:
        box = image.getbbox(alpha_only=False)
    except Exception:  # noqa: BLE001 - there is no picture at all
        return 0
    return 0 if box is None else box[3]


def _count(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except (EOFError, SyntaxError, OSError, ValueError, struct.error):
        return 1


def _durations_ms(image: Image.Image, count: int) -> tuple[float, ...]:
    """How long each picture is shown, up to the first that cannot be read."""
    durations = []
    for index in range(count):
        try:
            image.seek(index)
        except (EOFError, SyntaxError, OSError, ValueError, struct.error):
            break
        error = _load_error(image)
        durations.append(float(image.info.get("duration", 0)))
        if error is not None:
            break
    return tuple(durations)


def _loop(image: Image.Image) -> int | None:
    loop = image.info.get("loop")
    if loop is None:
        return 1 if image.format == "GIF" else None
    if image.format == "GIF" and loop:
        return int(loop) + 1  # GIF counts repetitions
    return int(loop)


def _raw_mode(image: Image.Image) -> str:
    """How the samples of a picture that is not loaded yet lie in its file."""
    tiles = getattr(image, "tile", ())
    if not tiles:
        return ""
    arguments = tiles[0].args
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _set_raw_mode(image: Image.Image, change: Callable[[str], str]) -> None:
    tiles = []
    for tile in image.tile:  # type: ignore[attr-defined] # opened from a file, so it has tiles
        arguments = tile.args
        if isinstance(arguments, tuple):
            tiles.append(tile._replace(args=(change(arguments[0]), *arguments[1:])))
        else:
            tiles.append(tile._replace(args=change(arguments)))
    image.tile = tiles  # type: ignore[attr-defined]


def _subsampling(image: JpegImagePlugin.JpegImageFile) -> int:
    return JpegImagePlugin.get_sampling(image)


def _rgb_from_cmyk(image: Image.Image, icc: bytes) -> Image.Image:
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(icc)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
            if converted is not None:
                return converted
    return image.convert("RGB")


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__
