"""The orientation that a camera noted in a photo, read from the file's own structure."""

from __future__ import annotations

from collections.abc import Iterator

_ORIENTATION = 0x0112
_UPRIGHT = 1
_APP1 = 0xE1
_START_OF_SCAN = 0xDA


def exif_orientation(data: bytes) -> int:
    """The EXIF orientation, 1 (upright) to 8, of a JPEG, PNG, WebP or TIFF file's bytes.

    A file without one, or with a broken one, is upright.
    """
    tiff = _tiff_block(data)
    value = _first_directory_value(tiff, _ORIENTATION)
    return value if value is not None and _UPRIGHT <= value <= 8 else _UPRIGHT


def _tiff_block(data: bytes) -> bytes:
    """The bytes that hold the tags, beginning with "II" or "MM"."""
    if data[:2] == b"\xff\xd8":
        found = (body for marker, body in _jpeg_segments(data) if marker == _APP1)
        blocks = (body for body in found if body.startswith(b"Exif\0\0"))
    elif data[:4] == b"\x89PNG":
        blocks = (body for kind, body in _chunks(data, 8, "big") if kind == b"eXIf")
    elif data[:4] == b"RIFF":
        blocks = (body for kind, body in _chunks(data, 12, "little") if kind == b"EXIF")
    else:
        return data
    return next(blocks, b"").removeprefix(b"Exif\0\0")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of each segment before the picture itself."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _START_OF_SCAN:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1], data[at + 4 : at + 2 + size]
        at += 2 + max(size, 2)


def _chunks(data: bytes, at: int, order: str) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each chunk of a PNG ("big") or RIFF ("little") file."""
    while at + 8 <= len(data):
        if order == "big":
            size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
            following = at + 12 + size  # length, kind, body, checksum
        else:
            kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
            following = at + 8 + size + size % 2  # bodies are padded to even sizes
        yield kind, data[at + 8 : at + 8 + size]
        at = following


def _first_directory_value(tiff: bytes, tag: int) -> int | None:
    """A 16-bit value of the first image file directory."""
    if tiff[:2] not in (b"II", b"MM"):
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if tiff[:2] == b"II" else "big")

    directory = number(4, 4)
    for entry in range(number(directory, 2)):
        at = directory + 2 + 12 * entry
        if at + 12 > len(tiff):
            return None
        if number(at, 2) == tag:
            return number(at + 8, 2)
    return None
