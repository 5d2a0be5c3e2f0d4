"""How long each picture is shown, and which of them are shown in a part of a video."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av

_FEW_STEPS = 4
"""Pictures at the usual rate; one that is shown for longer stands still."""


def lasting(
    pictures: Iterator[av.VideoFrame],
    repeated_until: Callable[[], int],
    on_picture: Callable[[av.VideoFrame], None],
) -> Iterator[av.VideoFrame]:
    """Pictures that each last until the next one is shown.

    Formats that give packets durations have them in the order of decoding: with B-frames, that
    of a gap is at another picture than the one that stands still.

    Args:
        pictures: with their final times.
        repeated_until: the time until which the last one is shown again, known at the end.
        on_picture: called with each but the last before it is given.
    """
    before: av.VideoFrame | None = None
    for picture in pictures:
        if before is not None:
            before.duration = (picture.pts or 0) - (before.pts or 0)
            on_picture(before)
            yield before
        before = picture
    if before is not None:
        before.duration = max(before.duration, repeated_until() - (before.pts or 0))
        yield before


def within(
    pictures: Iterator[av.VideoFrame],
    start: int | None,
    end: int | None,
    *,
    usual_step: int,
    stands_at_start: bool,
    on_end: Callable[[], None],
) -> Iterator[av.VideoFrame]:
    """Pictures that begin in a range; and the one before, from the start on, if it stands still.

    One that does not is left out: the next one begins at once. One that would stand still far
    behind the end ends with it.

    Args:
        pictures: with their final times and durations.
        start: the first time of the range; None for all.
        end: the first behind it; None for all.
        usual_step: from picture to picture.
        stands_at_start: whether a picture may be shown that began before.
        on_end: called where the pictures end before the range does.
    """
    before: av.VideoFrame | None = None
    for picture in pictures:
        if start is not None and picture.pts is not None and picture.pts < start:
            before = picture if stands_at_start else None
            continue
        yield from _still_shown(before, start, end, usual_step)
        before = None
        if end is not None and picture.pts is not None and picture.pts >= end:
            return
        yield _up_to(end, picture, usual_step)
    yield from _still_shown(before, start, end, usual_step)
    on_end()


def _still_shown(
    before: av.VideoFrame | None, start: int | None, end: int | None, usual_step: int
) -> Iterator[av.VideoFrame]:
    if before is None or start is None:
        return
    left = (before.pts or 0) + before.duration - start
    if left > _FEW_STEPS * usual_step:
        before.pts, before.duration = start, left
        yield _up_to(end, before, usual_step)


def _up_to(end: int | None, picture: av.VideoFrame, usual_step: int) -> av.VideoFrame:
    if end is not None and picture.pts is not None:
        left = end - picture.pts
        if picture.duration > left + usual_step:
            picture.duration = left
    return picture
