"""Frames as the (H, W, 3) uint8 BGR images that OpenCV users know."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import to_av
from tapetum.realtime.media.frame_conversion import SCALER_THREADS, sws_matrix

BgrImage = npt.NDArray[np.uint8]
"""(H, W, 3) uint8."""


class BgrConverter:
    """Converts frames of one stream, by their own matrix and range."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def __call__(self, frame: Frame) -> BgrImage:
        """One frame as a new image."""
        picture = self._scaler.reformat(
            to_av(frame),
            format="bgr24",
            src_colorspace=sws_matrix(frame.color.matrix, frame.width, frame.height),
            src_color_range=2 if frame.full_range else 1,
            dst_color_range=2,
            threads=SCALER_THREADS,
        )
        rows = np.frombuffer(picture.planes[0], np.uint8)  # type: ignore[call-overload]
        rows = rows.reshape(frame.height, -1)[:, : 3 * frame.width]
        return np.ascontiguousarray(rows).reshape(frame.height, frame.width, 3)
