"""Makes the times of decoded pictures whole: every picture has one, and each is later."""

from __future__ import annotations

import av
from av.video.stream import VideoStream

from tapetum.realtime.media.video_info import stream_time_base

_JUMP_FRAMES = 4
"""A step back of more frames than this is a jump of the clock, not a slip."""


class PresentationTimes:
    """Settles the `pts` of one stream's pictures, in the order that they are decoded.

    A time that the container gives is never changed unless two pictures share it, which no
    encoder takes.

    Attributes:
        count: pictures kept.
        jumps: times that the file's clock jumped back; what follows is moved behind what was.
        moved: pictures that had the time of the one before and got the next tick.
        dropped: pictures that came after a later one, as decoders give them after damage.
    """

    def __init__(self, stream: VideoStream) -> None:
        rate = stream.guessed_rate or stream.average_rate
        frames_per_tick = stream_time_base(stream) * float(rate or 0)
        self._ticks_per_frame = max(round(1 / frames_per_tick), 1) if frames_per_tick else 1
        self._last: int | None = None
        self._step = self._ticks_per_frame
        self._offset = 0
        self.count = 0
        self.moved = 0
        self.dropped = 0
        self.jumps = 0

    def settle(self, picture: av.VideoFrame, *, damaged: bool) -> bool:
        """Give a picture its final time; False if it must be left out.

        Args:
            picture: the picture, changed in place.
            damaged: whether the decoder has met damage, so that late pictures are leftovers.
        """
        pts = picture.pts
        if pts is None:
            pts = self._guess(picture)
        elif not damaged:
            pts = self._continued(pts)
        if self._last is not None and pts <= self._last:
            if damaged and pts < self._last:
                self.dropped += 1
                return False
            self.moved += 1
            pts = self._last + 1
        picture.pts = self._last = pts
        self._step = picture.duration or self._ticks_per_frame
        self.count += 1
        return True

    def _continued(self, pts: int) -> int:
        """A time after the clock of the file has jumped back, as where recordings are joined."""
        pts += self._offset
        if self._last is not None and pts < self._last - _JUMP_FRAMES * self._ticks_per_frame:
            jump = self._last + self._step - pts
            self._offset += jump
            self.jumps += 1
            pts += jump
        return pts

    def _guess(self, picture: av.VideoFrame) -> int:
        """The time of a picture without one: where the picture before it ends."""
        if self._last is not None:
            return self._last + self._step
        return picture.dts if picture.dts is not None else 0
