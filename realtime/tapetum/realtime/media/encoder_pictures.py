"""Frames as the pictures that an encoder takes."""

from __future__ import annotations

from typing import Protocol

import av
from av.codec.hwaccel import HWAccel

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import to_av
from tapetum.realtime.media.encoder import Encoder
from tapetum.realtime.media.frame_conversion import PictureConverter


class Pictures(Protocol):
    """Makes of each frame a picture with its time and colour tags."""

    @property
    def hwaccel(self) -> HWAccel | None:
        """The device whose memory the pictures are in; None for main memory."""

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """A picture that stays as it is until the encoder has read it."""


class MemoryPictures:
    """Copies frames in main memory, and converts them where the encoder takes another format."""

    hwaccel = None

    def __init__(self, encoder: Encoder, width: int, height: int) -> None:
        self._reuse = encoder.reads_at_once
        self._convert = PictureConverter(encoder.pixel_format, width, height)
        self._picture: av.VideoFrame | None = None

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """Copy one frame; the copy is written over by the next where the encoder has read it."""
        picture = to_av(frame, into=self._picture)
        if self._reuse:
            self._picture = picture
        return self._convert(picture)
