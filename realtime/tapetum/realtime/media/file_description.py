"""What describes a whole file, not one stream: its metadata and its chapters."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from av.container import InputContainer

from tapetum.realtime.media.containers import Container
from tapetum.realtime.media.matroska_structure import chapter_count
from tapetum.realtime.media.media_input import InputPlace
from tapetum.realtime.media.timeline import TimeRange

if TYPE_CHECKING:
    from av.container.core import Chapter  # a type of the stubs only

_WRITTEN_BY_MUXER = {"major_brand", "minor_version", "compatible_brands", "encoder"}


def file_metadata(container: InputContainer) -> dict[str, str]:
    """A file's metadata but for what every muxer writes anew."""
    items = container.metadata.items()
    return {key: value for key, value in items if key.lower() not in _WRITTEN_BY_MUXER}


def uncommon_keys(container: InputContainer, target: Container) -> list[str]:
    """Metadata that the target stores only in a way that leaves no room for cover art."""
    if target.metadata_keys is None:
        return []
    keys = file_metadata(container)
    return [key for key in keys if key.split("-")[0].lower() not in target.metadata_keys]


def chapters_in(container: InputContainer, span: TimeRange) -> list[Chapter]:
    """A file's chapters, cut to a range and moved with it.

    One that has no length of its own is a mark: it is kept where it lies in the range.
    """
    chapters = [(chapter, _placed(chapter, span)) for chapter in container.chapters()]
    return [
        placed
        for own, placed in chapters
        if placed["start"] < placed["end"]
        or (own["start"] == own["end"] and placed["start"] == placed["end"])
    ]


def chapters_not_kept(
    place: InputPlace, container: InputContainer, target: Container, span: TimeRange
) -> list[str]:
    """A line for each way in which chapters of the output are not those of the file.

    FFmpeg reads no chapter of a Matroska file that begins no later than one before it, nor those
    within another. MP4 and MOV know where a chapter begins: each lasts up to the next.
    """
    there = chapter_count(place) if isinstance(place, Path) else 0
    lost = there - len(container.chapters())
    lines = []
    if lost > 0:
        lines.append(
            f"{lost} of {there} chapters, which begin with another or lie within it, are not read"
        )
    pairs = itertools.pairwise(chapters_in(container, span))
    if target.is_mov and any(one["end"] < other["start"] for one, other in pairs):
        lines.append(f"{target.suffix} makes each chapter last up to the next; .mkv keeps the gaps")
    return lines


def _placed(chapter: Chapter, span: TimeRange) -> Chapter:
    unit = chapter["time_base"]
    base = Fraction(unit.numerator, unit.denominator) if unit else Fraction(1)
    first, end = span.first_pts(base), span.end_pts(base)
    start = chapter["start"] if first is None else max(chapter["start"], first)
    stop = chapter["end"] if end is None else min(chapter["end"], end)
    shift = span.shift(base)
    return {
        "id": chapter["id"],
        "start": start - shift,
        "end": stop - shift,
        "time_base": base,
        "metadata": chapter["metadata"],
    }
