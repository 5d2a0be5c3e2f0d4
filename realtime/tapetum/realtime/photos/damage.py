"""What is wrong with a photo's file, found without looking at pixels, and mended where possible.

Decoders pass over much that is wrong: bad checksums, missing ends, codes that mean nothing. What
they would pass over is looked for here, so that no spoilt picture is called whole. A format
without checksums (JPEG, GIF, WebP) may be changed so that it still decodes; nobody can see that.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import simplejpeg

from tapetum.realtime.media.sample_entries import top_boxes
from tapetum.realtime.photos.formats import (
    AVIF,
    GIF,
    HEIF,
    JPEG,
    JPEG2000,
    PNG,
    TIFF,
    WEBP,
    PhotoFormat,
)
from tapetum.realtime.photos.tiff_structure import tiff_ends

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_END = b"\xff\xd9"
_UNCOMMON_SAMPLING = "Could not determine subsampling"
"""What TurboJPEG says of sampling that it has no name for, as of CMYK; other decoders read it."""
_START_OF_SCAN = 0xDA
_PARTS, _PART = b"meta", b"infe"
_LARGEST_DIRECTORY = 1 << 20
_WEBP_FLAGS_AT, _WEBP_MOVES = 20, 0x02
_MOST_MISSING_BYTES = 1 << 28
_LARGEST_RIFF = (1 << 32) - 1
_SEQUENCE_BYTES = 4
"""Before the pixels of an animation's picture in a PNG."""
_INFLATED_AT_ONCE = 1 << 20
_FILLS = tuple(bytes((number,)) for number in (0, 0x55, 0xAA, 0x80, 0x33, 0x71, 0xC6, 0x9D))
_WITHIN_SCANS = range(0xD0, 0xD8)


@dataclass(frozen=True, slots=True)
class Examined:
    """A photo's bytes, and what is wrong with them.

    Attributes:
        data: the bytes, mended so far that a decoder takes them.
        wrong: lines for the user, none for a whole file.
        cut: whether the file ends before its picture does.
        chunks: (kind, body) of a PNG's chunks but those that hold pixels.
    """

    data: bytes
    wrong: tuple[str, ...] = ()
    cut: bool = False
    chunks: tuple[tuple[bytes, bytes], ...] = ()


def examine(data: bytes, photo: PhotoFormat) -> Examined:
    """Look for damage in a whole file of a format."""
    if photo is JPEG:
        return _examine_jpeg(data)
    if photo is PNG:
        return _examine_png(data)
    if photo is TIFF:
        return _examine_tiff(data)
    if photo is WEBP and not _webp_ends(data):
        return Examined(_mended_webp(data), ("its end is missing",), cut=True)
    wrong: tuple[str, ...] = ()
    if photo is HEIF and (plain := with_plain_names(data)) != data:
        data, wrong = plain, ("names of its parts are damaged",)
    if photo in _ENDS and not _ENDS[photo](data):
        return Examined(data, (*wrong, "its end is missing"), cut=True)
    return Examined(data, wrong)


def with_plain_names(data: bytes) -> bytes:
    """A HEIC whose parts (infe boxes) have kinds and names that are text, if need be by "?" in it.

    pi_heif takes the whole process down where one is none.
    """
    mended = bytearray(data)
    for kind, start, stop in top_boxes(io.BytesIO(data)):
        at = data.find(_PART, start, stop) if kind == _PARTS else -1
        while at >= 0:
            size = int.from_bytes(data[at - 4 : at])
            begin = at + (14 if data[at + 4 : at + 5] == b"\3" else 12)  # behind its numbers
            end = min(at - 4 + size, stop)
            try:
                data[begin:end].decode()
            except UnicodeDecodeError:
                mended[begin:end] = bytes(b if b < 0x80 else 0x3F for b in data[begin:end])
            at = data.find(_PART, at + 4, stop)
    return bytes(mended)


def coded_bits(data: bytes, photo: PhotoFormat) -> int:
    """Bits a sample of AVIF and JPEG 2000, which Pillow gives 8 of; 8 for other formats."""
    if photo is AVIF:
        at = data.find(b"av1C", 0, 1 << 16)
        return 10 if at > 0 and len(data) > at + 6 and data[at + 6] & 0x40 else 8
    if photo is JPEG2000:
        at = data.find(b"\xff\x4f\xff\x51", 0, 1 << 16)
        return (data[at + 42] & 0x7F) + 1 if 0 <= at < len(data) - 42 else 8
    return 8


def _examine_jpeg(data: bytes) -> Examined:
    """Decode at an eighth of the size, which reads every code; warnings are damage."""
    try:
        space = simplejpeg.decode_jpeg_header(data, strict=True)[2]
        simplejpeg.decode_jpeg(
            data,
            colorspace="CMYK" if space in {"CMYK", "YCCK"} else "GRAY",
            fastdct=True,
            min_height=1,
            min_width=1,
            strict=True,
        )
    except ValueError as error:
        if _UNCOMMON_SAMPLING in str(error):  # of which only the end can be looked for
            return _examine_jpeg_end(data)
        if "Premature end of JPEG file" in str(error):
            return Examined(data, ("its end is missing",), cut=True)
        return Examined(data, (f"parts of it are damaged ({_first_line(error)})",))
    return Examined(data)


def _examine_jpeg_end(data: bytes) -> Examined:
    if data.rstrip(b"\0").endswith(_JPEG_END):
        return Examined(data)
    return Examined(data, ("its end is missing",), cut=True)


def with_jpeg_end(data: bytes) -> bytes:
    """A cut JPEG with an end after its last whole part, so that its decoder gives what is there."""
    at = 2
    while at + 4 <= len(data):
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 2 + size > len(data):
            return data[:at] + _JPEG_END
        at += 2 + size
        if data[at - size - 1] == _START_OF_SCAN:
            at = _scan_end(data, at)
    return data[:at] + _JPEG_END


def _scan_end(data: bytes, at: int) -> int:
    """Where the codes of a scan end: at a marker that is no restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] and data[at + 1] not in _WITHIN_SCANS:
            return at
        at += 2
    return len(data)


def _first_line(error: ValueError) -> str:
    return str(error).splitlines()[0]


class _Chunk(NamedTuple):
    kind: bytes
    body: memoryview
    right: bool
    whole: bool


def _png_chunks(data: bytes) -> Iterator[_Chunk]:
    at, kind, view = len(_PNG_SIGNATURE), b"", memoryview(data)
    while at + 8 <= len(data) and kind != b"IEND":
        size, kind = struct.unpack(">I4s", view[at : at + 8])
        body, check = view[at + 8 : at + 8 + size], view[at + 8 + size : at + 12 + size]
        at += 12 + size
        yield _Chunk(kind, body, check == _checksum(kind, body), at <= len(data))


def _checksum(kind: bytes, body: memoryview | bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _examine_png(data: bytes) -> Examined:
    """Compare every checksum."""
    wrong, others = [], []
    whole, last = True, b""
    for kind, body, right, whole in _png_chunks(data):
        if kind == b"IHDR" and last:
            wrong.append("its header stands in it twice")
        last = kind
        if whole and not right:
            wrong.append(f"its part {kind.decode('ascii', 'replace')} is damaged")
        if kind not in {b"IDAT", b"fdAT"} and right:
            others.append((kind, bytes(body)))
    cut = last != b"IEND" or not whole
    if cut:
        wrong.append("its end is missing")
    if not wrong and not all(_inflates(parts) for parts in _png_pictures(data)):
        wrong.append("its pixels are damaged")
    if not wrong and _miscounts(others):
        wrong.append("it holds another number of pictures than it says")
    mended = _mended_png(data) if wrong else data
    return Examined(mended, tuple(dict.fromkeys(wrong)), cut, tuple(others))


def _miscounts(chunks: list[tuple[bytes, bytes]]) -> bool:
    """Whether an APNG has more or fewer pictures than its first chunk of animation says."""
    said = [int.from_bytes(body[:4]) for kind, body in chunks if kind == b"acTL"]
    return bool(said) and said[0] != sum(kind == b"fcTL" for kind, _ in chunks)


def _png_pictures(data: bytes) -> Iterator[list[memoryview]]:
    """The compressed pixels of each picture, those of an animation too."""
    parts: list[memoryview] = []
    for kind, body, _, _ in _png_chunks(data):
        if kind in {b"fcTL", b"IEND"} and parts:
            yield parts
            parts = []
        if kind in {b"IDAT", b"fdAT"}:
            parts.append(body if kind == b"IDAT" else body[_SEQUENCE_BYTES:])
    if parts:
        yield parts


def _inflates(parts: list[memoryview]) -> bool:
    """Whether compressed pixels are whole by their own checksum, which decoders pass over."""
    stream = zlib.decompressobj()
    try:
        for part in parts:
            rest: memoryview | bytes = part
            while rest and not stream.eof:
                stream.decompress(rest, _INFLATED_AT_ONCE)
                rest = stream.unconsumed_tail
    except zlib.error:
        return False
    return stream.eof


def _mended_png(data: bytes) -> bytes:
    """The same file with right checksums and an end; bad parts that it can do without left out."""
    kept = [_PNG_SIGNATURE]
    for kind, body, right, _ in _png_chunks(data):
        is_ancillary = kind[:1].islower()
        is_repeated = kind == b"IHDR" and len(kept) > 1
        if kind != b"IEND" and not is_repeated and (right or not is_ancillary):
            kept += struct.pack(">I4s", len(body), kind), bytes(body), _checksum(kind, body)
    kept += struct.pack(">I4s", 0, b"IEND"), _checksum(b"IEND", b"")
    return b"".join(kept)


def _gif_ends(data: bytes) -> bool:
    """Whether block follows block up to the end mark."""
    at = 13 + _color_table_size(data, 10)
    while at < len(data) and data[at] != 0x3B:
        if data[at] == 0x2C:  # a picture
            at += 11 + _color_table_size(data, at + 9)
        else:
            at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return at < len(data)


def _color_table_size(data: bytes, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _webp_ends(data: bytes) -> bool:
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _mended_webp(data: bytes) -> bytes:
    """The same file up to its last whole chunk: those pictures of an animation that are there."""
    kept = data[: _cut_chunk(data)]
    return kept[:4] + (len(kept) - 8).to_bytes(4, "little") + kept[8:]


def _cut_chunk(data: bytes) -> int:
    """Where the first chunk of a WebP begins that is not whole; the end where all are."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            break
        at += 8 + size + size % 2
    return min(at, len(data))


def _boxes_end(data: bytes) -> bool:
    """Whether box follows box (of HEIF, AVIF, JP2) up to the end of the file."""
    end = _last_box_end(data)
    return end <= len(data) and not any(data[end:])


def _last_box_end(data: bytes) -> int:
    """Where the last box ends by what it says."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 0:  # up to the end
            return len(data)
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        at += max(size, 8)
    return at


def _jpeg2000_ends(data: bytes) -> bool:
    boxed = data[4:8] == b"jP  "
    return (
        data.rstrip(b"\0").endswith(_JPEG_END)
        if not boxed
        else (_boxes_end(data) and _JPEG_END in data[-64:])
    )


def _examine_tiff(data: bytes) -> Examined:
    ends = tiff_ends(data)
    if max(ends.directories, ends.pixels) <= len(data):
        return Examined(data)
    missing = ends.directories - len(data)
    if ends.pixels <= len(data) and 0 < missing <= _LARGEST_DIRECTORY:  # they are only read whole
        data += bytes(missing)
    return Examined(data, ("its end is missing",), cut=True)


def padded(data: bytes, photo: PhotoFormat) -> Iterator[bytes]:
    """A cut still WebP or AVIF with its missing end made up in several ways; none for others.

    Both are decoded from the top down: the rows that come out alike are those that are there.
    """
    if photo is WEBP and len(data) > _WEBP_FLAGS_AT:
        cut = _cut_chunk(data)  # what would lie behind it, as EXIF, is lost
        size = int.from_bytes(data[cut + 4 : cut + 8].ljust(4, b"\0"), "little")
        end = cut + 8 + size + size % 2
        if end - 8 > _LARGEST_RIFF:  # a damaged length
            return
        data = data[:4] + (end - 8).to_bytes(4, "little") + data[8:]
        moves = data[12:16] == b"VP8X" and bool(data[_WEBP_FLAGS_AT] & _WEBP_MOVES)
    elif photo is AVIF:
        end, moves = _last_box_end(data), b"avis" in data[:64]
    else:
        return
    missing = end - len(data)
    if not moves and 0 < missing <= _MOST_MISSING_BYTES:
        yield from (data + fill * missing for fill in _FILLS)


_ENDS = {
    GIF: _gif_ends,
    AVIF: _boxes_end,
    HEIF: _boxes_end,
    JPEG2000: _jpeg2000_ends,
}
"""Whether a file of a format goes on up to its end."""
