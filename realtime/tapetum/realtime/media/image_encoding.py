"""Frames to the bytes of image files."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Interpolation, VideoReformatter

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import FULL_RANGE, plane_rows, to_av
from tapetum.realtime.media.frame_conversion import SCALER_THREADS, sws_matrix

Alpha = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_SCALING = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
_JPEG_QUANTISER = 2
"""FFmpeg's scale of 2 (best) to 31; 2 is about quality 95 elsewhere."""


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """How an image format is written.

    Attributes:
        name: FFmpeg's encoder.
        opaque: pixel format without transparency; "" to stay in YUV.
        transparent: pixel format with transparency, None where there is none.
        deep_opaque: the same for more than 10 bits, None where 8 bits are all.
        deep_transparent: the same with transparency.
        options: the encoder's options.
    """

    name: str
    opaque: str = ""
    transparent: str | None = None
    deep_opaque: str | None = None
    deep_transparent: str | None = None
    options: dict[str, str] = field(default_factory=dict)


_JPEG = ImageEncoder("mjpeg")
_TIFF = ImageEncoder(
    "tiff", "rgb24", "rgba", "rgb48le", "rgba64le", options={"compression_algo": "lzw"}
)
IMAGE_ENCODERS = {
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".png": ImageEncoder("png", "rgb24", "rgba", "rgb48be", "rgba64be", options={"pred": "paeth"}),
    ".webp": ImageEncoder("libwebp", "bgra", "bgra", options={"quality": "95"}),
    ".bmp": ImageEncoder("bmp", "bgr24"),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}
"""Every image format that can be written, by suffix."""


def encode_image(frame: Frame, alpha: Alpha | None, *, suffix: str) -> tuple[bytes, list[str]]:
    """Encode one frame as a whole image file.

    Args:
        frame: the pixels.
        alpha: (H, W) transparency, or None.
        suffix: a key of `IMAGE_ENCODERS`.

    Returns:
        The file's bytes, and lines about what the format cannot keep.

    Raises:
        FFmpegError: the encoder refuses the picture.
    """
    encoder = IMAGE_ENCODERS[suffix]
    notices = []
    if alpha is not None and encoder.transparent is None:
        notices.append(f"{suffix} cannot hold transparency; .png keeps it")
        alpha = None
    picture = _converted(frame, _pixel_format(encoder, frame, transparent=alpha is not None))
    if alpha is not None:
        _set_alpha(picture, alpha)
    return _encode(encoder, picture), notices


def _pixel_format(encoder: ImageEncoder, frame: Frame, *, transparent: bool) -> str:
    layout = frame.format
    if not encoder.opaque:
        chroma = "444" if not layout.chroma_x else ("420" if layout.chroma_y else "422")
        return f"yuvj{chroma}p"
    deep = layout.depth > 10
    if transparent:
        return (encoder.deep_transparent if deep else None) or encoder.transparent or ""
    return (encoder.deep_opaque if deep else None) or encoder.opaque


def _converted(frame: Frame, format_name: str) -> av.VideoFrame:
    """The frame as full-range RGB or YUV of a format."""
    picture = to_av(frame)
    matrix = sws_matrix(frame.color.matrix, frame.width, frame.height)
    converted = VideoReformatter().reformat(
        picture,
        format=format_name,
        src_colorspace=matrix,
        dst_colorspace=5 if format_name.startswith("yuvj") else matrix,  # JPEG is BT.601
        interpolation=_SCALING,
        src_color_range=FULL_RANGE if frame.full_range else 1,
        dst_color_range=FULL_RANGE,
        threads=SCALER_THREADS,
    )
    converted.pts = 0
    return converted


def _set_alpha(picture: av.VideoFrame, alpha: Alpha) -> None:
    """Write the transparency, brought to the depth of the picture, over its fourth channel."""
    dtype = np.uint16 if picture.format.name.startswith("rgba64") else np.uint8
    scaled = alpha.astype(np.uint32) * np.iinfo(dtype).max // np.iinfo(alpha.dtype).max
    samples = scaled.astype(dtype)
    if picture.format.is_big_endian:
        samples = samples.byteswap()
    plane_rows(picture.planes[0], dtype)[:, 3 : 4 * picture.width : 4] = samples


def _encode(encoder: ImageEncoder, picture: av.VideoFrame) -> bytes:
    context = av.CodecContext.create(encoder.name, "w")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{encoder.name} is no picture encoder")
    context.width, context.height = picture.width, picture.height
    context.pix_fmt = picture.format.name
    context.time_base = Fraction(1, 25)
    context.color_range = FULL_RANGE
    context.options = dict(encoder.options)
    if encoder.name == "mjpeg":
        context.flags |= Flags.qscale
        context.options["global_quality"] = str(_JPEG_QUANTISER * 118)  # FF_QP2LAMBDA
        context.options["qmin"] = context.options["qmax"] = str(_JPEG_QUANTISER)
    packets = [*context.encode(picture), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
