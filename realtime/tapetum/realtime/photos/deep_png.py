"""Writes 16-bit PNG, which Pillow can only read."""

from __future__ import annotations

import struct
import zlib
from typing import IO

import numpy as np
import numpy.typing as npt

from tapetum.realtime.photos.picture import Picture

_COMPRESSION = 6
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def write_deep_png(file: IO[bytes], picture: Picture, chunks: list[tuple[bytes, bytes]]) -> None:
    """Write one picture as PNG.

    Args:
        file: at its beginning.
        picture: of 16 bits.
        chunks: (kind, body) of what goes before the pixels.
    """
    file.write(b"\x89PNG\r\n\x1a\n")
    kind = _COLOR_TYPES[picture.bands]
    _write_chunk(
        file, b"IHDR", struct.pack(">IIBBBBB", picture.width, picture.height, 16, kind, 0, 0, 0)
    )
    for name, body in chunks:
        _write_chunk(file, name, body)
    pack = zlib.compressobj(_COMPRESSION)
    above = np.zeros((picture.width, 2 * picture.bands), np.uint8)
    for rows in picture.all_strips():
        samples = picture.pixels(rows).astype(">u2").view(np.uint8)
        _write_packed(file, pack.compress(_filtered(samples, above)))
        above = samples[-1]
    _write_packed(file, pack.flush())
    _write_chunk(file, b"IEND", b"")


def _filtered(samples: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8]) -> bytes:
    """Rows as PNG's filter 2 has them: differences to the row above, each after its number."""
    height = samples.shape[0]
    lines = np.empty((height, 1 + samples[0].size), np.uint8)
    lines[:, 0] = 2
    flat = samples.reshape(height, -1)
    lines[0, 1:] = flat[0] - above.reshape(-1)
    lines[1:, 1:] = flat[1:] - flat[:-1]
    return lines.tobytes()


def _write_packed(file: IO[bytes], packed: bytes) -> None:
    if packed:
        _write_chunk(file, b"IDAT", packed)


def _write_chunk(file: IO[bytes], kind: bytes, body: bytes) -> None:
    check = zlib.crc32(body, zlib.crc32(kind))
    file.write(struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", check))
