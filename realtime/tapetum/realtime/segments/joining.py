"""Segments into the film that they are parts of, once all are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

from tapetum.realtime.errors import MediaError, SeamError
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.segments.job_folder import JobFolder
from tapetum.realtime.segments.segment import WARM_UP_S, Segment, chain


def check_seams(segments: Iterable[Segment], time_base: Fraction) -> None:
    """Hold the frame before each segment against what the segment before it made of the same frame.

    Args:
        segments: all of a film, in order.
        time_base: seconds per unit of their times.

    Raises:
        SeamError: a seam would be seen.
    """
    before: Segment | None = None
    for segment in segments:
        if before is not None and segment.frames and not _goes_on(before, segment, time_base):
            at_s = float(segment.first_pts * time_base)
            raise SeamError(f"the seam at {at_s:.3f} s would be seen")
        before = segment if segment.last is not None else before


def unseen(segments: Mapping[int, Segment], time_base: Fraction) -> list[int]:
    """The numbers of a film's segments from the first on, up to a seam that would be seen.

    Several workers may have made parts behind it that were not yet made again.
    """
    numbers = chain(segments)
    for place, number in enumerate(numbers):
        try:
            check_seams([segments[n] for n in (*numbers[:place][-1:], number)], time_base)
        except SeamError:
            return numbers[:place]
    return numbers


def _goes_on(one: Segment, segment: Segment, time_base: Fraction) -> bool:
    last = one.last
    if last is None:
        return True
    if segment.before is not None:
        return last.is_same(segment.before) and one.ends == segment.begins
    # Nothing was shown for so long before it that all is forgotten.
    return (segment.first_pts - last.pts) * time_base >= WARM_UP_S


def join(folder: JobFolder, numbers: Iterable[int], film: FileSink) -> None:
    """Write segments to the film; it is still to be closed.

    Raises:
        MediaError: they do not belong together, or have changed on the disk, or it is full.
    """
    last_dts: int | None = None
    setups: set[str] = set()
    for number in numbers:
        segment = folder.segment(number)
        setups |= {segment.setup_sha256} - {""}
        if len(setups) > 1:
            folder.begin_anew()
            raise MediaError("the encoder gave no two segments alike; run the command again")
        for picture, content in folder.packets(number, segment):
            packet: Packet[Stream] = Packet(content)
            # An encoder decodes its first pictures ahead of their time: across the seam.
            packet.dts = picture.dts if last_dts is None else max(picture.dts, last_dts + 1)
            packet.pts, packet.duration = picture.pts, picture.duration
            packet.is_keyframe = picture.is_key
            last_dts = packet.dts
            film.write_encoded(packet)
