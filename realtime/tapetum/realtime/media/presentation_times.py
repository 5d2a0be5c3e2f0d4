"""When each decoded picture of a stream is shown: what the file says, where it can be believed."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.stream import VideoStream

_FARTHEST_AHEAD = 16
"""Pictures by which a codec decodes ahead of what is shown, at most."""

_MANY_FALLS = 2
"""So often damaged times may fall behind those before; more often, none of them is of showing."""


class PresentationTimes:
    """Settles the `pts` of one stream's pictures, in the order that they are decoded.

    A time that the container gives is never changed, unless two pictures share it, which no
    encoder takes, or it alone is not in the order of those around it: then it is damaged. So is
    that of a first picture before the file begins. A first one without a time, which the decoder
    puts where it comes out, may lie there: a file begins with the first time that it gives.

    Where times fall again and again they are of decoding alone, as in an MP4 that was made of raw
    H.264: each picture then is shown when it comes out of the decoder.

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
        self._latest_read: int | None = None
        self._latest_decoded: int | None = None
        self._falls = 0
        self._is_decoded_in_order = True
        self.count = 0
        self.given = 0
        self.guessed = 0
        self.mended = 0
        self.first_mended: int | None = None
        self.moved = 0
        self.dropped = 0

    def doubts(self, picture: av.VideoFrame, *, damaged: bool) -> bool:
        """Whether only the next picture tells if this one's time is damaged.

        Args:
            picture: the picture, whose time is changed in place if none is of showing.
            damaged: whether the decoder has met damage, so that pictures come out of order.
        """
        if not damaged:
            self._count_falls(picture)
        is_often = self._falls > max(_MANY_FALLS, self.count // _FARTHEST_AHEAD)
        if is_often and self._is_decoded_in_order and not damaged:
            decoded = picture.dts if picture.dts is not None else (self._last or 0) + self._step
            if picture.pts is not None and picture.pts != decoded:
                self._note_mended(decoded)
            picture.pts = decoded
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
            if self._last is None and self._is_before_all(picture):
                pts = self._earliest or 0
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

    def _count_falls(self, picture: av.VideoFrame) -> None:
        """Take note of whether the times of showing and of decoding rise, as the file has them."""
        if picture.pts is not None:
            self._falls += self._latest_read is not None and picture.pts < self._latest_read
            self._latest_read = picture.pts
        if picture.dts is not None:
            latest, self._latest_decoded = self._latest_decoded, picture.dts
            self._is_decoded_in_order &= latest is None or latest < picture.dts

    def _is_taken(self, pts: int) -> bool:
        return self._unique and pts == self._last

    def _note_mended(self, pts: int) -> None:
        self.mended += 1
        if self.first_mended is None:
            self.first_mended = pts

    def _is_before_all(self, picture: av.VideoFrame) -> bool:
        """Whether a first picture cannot be shown when it says, which is before the file begins."""
        pts, earliest = picture.pts, self._earliest
        if pts is None or earliest is None or pts >= earliest:
            return False
        return pts != picture.dts or pts < earliest - _FARTHEST_AHEAD * self._ticks_per_frame

    def _guess(self, picture: av.VideoFrame) -> int:
        """The time of a picture without one: where the picture before it ends."""
        if self._last is not None:
            return self._last + self._step
        return picture.dts or self._earliest or 0
