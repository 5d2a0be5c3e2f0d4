"""When each decoded picture of a stream is shown: what the file says, where it can be believed."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.stream import VideoStream


class PresentationTimes:
    """Settles the `pts` of one stream's pictures, in the order that they are decoded.

    A time that the container gives is never changed, unless two pictures share it, which no
    encoder takes, or it alone is not in the order of those around it: then it is damaged. So is
    that of a first picture before the file begins.

    Args:
        stream: of the pictures.
        time_base: seconds per unit of their times.
        earliest: the time at which the file begins.
        unique: whether the format has no two pictures of one time, so that it is damaged too.

    Attributes:
        usual_step: units of time from picture to picture, by what the file says.
        count: pictures kept.
        given: pictures that came with a time.
        guessed: pictures that came without one.
        mended: pictures that got a time between those of their neighbours.
        first_mended: the time that the first of them got.
        moved: pictures that had the time of the one before and got the next tick.
        dropped: pictures that came after a later one, as decoders give them after damage.
    """

    def __init__(
        self,
        stream: VideoStream,
        time_base: Fraction,
        earliest: int | None = None,
        *,
        unique: bool = False,
    ) -> None:
        self._unique = unique
        self._earliest = earliest
        rate = stream.guessed_rate or stream.average_rate
        frames_per_tick = time_base * Fraction(rate or 0)
        self._ticks_per_frame = max(round(1 / frames_per_tick), 1) if frames_per_tick else 1
        self.usual_step = self._ticks_per_frame
        self._last: int | None = None
        self._step = self._ticks_per_frame
        self.count = 0
        self.given = 0
        self.guessed = 0
        self.mended = 0
        self.first_mended: int | None = None
        self.moved = 0
        self.dropped = 0

    def doubts(self, picture: av.VideoFrame) -> bool:
        """Whether only the next picture tells if this one's time is damaged."""
        if self._last is None or picture.pts is None:
            return False
        out_of_order = picture.pts < self._last or self._is_taken(picture.pts)
        return out_of_order or picture.pts > self._last + 2 * self._step

    def mend(self, picture: av.VideoFrame, following: av.VideoFrame) -> None:
        """Put a picture between its neighbours, if they are in order and only it is not."""
        before, pts, after = self._last, picture.pts, following.pts
        if before is None or pts is None or after is None or not before < after:
            return
        if not before <= pts <= after or (self._is_taken(pts) and before + 1 < after):
            picture.pts = min(before + self._step, (before + after) // 2)
            self._note_mended(picture.pts)

    def settle(self, picture: av.VideoFrame, *, damaged: bool) -> bool:
        """Give a picture its final time; False if it must be left out.

        Args:
            picture: the picture, changed in place.
            damaged: whether the decoder has met damage, so that late pictures are leftovers.
        """
        if picture.pts is None:
            self.guessed += 1
            pts = self._guess(picture)
        else:
            self.given += 1
            pts = picture.pts
        if self._last is None and self._earliest is not None and pts < self._earliest:
            pts = self._earliest
            self._note_mended(pts)
        if self._last is not None and pts <= self._last:
            if damaged and pts < self._last:
                self.dropped += 1
                return False
            if pts == self._last:
                self.moved += 1
                pts = self._last + 1
            else:
                pts = self._last + self._step
                self._note_mended(pts)
        picture.pts = self._last = pts
        self._step = picture.duration or self._ticks_per_frame
        self.count += 1
        return True

    def _is_taken(self, pts: int) -> bool:
        return self._unique and pts == self._last

    def _note_mended(self, pts: int) -> None:
        self.mended += 1
        if self.first_mended is None:
            self.first_mended = pts

    def _guess(self, picture: av.VideoFrame) -> int:
        """The time of a picture without one: where the picture before it ends."""
        if self._last is not None:
            return self._last + self._step
        return picture.dts if picture.dts is not None else 0
