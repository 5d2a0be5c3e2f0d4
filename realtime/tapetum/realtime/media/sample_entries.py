"""What the tracks of an MP4 or QuickTime file hold, as the file's own tables say.

FFmpeg has no codec for most of what cameras store beside sound and picture (`mebx`, `djmd`,
`rtmd`, `tmcd`), and then does not say which of them it is; and it leaves out, without a word, what
follows a sample of impossible size. So the tables are read here (ISO/IEC 14496-12: moov, trak,
tkhd, mdhd, elst, stsd, stsz, stts, stsc and stco boxes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

_LARGEST_INDEX = 64 << 20
"""Bytes; the index of an ordinary file has a few thousand."""
_FAR_TOO_LONG = 10
"""Times as long as a track's header says."""
_FARTHEST_PICTURES = 64
"""Pictures between decoding and showing: codecs hold back 16, and some count fields."""
_MOST_ALIKE = 1000
"""Pictures of one row of a table that have a say in what is usual."""
_MOST_SAMPLES = 1 << 24
"""Of a track; days of it."""
_INSIDE_OF_TRACK = (b"mdia", b"minf", b"stbl")
_TABLES = (b"stsd", b"stts", b"ctts", b"stsc", b"stsz", b"stco", b"co64", b"stss")
_HOLDERS = {
    **{b"tkhd": b"trak", b"edts": b"trak", b"elst": b"edts", b"mdia": b"trak", b"mdhd": b"mdia"},
    **{b"minf": b"mdia", b"stbl": b"minf"} | dict.fromkeys(_TABLES, b"stbl"),
}
"""In which box those of a track lie."""
_HOLDS = frozenset(_HOLDERS.values())

_DESCRIPTION_BYTES, _VISUAL_ENTRY_BYTES = 8, 86
"""What stands in an stsd box before its first entry, and in that before the boxes inside."""

TIMECODE = "tmcd"
TELEMETRY = "gpmd"
"""GoPro's, the only one that FFmpeg writes."""
ENCRYPTED = frozenset({"encv", "enca", "drmi", "drms"})
"""Of picture and sound that nobody reads without a key, by the standard and by Apple."""


def sample_entries(path: Path) -> dict[int, str]:
    """The type of each track's samples, like "rtmd", by the track's number (`Stream.id`).

    Empty where the file is no MP4 or QuickTime file, or is damaged.
    """
    found = (_track(boxes) for boxes in _tracks(path))
    return dict(track for track in found if track is not None)


def is_fragmented(path: Path) -> bool:
    """Whether samples lie in fragments (moof boxes), as of what is recorded or streamed."""
    with path.open("rb") as file:
        return any(kind == b"moof" for kind, *_ in top_boxes(file))


def largest_sample(path: Path) -> int:
    """Bytes of the largest sample that a table of the file claims; 0 where none is found."""
    tables = (_inside(boxes).get(b"stsz", b"") for boxes in _tracks(path))
    return max((_largest_size(table) for table in tables), default=0)


def tables_disagree(path: Path) -> bool:
    """Whether a track's table of times (stts) has not as many samples as that of sizes (stsz).

    Or whether a picture is shown long before or after it is decoded (ctts), or an edit begins
    before the track, or its chunks (stsc, stco) hold fewer, or the times are those of a track many
    times as long: most of it would then lie outside of what the file says is shown. Or whether a
    box lies in another than it belongs in, or is larger than that: readers differ in what they make
    of it.
    """
    if _holds_misplaced(b"moov", _index(path)):
        return True
    for boxes in _tracks(path):
        tables = _inside(boxes)
        if len(tables.get(b"stsz", b"")) < 12 or b"stts" not in tables:
            continue
        count = int.from_bytes(tables[b"stsz"][8:12])
        times = _rows(tables[b"stts"], 2)
        if times[:, 0].sum() != count or _samples_in_chunks(tables) < count:
            return True
        length = _length(boxes)
        begins = _edit_begins(boxes)
        if any(begin < 0 for begin in begins) or (length and any(b > length for b in begins)):
            return True
        if _shows_far_off(tables, times, length):
            return True
        if length and float(times[:, 0] @ times[:, 1]) > _FAR_TOO_LONG * length:
            return True
    return False


def shows_a_part(path: Path) -> bool:
    """Whether a track's edits leave out its beginning or end: libavif shows these, FFmpeg not."""
    index = _index(path)
    ticks_per_s = _clock(dict(_boxes(index)).get(b"mvhd", b""))[0]
    for boxes in _tracks(path):
        track_ticks_per_s, length = _clock(dict(_boxes(boxes.get(b"mdia", b""))).get(b"mdhd", b""))
        edits = _edits(boxes)
        if any(begin > 0 for _, begin in edits):
            return True
        if edits and ticks_per_s and track_ticks_per_s:
            shown = sum(lasts for lasts, _ in edits) * track_ticks_per_s
            count = int.from_bytes(_inside(boxes).get(b"stsz", b"")[8:12])
            if shown < (length - length / max(count, 1)) * ticks_per_s:
                return True
    return False


def _holds_misplaced(holder: bytes, content: bytes) -> bool:
    """Whether a box of a track lies in another than it belongs in, or is larger than that."""
    end = 0
    for kind, inside in _boxes(content):
        end += 8 + len(inside)
        if _HOLDERS.get(kind, holder) != holder:
            return True
        if kind in _HOLDS and _holds_misplaced(kind, inside):
            return True
    left = content[end : end + 4]
    return len(content) - end >= 8 and int.from_bytes(left) > 1  # which are no sizes


def _shows_far_off(tables: dict[bytes, bytes], times: npt.NDArray[np.int64], length: int) -> bool:
    """Whether a picture is shown (ctts) farther from its decoding than any order of them asks.

    Encoders have pictures behind a gap decoded before it: those end with the track all the same.
    """
    offsets = _rows(tables.get(b"ctts", b""), 2)
    offsets = offsets[offsets[:, 0] > 0]
    if not len(offsets) or not len(times):
        return False
    signed = offsets[:, 1].astype(np.uint32).view(np.int32).astype(np.int64)
    usual = int(np.median(np.repeat(signed, np.minimum(offsets[:, 0], _MOST_ALIKE))))
    most = _FARTHEST_PICTURES * times[:, 1].max()
    far = np.abs(signed - usual) > most
    count, stated = int(times[:, 0].sum()), int(offsets[:, 0].sum())
    if not far.any() or not length or stated > count or count > _MOST_SAMPLES:
        return bool(far.any())
    decoded = np.cumsum(np.repeat(times[:, 1], times[:, 0]))[:stated]
    shown, is_far = decoded + np.repeat(signed, offsets[:, 0]), np.repeat(far, offsets[:, 0])
    begin = int(shown[~is_far].min())
    return bool(((shown[is_far] < begin) | (shown[is_far] > begin + length + most)).any())


def _length(boxes: dict[bytes, bytes]) -> int:
    """A track's length by its header (mdhd), in its own ticks; 0 where it is not known."""
    return _clock(dict(_boxes(boxes.get(b"mdia", b""))).get(b"mdhd", b""))[1]


def _clock(header: bytes) -> tuple[int, int]:
    """Ticks a second, and length in ticks, of an mdhd or mvhd box; 0 where they are not known."""
    at, size = (20, 8) if header[:1] == b"\1" else (12, 4)
    fields = header[at : at + 4], header[at + 4 : at + 4 + size]
    return int.from_bytes(fields[0]), int.from_bytes(fields[1])


_NOWHERE = 1 << 63


def _edit_begins(boxes: dict[bytes, bytes]) -> list[int]:
    """Where in a track its edits begin, in its own ticks; those that show nothing have none."""
    return [begin for _, begin in _edits(boxes) if begin != -1]


def _edits(boxes: dict[bytes, bytes]) -> list[tuple[int, int]]:
    """How long a track's edits last, in ticks of the movie, and where in the track they begin."""
    table = dict(_boxes(boxes.get(b"edts", b""))).get(b"elst", b"")
    if not table:
        return []
    size = 8 if table[0] else 4
    row = 2 * size + 4
    count, rows = int.from_bytes(table[4:8]), (len(table) - _DESCRIPTION_BYTES) // row
    if table[0] > 1 or count > rows or (rows > 0 and not count):
        return [(0, _NOWHERE)]  # another version, or another number of edits than there are

    def number(at: int, *, signed: bool) -> int:
        return int.from_bytes(table[at : at + size], signed=signed)

    places = (_DESCRIPTION_BYTES + row * index for index in range(count))
    return [(number(at, signed=False), number(at + size, signed=True)) for at in places]


def _samples_in_chunks(tables: dict[bytes, bytes]) -> int:
    """Samples that lie in all chunks; each row of stsc goes on to the first chunk of the next."""
    table = tables.get(b"stco") or tables.get(b"co64") or b""
    rows = _rows(tables.get(b"stsc", b""), 3)
    ends = np.append(rows[1:, 0], int.from_bytes(table[4:8]) + 1)
    return int(((ends - rows[:, 0]) * rows[:, 1]).sum())


def _rows(table: bytes, columns: int) -> npt.NDArray[np.int64]:
    """The numbers of a table behind its version and count."""
    numbers = table[_DESCRIPTION_BYTES:]
    whole = numbers[: len(numbers) // (4 * columns) * 4 * columns]
    return np.frombuffer(whole, ">u4").reshape(-1, columns).astype(np.int64)


def last_chunk(path: Path) -> int:
    """The farthest place in the file where a table says that samples begin; 0 where none does."""
    found = 0
    for boxes in _tracks(path):
        tables = _inside(boxes)
        for kind, number in ((b"stco", ">u4"), (b"co64", ">u8")):
            places = tables.get(kind, b"")[_DESCRIPTION_BYTES:]
            whole = places[: len(places) // 8 * 8 if kind == b"co64" else len(places) // 4 * 4]
            found = max(found, int(np.frombuffer(whole, number).max(initial=0)))
    return found


def dolby_vision_records(path: Path) -> Iterator[tuple[int, int]]:
    """Profile and compatibility of each track that is Dolby Vision, by its dvcC or dvvC box."""
    for boxes in _tracks(path):
        entry = _inside(boxes).get(b"stsd", b"")[_DESCRIPTION_BYTES:]
        extensions = dict(_boxes(entry[_VISUAL_ENTRY_BYTES:]))
        config = extensions.get(b"dvcC") or extensions.get(b"dvvC") or b""
        if len(config) > 4:
            yield config[2] >> 1, config[4] >> 4


def top_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of an MP4 or QuickTime file: type, and where their content begins and ends.

    The last may end behind the file, which is cut then; or its size is 0, "to the end of the file",
    or damaged, and it ends with the file.
    """
    size_of_file = file.seek(0, 2)
    start = 0
    while start + 8 <= size_of_file:
        file.seek(start)
        header = file.read(16)
        size, length = int.from_bytes(header[:4], "big"), 8
        if size == 1:
            size, length = int.from_bytes(header[8:], "big"), 16
        end = start + size if size >= length else size_of_file
        yield header[4:8], start + length, end
        start = end


def _tracks(path: Path) -> Iterator[dict[bytes, bytes]]:
    """The boxes of each track."""
    return (dict(_boxes(content)) for kind, content in _boxes(_index(path)) if kind == b"trak")


def _index(path: Path) -> bytes:
    """What lies in the file's moov box; nothing where it has none."""
    with path.open("rb") as file:
        return next(
            (_content(file, *ends) for kind, *ends in top_boxes(file) if kind == b"moov"), b""
        )


def _inside(boxes: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """A track's tables of samples."""
    for kind in _INSIDE_OF_TRACK:
        boxes = dict(_boxes(boxes.get(kind, b"")))
    return boxes


def _largest_size(table: bytes) -> int:
    """Of a `stsz` table: one size for all samples, or else each one's own."""
    if len(table) < 12:
        return 0
    shared, count = struct.unpack_from(">II", table, 4)
    sizes = np.frombuffer(table[12 : len(table) // 4 * 4], ">u4")[:count]
    return shared or int(sizes.max(initial=0))


def _content(file: BinaryIO, start: int, end: int) -> bytes:
    """What lies in a box; nothing of one that is larger than any index is."""
    file.seek(start)
    return file.read(end - start) if end - start <= _LARGEST_INDEX else b""


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 0
    while start + 8 <= len(content):
        size = int.from_bytes(content[start : start + 4], "big")
        if not 8 <= size <= len(content) - start:
            return
        yield content[start + 4 : start + 8], content[start + 8 : start + size]
        start += size


def _track(boxes: dict[bytes, bytes]) -> tuple[int, str] | None:
    """Number and sample type of a track."""
    header = boxes.get(b"tkhd", b"")
    entries = _inside(boxes).get(b"stsd", b"")
    place = 20 if header[:1] == b"\1" else 12  # times have 8 bytes each, or 4
    number, kind = header[place : place + 4], entries[12:16]
    if len(number) < 4 or len(kind) < 4:
        return None
    return int.from_bytes(number, "big"), kind.decode("latin-1")
