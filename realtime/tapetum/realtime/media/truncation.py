"""Tells from a file's own structure whether parts of it are missing or damaged, undecoded."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from tapetum.realtime.media.sample_entries import (
    largest_sample,
    last_chunk,
    tables_disagree,
    top_boxes,
)

_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_FLV_HEADER = b"FLV"
_TAG_HEADER_BYTES = 11
_TAG_KINDS = {8, 9, 15, 18}
"""Of FLV: sound, picture, and data in two ways of writing it."""
_TAG_KIND = 0x1F
_SOUND_TAG, _VIDEO_TAG = 8, 9
_CODEC = {_SOUND_TAG: 0xF0, _VIDEO_TAG: 0x0F}
"""Where in the first byte of a tag's body its codec stands."""
_NAMES_ITS_CODEC = {_SOUND_TAG: 0, _VIDEO_TAG: 0x80}
"""What says that the codec stands behind it instead, as four letters."""
_NO_JOIN_MS = 250
"""Times that fall by less are no other recording's."""
_BOX_TYPES = {b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"styp", b"sidx", b"uuid"}


def is_cut(path: Path) -> bool:
    """Whether the file is shorter than its MP4/MOV boxes, Matroska segment or RIFF header say.

    So it is where a sample of an MP4/MOV file is larger than all of it, or begins behind it, or
    where its tables do not agree on how many there are: FFmpeg then leaves out samples unsaid.

    Other formats, and streams whose size was never written, give False.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == _EBML_HEADER:
            return _segment_end(file, size) > size
        if head[:4] == b"RIFF":
            return int.from_bytes(head[4:8], "little") + 8 > size
        if head[4:8] in _BOX_TYPES:
            ends = max((end for _, _, end in top_boxes(file)), default=0)
            farthest = max(ends, largest_sample(path), last_chunk(path))
            return farthest > size or tables_disagree(path)
    return False


def lacks_index(path: Path) -> bool:
    """Whether an MP4 or MOV file has lost its index (the moov box), so that it cannot be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:] not in _BOX_TYPES:
            return False
        return b"moov" not in {kind for kind, _, end in top_boxes(file) if end <= size}


def broken_tags(path: Path) -> int:
    """Whether the tags of an FLV file follow each other as they say; 1 where one does not, else 0.

    Behind each tag stands its length again. FFmpeg seeks the next tag where the two differ, and
    what it then takes for sound and picture depends on its version. Files whose writers never
    state the second length are whole. Times rise from tag to tag of a kind, but where recordings
    were joined, and the codec stays: FFmpeg's versions differ in what they make of another. Other
    formats give 0.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(3) != _FLV_HEADER:
            return 0
        file.seek(5)
        at, right, wrong = int.from_bytes(file.read(4)) + 4, 0, 0
        last_ms: dict[int, int] = {}
        codecs: dict[int, int] = {}
        while at + _TAG_HEADER_BYTES <= size:
            file.seek(at)
            header = file.read(_TAG_HEADER_BYTES + 1)
            kind, body = header[0] & _TAG_KIND, int.from_bytes(header[1:4])
            time_ms = int.from_bytes(header[7:8] + header[4:7])
            length = _TAG_HEADER_BYTES + body
            if at + length + 4 > size:
                return int(at + length > size)
            file.seek(at + length)
            # Some count no header, or one byte less; FFmpeg takes these too.
            is_right = int.from_bytes(file.read(4)) in {length, length - 1, body}
            right, wrong = right + is_right, wrong + (not is_right)
            falls_ms = last_ms.get(kind, time_ms) - time_ms
            if wrong and (right or kind not in _TAG_KINDS):
                return 1
            if 0 < falls_ms <= _NO_JOIN_MS:
                return 1
            if body and kind in _CODEC and not header[-1] & _NAMES_ITS_CODEC[kind]:
                codec = header[-1] & _CODEC[kind]
                if codecs.setdefault(kind, codec) != codec:
                    return 1
            last_ms[kind] = time_ms
            at += length + 4
    return 0


def _segment_end(file: BinaryIO, file_size: int) -> int:
    """Offset at which the Matroska segment says that it ends; the file's size if unknown."""
    file.seek(4)
    header_size = _ebml_size(file)
    if header_size is None:
        return file_size
    file.seek(header_size, 1)
    if file.read(4) != _SEGMENT:
        return file_size
    segment_size = _ebml_size(file)
    return file_size if segment_size is None else file.tell() + segment_size


def _ebml_size(file: BinaryIO) -> int | None:
    """Read a variable-length size; None where it is "unknown" (all ones) or broken."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    value = int.from_bytes(first + rest, "big") & ((1 << (7 * length)) - 1)
    return None if value == (1 << (7 * length)) - 1 else value
