"""Photos as single frames: read, and written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.media.av_frame import from_av, plane_rows
from tapetum.realtime.media.exif import exif_orientation
from tapetum.realtime.media.frame_conversion import (
    SCALER_THREADS,
    PictureConverter,
    has_alpha,
    is_rgb,
    nearest_format,
)
from tapetum.realtime.media.image_encoding import IMAGE_ENCODERS, encode_image
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.media_input import check_file
from tapetum.realtime.media.output_path import OutputFile

Alpha = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_FULL_RANGE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo as it is read.

    Attributes:
        frame: the pixels, upright. RGB comes as full-range 4:4:4 YUV of 10 bits (12 for RGB of
            more than 8 bits), from which the same 8-bit RGB is got back.
        alpha: (H, W) transparency, uint8 or uint16, or None for an opaque photo.
        notices: lines for the user.
    """

    frame: Frame
    alpha: Alpha | None = None
    notices: tuple[str, ...] = ()


def is_image(path: str | Path) -> bool:
    """Whether a file name has the suffix of an image that can be read and written."""
    return Path(path).suffix.lower() in IMAGE_ENCODERS


def read_image(path: str | Path) -> Frame:
    """Read a photo's pixels; see `read_photo` for its transparency.

    Raises:
        MediaError: the file is missing, broken, or no image.
    """
    return read_photo(path).frame


def read_photo(path: str | Path) -> Photo:
    """Read a photo, turned upright as its EXIF orientation says.

    Raises:
        MediaError: the file is missing, broken, or no image.
    """
    path = Path(path)
    check_file(path)
    with media_errors("cannot open", path):
        data = path.read_bytes()
    picture = _decode(data, path)
    if picture.format.has_palette:
        picture = picture.reformat(format="rgba", threads=SCALER_THREADS)
    turn = exif_orientation(data)
    frame = _turned(_frame(picture, square_chroma=turn > 4), turn)
    alpha = _alpha(picture)
    return Photo(frame, None if alpha is None else _turn(alpha, turn))


def _decode(data: bytes, path: Path) -> av.VideoFrame:
    try:
        with av.open(io.BytesIO(data), "r") as container:
            for picture in container.decode(video=0):
                return picture
    except (FFmpegError, ValueError, IndexError) as error:
        raise MediaError(f"cannot open {path}: it is no image, or is damaged") from error
    raise MediaError(f"cannot open {path}: it holds no picture")


def _frame(picture: av.VideoFrame, *, square_chroma: bool) -> Frame:
    """The picture in a format that can be enhanced.

    Args:
        picture: as decoded.
        square_chroma: whether chroma must be subsampled alike both ways, to be turned by 90
            degrees.
    """
    name = picture.format.name
    target = nearest_format(name)
    if is_rgb(name):
        target = "yuv444p12le" if "12" in target else "yuv444p10le"
    elif square_chroma:
        target = target.replace("422", "444")
    convert = PictureConverter(target, picture.width, picture.height, rgb_range=_FULL_RANGE)
    return from_av(convert(picture), pts=0, time_base=Fraction(1, 25))


def _turned(frame: Frame, orientation: int) -> Frame:
    return replace(frame, planes=tuple(_turn(plane, orientation) for plane in frame.planes))


def _turn(plane: Plane, orientation: int) -> Plane:
    """Undo an EXIF orientation: 5 to 8 swap rows and columns, then come the mirrors."""
    if orientation == 1:
        return plane
    if orientation > 4:
        plane = plane.T
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return plane.copy()


def _alpha(picture: av.VideoFrame) -> Alpha | None:
    """The transparency; None where the photo has none or is opaque everywhere."""
    if not has_alpha(picture.format.name):
        return None
    deep = max(component.bits for component in picture.format.components) > 8
    dtype = np.uint16 if deep else np.uint8
    rgba = picture.reformat(format="rgba64le" if deep else "rgba", threads=SCALER_THREADS)
    alpha = plane_rows(rgba.planes[0], dtype)[:, 3 : 4 * picture.width : 4]
    return None if (alpha == np.iinfo(dtype).max).all() else alpha


def write_image(
    path: str | Path,
    frame: Frame,
    *,
    alpha: Alpha | None = None,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
) -> list[str]:
    """Write a photo in the format of its suffix.

    JPEG and WebP are written at high quality, PNG, TIFF and BMP without loss; PNG and TIFF with
    16 bits where the frame has more than 10.

    Args:
        path: the output.
        frame: the pixels.
        alpha: (H, W) transparency, uint8 or uint16, or None.
        overwrite: whether an existing file may be replaced.
        inputs: files that the output must not replace.

    Returns:
        Lines for the user about what the format cannot keep.

    Raises:
        MediaError: the output cannot or must not be written.
    """
    file = OutputFile(path, overwrite=overwrite, inputs=inputs)
    if not is_image(file.path):
        suffix, known = file.path.suffix or "no suffix", ", ".join(IMAGE_ENCODERS)
        raise MediaError(f"output {file.path} has {suffix}; use one of {known}")
    with media_errors("cannot write", file.path):
        encoded, notices = encode_image(frame, alpha, suffix=file.path.suffix.lower())
        try:
            file.temporary.write_bytes(encoded)
        except BaseException:
            file.discard()
            raise
    file.commit()
    return notices
