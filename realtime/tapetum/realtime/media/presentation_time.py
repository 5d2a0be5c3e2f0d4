"""Makes the times of decoded pictures whole: every picture has one, and each is later."""

from __future__ import annotations

import av
from av.video.stream import VideoStream

from tapetum.realtime.media.timeline import stream_time_base


class PresentationTimes:
    """Settles the `pts` of one stream's pictures, in the order that they are decoded.

    A time that the container gives is never changed unless two pictures share it, which no
    encoder takes.

    Attributes:
        count: pictures kept.
        moved: pictures that had the time of the one before and got the next tick.
        dropped: pictures that came after a later one, as decoders give them after damage.
    """

    def __init__(self, stream: VideoStream) -> None:
        rate = stream.guessed_rate or stream.average_rate
        frames_per_tick = stream_time_base(stream) * float(rate or 0)
        self._ticks_per_frame = max(round(1 / frames_per_tick), 1) if frames_per_tick else 1
        self._last: int | None = None
        self._step = self._ticks_per_frame
        self.count = 0
        self.moved = 0
        self.dropped = 0

    def settle(self, picture: av.VideoFrame, *, damaged: bool) -> bool:
        """Give a picture its final time; False if it must be left out.

        Args:
            picture: the picture, changed in place.
            damaged: whether the decoder has met damage, so that late pictures are leftovers.
        """
        pts = picture.pts
        if pts is None:
            pts = self._guess(picture)
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

    def _guess(self, picture: av.VideoFrame) -> int:
        """The time of a picture without one: where the picture before it ends."""
        if self._last is not None:
            return self._last + self._step
        return picture.dts if picture.dts is not None else 0
