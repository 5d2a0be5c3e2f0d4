"""What a WebRTC peer in the dark sends; for tests that have aiortc."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from aiortc import VideoStreamTrack
from aiortc.mediastreams import MediaStreamError

DARK = 40
"""Luma of its pictures."""


class DarkTrack(VideoStreamTrack):
    """A dark gray picture at 30 fps.

    Attributes:
        size: (rows, columns) of the next picture; may be set at any time.
    """

    def __init__(self, size: tuple[int, int] = (64, 96), *, frames: int | None = None) -> None:
        """Begin.

        Args:
            size: see `size`.
            frames: after which it ends; None for one that never does.
        """
        super().__init__()
        self.size = size
        self._left = frames

    async def recv(self) -> av.VideoFrame:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise MediaStreamError
        pts, time_base = await self.next_timestamp()
        picture = av.VideoFrame.from_ndarray(np.full(self.size, DARK, np.uint8), "gray")
        picture = picture.reformat(format="yuv420p")
        picture.pts, picture.time_base = pts, Fraction(time_base)
        return picture
