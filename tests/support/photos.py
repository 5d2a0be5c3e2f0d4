"""Photos made for tests, and read back by programs other than ours."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

WIDTH, HEIGHT = 64, 48
PREFIX = b"\x89PNG\r\n\x1a\n"

XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
    b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)


def dark_colors(*, deep: bool = False) -> npt.NDArray[Any]:
    """(48, 64, 3) RGB, dark, smooth and a little noisy; uint16 with all low bits in use."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(1).normal(0, 1, (HEIGHT, WIDTH, 3))
    smooth = np.stack([columns * 0.9, rows * 0.8, 30 + 15 * np.sin(columns / 9)], axis=-1)
    colors = np.clip(smooth + noise + 3, 0, 255)
    return (colors * 257).astype(np.uint16) if deep else colors.astype(np.uint8)


def half_clear() -> npt.NDArray[np.uint8]:
    """(48, 64) transparency with a hole, clear in its middle."""
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[10:30, 10:40] = 0
    return alpha


def moving(count: int = 4, *, clear: bool = False) -> list[Image.Image]:
    """Pictures of an animation; each differs from the one before."""
    colors = dark_colors()
    if clear:
        colors = np.dstack([colors, half_clear()])
    return [Image.fromarray(np.roll(colors, 5 * n, axis=1)) for n in range(count)]


def save_deep(path: Path, colors: npt.NDArray[np.uint16]) -> Path:
    """Write (H, W[, 3 or 4]) RGB of 16 bits by OpenCV."""
    blue_first = {3: [2, 1, 0], 4: [2, 1, 0, 3]}
    if colors.ndim == 3:
        colors = np.take(colors, blue_first[colors.shape[2]], axis=2)
    assert cv2.imwrite(str(path), colors)
    return path


def opencv_pixels(path: Path) -> npt.NDArray[Any]:
    """A photo's samples as OpenCV reads them, in RGB order, not turned."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    if pixels.ndim == 2:
        return pixels
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


def pillow_pixels(path: Path, mode: str = "RGB") -> npt.NDArray[np.int64]:
    """A photo's first picture as Pillow reads it, not turned."""
    with Image.open(path) as image:
        return np.asarray(image.convert(mode), np.int64)


def png_chunks(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Place, kind and body of a PNG's chunks."""
    found, at = [], len(PREFIX)
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        found.append((at, kind, data[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A whole chunk."""
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
