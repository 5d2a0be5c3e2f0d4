"""The part of the coded picture that a file says is shown, which FFmpeg's decoders do not cut out.

Matroska has it as PixelCrop (RFC 9559, 5.1.4.1.28), MP4 and QuickTime as `clap`, the clean
aperture (ISO 14496-12, 12.1.4). Edges that lie between chroma samples move outwards.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

from av.video.stream import VideoStream

from tapetum.realtime.frame import Frame

_LONGEST_HEADER = 1 << 24
"""Bytes of a description of tracks that are looked at, at most."""

_SEGMENT, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_BOTTOM, _TOP, _LEFT, _RIGHT = 0x54AA, 0x54BB, 0x54CC, 0x54DD
_SAMPLE_ENTRY_BYTES = 78
"""What lies before the boxes in a VisualSampleEntry."""


class Crop(NamedTuple):
    """Pixels that are cut off at each edge of the coded picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The size of what is left of a picture."""
        return width - self.left - self.right, height - self.top - self.bottom

    def of_fields(self) -> Crop:
        """That of interlaced pictures: a line of chroma in 4:2:0 stays one of the same field."""
        return self._replace(top=self.top & ~3)

    def __call__(self, frame: Frame) -> Frame:
        """Cut a frame in main memory; its planes are views of the same memory."""
        begins = frame.format.plane_shapes(self.left, self.top)
        width, height = self.size(frame.width, frame.height)
        shapes = frame.format.plane_shapes(width, height)
        alpha = frame.alpha
        if alpha is not None:
            alpha = alpha[self.top : self.top + height, self.left : self.left + width]
        return replace(
            frame,
            planes=tuple(
                plane[row : row + rows, column : column + columns]
                for plane, (row, column), (rows, columns) in zip(
                    frame.planes, begins, shapes, strict=True
                )
            ),
            alpha=alpha,
        )


def file_crop(path: Path, stream: VideoStream, width: int, height: int) -> Crop | None:
    """What a file says is cut off its video; None for nothing, or where that has no sense.

    Args:
        path: the file.
        stream: the video in it.
        width: of the coded picture, in pixels.
        height: of the coded picture, in pixels.
    """
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[:4] == b"\x1a\x45\xdf\xa3":
            crop = _pixel_crop(file, stream.container.streams.video.index(stream))
        elif head[4:8] == b"ftyp" or head[4:8] in (b"moov", b"mdat", b"wide", b"free"):
            crop = _clean_aperture(file, stream.id, width, height)
        else:
            return None
    if crop is None or min(crop.left, crop.top, crop.right, crop.bottom) < 0:
        return None
    crop = crop._replace(left=crop.left & ~1, top=crop.top & ~1)
    return crop if crop != Crop() and min(crop.size(width, height)) > 0 else None


# Matroska ------------------------------------------------------------------------------------


def _pixel_crop(file: BinaryIO, number: int) -> Crop | None:
    size = file.seek(0, 2)
    for kind, begin, end in _elements(file, 0, size):
        if kind != _SEGMENT:
            continue
        for inner, first, last in _elements(file, begin, end):
            if inner == _TRACKS and last - first < _LONGEST_HEADER:
                return _crop_of_tracks(file, first, last, number)
    return None


def _crop_of_tracks(file: BinaryIO, begin: int, end: int, number: int) -> Crop | None:
    """What is cut off the video track of a number, counted from 0."""
    tracks = [
        {inner: (a, b) for inner, a, b in _elements(file, first, last)}
        for kind, first, last in _elements(file, begin, end)
        if kind == _TRACK
    ]
    videos = [fields[_VIDEO] for fields in tracks if _VIDEO in fields]
    if number >= len(videos):
        return None
    fields = {inner: (a, b) for inner, a, b in _elements(file, *videos[number])}
    edges = (_LEFT, _TOP, _RIGHT, _BOTTOM)
    return Crop(*(_number(file, fields.get(edge)) for edge in edges))


def _elements(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of what lies in an EBML element; unknown sizes go to the end."""
    while begin < end:
        file.seek(begin)
        kind = _variable_size(file, keep_marker=True)
        size = _variable_size(file)
        if kind is None or size is None:
            return
        begin = file.tell()
        last = end if size < 0 else min(begin + size, end)
        yield kind, begin, last
        begin = last


def _variable_size(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    """An EBML number; -1 for "unknown", None where there is none."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1), "big")
    ones = (1 << (7 * length)) - 1
    if keep_marker:
        return value
    return -1 if value & ones == ones else value & ones


def _number(file: BinaryIO, place: tuple[int, int] | None) -> int:
    if place is None:
        return 0
    file.seek(place[0])
    return int.from_bytes(file.read(min(place[1] - place[0], 8)), "big")


# MP4 and QuickTime ---------------------------------------------------------------------------


def _clean_aperture(file: BinaryIO, track: int, width: int, height: int) -> Crop | None:
    size = file.seek(0, 2)
    for kind, begin, end in _boxes(file, 0, size):
        if kind != b"moov":
            continue
        for inner, first, last in _boxes(file, begin, end):
            if inner == b"trak" and _track_id(file, first, last) == track:
                data = _aperture_box(file, first, last)
                return None if data is None else _crop_of_aperture(data, width, height)
    return None


def _crop_of_aperture(data: bytes, width: int, height: int) -> Crop | None:
    numbers = struct.unpack(">IIIIiIiI", data)
    if not all(numbers[1::2]):
        return None
    shown_w, shown_h, right_of_middle, below_middle = (
        Fraction(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True)
    )
    left = (width - shown_w) / 2 + right_of_middle
    top = (height - shown_h) / 2 + below_middle
    return Crop(int(left), int(top), int(width - shown_w - left), int(height - shown_h - top))


def _track_id(file: BinaryIO, begin: int, end: int) -> int:
    for kind, first, _ in _boxes(file, begin, end):
        if kind == b"tkhd":
            file.seek(first)
            version = file.read(1)[0]
            file.seek(first + (20 if version == 1 else 12))
            return int.from_bytes(file.read(4), "big")
    return 0


def _aperture_box(file: BinaryIO, begin: int, end: int) -> bytes | None:
    """What is in the `clap` of a track's first sample entry."""
    for name in (b"mdia", b"minf", b"stbl", b"stsd"):
        found = next((box for box in _boxes(file, begin, end) if box[0] == name), None)
        if found is None:
            return None
        _, begin, end = found
    entry = next(_boxes(file, begin + 8, end), None)
    if entry is None:
        return None
    for kind, first, last in _boxes(file, entry[1] + _SAMPLE_ENTRY_BYTES, entry[2]):
        if kind == b"clap" and last - first >= 32:
            file.seek(first)
            return file.read(32)
    return None


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the content of each box."""
    while begin + 8 <= end:
        file.seek(begin)
        header = file.read(16)
        size, content = int.from_bytes(header[:4], "big"), begin + 8
        if size == 1:
            size, content = int.from_bytes(header[8:16], "big"), begin + 16
        last = end if size == 0 else begin + size
        if not content <= last <= end:
            return
        yield header[4:8], content, last
        begin = last
