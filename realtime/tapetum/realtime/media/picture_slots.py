"""The times of pictures in AVI, which numbers them by slots, in the order of decoding alone.

So does Matroska for what was copied out of an AVI as it was (V_MS/VFW/FOURCC).
"""

from __future__ import annotations

from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

_NO_TAG = "\0" * 4


def counts_slots(container: InputContainer, stream: VideoStream) -> bool:
    """Whether a stream's pictures have slots in place of times."""
    names = container.format.name.split(",")
    if "matroska" not in names:
        return "avi" in names
    context = stream.codec_context
    # Matroska's own names of codecs come without the tag that an AVI has for them.
    return context is not None and context.codec_tag != _NO_TAG and context.reorder_depth > 0


class PictureSlots:
    """Gives pictures the slots of the packets that set them free, less the decoder's delay.

    A picture comes out with the packet that completes the order of showing; so the slots of
    these packets are in that order, and late by as much as the very first one is: a file has no
    slots before 0 for what is decoded before it is shown. But where the picture begins later
    than the sound, behind empty slots, there was room, and nothing is late.
    """

    def __init__(self) -> None:
        self._read: list[int | None] = []
        self._delay: int | None = None
        self._last: int | None = None
        self._step = 1

    def begin(self) -> None:
        """Decoding begins, or begins anew somewhere else."""
        self._read = []

    def note(self, slot: int | None) -> None:
        """Take note of the slot of a packet before it is decoded."""
        if self._delay is None:
            self._read.append(slot)

    def place(self, pictures: list[av.VideoFrame]) -> None:
        """Set the times and durations of pictures that were decoded just now."""
        for picture in pictures:
            if self._delay is None and picture.dts is not None and picture.dts in self._read:
                self._delay = _delay(self._read, self._read.index(picture.dts))
            known = picture.dts is not None and self._delay is not None
            picture.pts = (picture.dts or 0) - (self._delay or 0) if known else None
            if picture.pts is not None:
                last, self._last = self._last, picture.pts
                self._step = self._step if last is None else max(1, picture.pts - last)
            picture.duration = self._step  # by which the last ones follow, which free none


def _delay(slots: list[int | None], place: int) -> int:
    """By how many slots the first picture is late; see `PictureSlots`.

    Slots may be empty between all pictures; more of them behind the first are a late begin.
    """
    known = [slot or 0 for slot in slots]
    steps = [after - before for before, after in pairwise(known)]
    if place and steps[0] > max(steps[1:], default=1):
        return 0
    return known[place] - known[0]
