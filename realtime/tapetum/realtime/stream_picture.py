"""What of one stream's frames is picture, for a device of whose memory the host sees little.

It is found by the CPU path's own code, so that a device leaves the same as it was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.black_bars import BarFinder
from tapetum.realtime.cpu.frame_lines import VIEW_SIDE, Sight
from tapetum.realtime.cpu.picture_circle import CircleFinder, RoundPicture
from tapetum.realtime.frame import Frame

__all__ = ["VIEW_SIDE", "Area", "RoundPicture", "StreamPicture"]

Floats = npt.NDArray[np.float32]


class StreamPicture:
    """Follows the bars and circles of one stream; see `PictureFinder`."""

    def __init__(self) -> None:
        """Start with no past."""
        self._bars, self._circles = BarFinder(), CircleFinder()

    def reset(self) -> None:
        """Forget the past."""
        self._bars.reset()
        self._circles.reset()

    def area(self, frame: Frame, sight: Sight) -> Area | None:
        """The area of the next frame between its bars; None for all of it."""
        return self._bars(frame, sight)

    def circles(
        self, frame: Frame, area: Area | None, corners: Floats, fetch: Callable[[], Floats]
    ) -> RoundPicture | None:
        """The circles of that frame, in the area right around them; None where it is not round.

        Args:
            frame: the same.
            area: of it.
            corners: (3, 2, 2) of the area's thumbnail, RGB in [0, 1].
            fetch: gives the thumbnail, (1, 3, 256, 256).
        """
        area = area or Area(0, frame.height, 0, frame.width)
        circles = self._circles.follow(corners, area, fetch)
        chroma = 1 << frame.format.chroma_y, 1 << frame.format.chroma_x
        return None if circles is None else circles.tight(chroma)
