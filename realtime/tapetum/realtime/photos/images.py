"""Single frames as photos, and photos as single frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import FULL_RANGE, plane_rows, to_av
from tapetum.realtime.media.frame_conversion import SCALER_THREADS, sws_matrix
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.output_path import OutputFile
from tapetum.realtime.photos.formats import output_format
from tapetum.realtime.photos.picture import Pixels, picture_of
from tapetum.realtime.photos.reader import PhotoFile
from tapetum.realtime.photos.writer import PhotoOutput, PhotoWriter

_LIMITED_RANGE = 1
_SCALING = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)


def read_image(path: str | Path) -> Frame:
    """Read a photo's first picture, upright.

    Args:
        path: a photo of any format that is read; see docs/photos.md.

    Returns:
        Full-range 4:4:4 YUV of 10 bits, of 12 for a photo of 16. Transparency is left out.

    Raises:
        MediaError: the file is missing, damaged beyond reading, or no photo.
    """
    from tapetum.realtime.photos.strip_kernels import frame_from_pixels

    picture = next(PhotoFile(path).pictures())
    frame = frame_from_pixels(picture.pixels(slice(0, picture.height)))
    return frame if picture.deep else _with_10_bits(frame)


def write_image(
    path: str | Path,
    frame: Frame,
    *,
    alpha: Pixels | None = None,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
) -> list[str]:
    """Write a photo in the format of its suffix.

    JPEG, WebP and AVIF are written at high quality, PNG, TIFF and BMP without loss; PNG and TIFF
    with 16 bits where the frame has more than 10.

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
    output = OutputFile(path, overwrite=overwrite, inputs=inputs)
    writer = PhotoWriter(output_format(output.path))
    picture = picture_of(_rgb(frame), alpha)
    try:
        with media_errors("cannot write", output.path), PhotoOutput(output.temporary) as file:
            writer.write(file, iter([picture]))
    except BaseException:
        output.discard()
        raise
    output.commit()
    return writer.notices


def _with_10_bits(frame: Frame) -> Frame:
    """A 12-bit frame with the bits that tell the colours of 8-bit photos apart."""
    planes = tuple(np.minimum((plane + 2) >> 2, 1023).astype(np.uint16) for plane in frame.planes)
    return replace(frame, planes=planes, format_name="yuv444p10le")


def _rgb(frame: Frame) -> Pixels:
    """(H, W, 3) full-range RGB of a frame, uint16 where it has more than 10 bits."""
    deep = frame.format.depth > 10
    matrix = sws_matrix(frame.color.matrix, frame.width, frame.height)
    converted = VideoReformatter().reformat(
        to_av(frame),
        format="rgb48le" if deep else "rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        interpolation=_SCALING,
        src_color_range=FULL_RANGE if frame.full_range else _LIMITED_RANGE,
        dst_color_range=FULL_RANGE,
        threads=SCALER_THREADS,
    )
    rows = plane_rows(converted.planes[0], np.uint16 if deep else np.uint8)
    return rows[:, : 3 * frame.width].reshape(frame.height, frame.width, 3)
