"""What storing or sending leaves of a picture: limited range, 4:2:0, JPEG, H.264, MJPEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import cv2
import numpy as np

from tapetum.gan.photos import Photo


@dataclass(frozen=True)
class Coding:
    """How pictures are stored.

    Attributes:
        codec: `none` stores RGB as it is; `limited` rounds to 4:2:0 of limited range, as any
            video does; `jpeg` is a photo or a webcam's MJPEG; `h264` is a webcam's, a dashcam's
            or a call's video.
        jpeg_quality: 1 to 100.
        bits_per_pixel: of `h264`. 720p30 at 1.5 Mbit/s has 0.054; a dashcam's 1080p30 at
            12 Mbit/s 0.19.
    """

    codec: Literal["none", "limited", "jpeg", "h264"] = "none"
    jpeg_quality: int = 80
    bits_per_pixel: float = 0.1


def coded(pictures: Sequence[Photo], coding: Coding, *, fps: int = 30) -> list[Photo]:
    """The pictures of one clip, of one even size, after storing them."""
    match coding.codec:
        case "jpeg":
            return [jpeg(picture, coding.jpeg_quality) for picture in pictures]
        case "limited":
            return [limited_range(picture) for picture in pictures]
        case "h264":
            return h264(pictures, bits_per_pixel=coding.bits_per_pixel, fps=fps)
    return list(pictures)


def limited_range(picture: Photo) -> Photo:
    """RGB of even size after 8-bit BT.601 4:2:0 of limited range (16 to 235)."""
    planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
    return cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420).astype(np.uint8, copy=False)


def jpeg(picture: Photo, quality: int) -> Photo:
    """RGB after JPEG, 4:2:0."""
    bgr = np.ascontiguousarray(picture[..., ::-1])
    _, encoded = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def h264(pictures: Sequence[Photo], *, bits_per_pixel: float, fps: int) -> list[Photo]:
    """RGB of even size after H.264, as a live encoder makes it: no frame waits for later ones."""
    height, width = pictures[0].shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    encoder.bit_rate = max(round(bits_per_pixel * width * height * fps), 1000)
    encoder.thread_count = 1
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "x264-params": "log-level=-1"}
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    frames = []
    for number, picture in enumerate([*pictures, None]):
        frame = None
        if picture is not None:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
        for packet in encoder.encode(frame):
            frames += decoder.decode(packet)
    frames += decoder.decode(None)
    return [frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False) for frame in frames]
