"""What a photo's colours mean where numbers say so (ITU-T H.273), and the same as an ICC profile.

AVIF and HEIC have these numbers in their colour box (colr, nclx), PNG in its cICP chunk. Other
formats know profiles alone: without one, colours of Display P3 are shown as if they were sRGB.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.media.sample_entries import top_boxes
from tapetum.realtime.photos.formats import AVIF, HEIF, PNG, PhotoFormat

_UNKNOWN = 2
_SRGB_PRIMARIES = frozenset({1, _UNKNOWN})
_D65, _C, _DCI_WHITE = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_NTSC = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    4: ((0.670, 0.330), (0.210, 0.710), (0.140, 0.080), _C),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), _D65),
    6: _NTSC,
    7: _NTSC,
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: (*_P3, _DCI_WHITE),
    12: (*_P3, _D65),
}
"""x and y of red, green, blue and white."""
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_VIDEO_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES = {
    **dict.fromkeys((1, 6, 14, 15), _VIDEO_CURVE),
    **dict.fromkeys((_UNKNOWN, 13), _SRGB_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
}
"""Exponent of the light that a sample means; or, as ICC has them, exponent, scale and offset of the
curve, slope of the line before it, and where it begins."""
_SEEN_AS_SRGB = frozenset({1, _UNKNOWN, 6, 13, 14, 15})
"""Curves that every viewer takes for that of sRGB, where primaries are its own."""

_PNG_UNIT, _GAMMA_OF_SRGB, _ALIKE = 100_000, 45_455, 500
"""Of PNG's gAMA and cHRM chunks."""

_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_HEADER_BYTES = 128


class CodedColors(NamedTuple):
    """Numbers of ITU-T H.273.

    Attributes:
        primaries: what red, green and blue are.
        transfer: how much light a sample means.
    """

    primaries: int
    transfer: int

    @property
    def hdr_transfer(self) -> str | None:
        """PQ or HLG, else None."""
        return {16: "PQ", 18: "HLG"}.get(self.transfer)

    def icc_profile(self) -> bytes:
        """A profile that means the same; none for sRGB, for HDR, and for what is rare."""
        primaries, curve = _PRIMARIES.get(self.primaries), _CURVES.get(self.transfer)
        if self.primaries in _SRGB_PRIMARIES and self.transfer in _SEEN_AS_SRGB:
            return b""
        if self.primaries == _UNKNOWN:
            primaries = _PRIMARIES[1]
        if primaries is None or curve is None:
            return b""
        return _profile(np.array(primaries), curve)


def coded_colors(data: bytes, photo: PhotoFormat) -> CodedColors | None:
    """What numbers in a photo's file say of the colours of its main picture; None without any."""
    if photo is PNG:
        at = data.find(b"cICP", 0, 1 << 16)
        return CodedColors(data[at + 4], data[at + 5]) if 0 <= at < len(data) - 5 else None
    if photo not in {AVIF, HEIF}:
        return None
    box = next((box for box in _main_color_boxes(data) if box[:4] == b"nclx" and len(box) > 7), b"")
    if not box:  # an animation has it among its tracks
        at = data.find(b"colrnclx", 0, 1 << 16)
        box = data[at + 4 : at + 12] if at >= 0 else b""
    if len(box) < 8:
        return None
    return CodedColors(int.from_bytes(box[4:6]), int.from_bytes(box[6:8]))


def png_profile(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A profile for what PNG's cICP, or else gAMA and cHRM, say of colours; none where HDR.

    Args:
        chunks: (kind, body) of these.
    """
    said = dict(chunks)
    numbers = said.get(b"cICP", b"")
    if len(numbers) >= 2:
        return CodedColors(numbers[0], numbers[1]).icc_profile()
    curve: tuple[float, ...] = _SRGB_CURVE
    primaries = np.array(_PRIMARIES[1])
    gamma, places = said.get(b"gAMA", b""), said.get(b"cHRM", b"")
    if len(gamma) == 4 and any(gamma) and abs(int.from_bytes(gamma) - _GAMMA_OF_SRGB) > _ALIKE:
        curve = (_PNG_UNIT / int.from_bytes(gamma),)
    if len(places) == 32:
        places_xy = np.frombuffer(places, ">u4").reshape(4, 2) / _PNG_UNIT
        primaries = np.roll(places_xy, -1, axis=0)  # PNG has white first
    try:
        return _profile(primaries, curve)
    except (np.linalg.LinAlgError, struct.error, OverflowError, ValueError):  # of no real colours
        return b""


def _main_color_boxes(data: bytes) -> Iterator[bytes]:
    """The colour boxes of the main picture (ISO/IEC 23008-12: pitm, ipco and ipma boxes).

    Others are a gain map's, or those of the picture that it makes.
    """
    for kind, start, stop in top_boxes(io.BytesIO(data)):
        if kind != b"meta":
            continue
        meta = dict(_boxes(data[start + 4 : stop]))
        main = meta.get(b"pitm", b"")
        parts = list(_boxes(meta.get(b"iprp", b"")))
        properties = [box for kind, content in parts if kind == b"ipco" for box in _boxes(content)]
        for index in _properties_of(main[4:], dict(parts).get(b"ipma", b"")):
            if 0 < index <= len(properties) and properties[index - 1][0] == b"colr":
                yield properties[index - 1][1]


def _properties_of(item: bytes, table: bytes) -> Iterator[int]:
    """The numbers of an item's properties, from 1."""
    if len(table) < 8 or not item:
        return
    id_bytes, index_bytes = (4 if table[0] else 2), (2 if table[3] & 1 else 1)
    at, wanted = 8, int.from_bytes(item)
    while at + id_bytes < len(table):
        number, count = int.from_bytes(table[at : at + id_bytes]), table[at + id_bytes]
        at += id_bytes + 1
        if number == wanted:
            for place in range(at, at + count * index_bytes, index_bytes):
                is_needed = 1 << (8 * index_bytes - 1)
                yield int.from_bytes(table[place : place + index_bytes]) & ~is_needed
        at += count * index_bytes


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for kind, start, stop in top_boxes(io.BytesIO(content)):
        yield kind, content[start:stop]


# The profile ------------------------------------------------------------------------------------


def _profile(primaries: npt.NDArray[np.float64], curve: tuple[float, ...]) -> bytes:
    """An ICC profile (ICC.1:2010) of three colours and one curve.

    Args:
        primaries: (4, 2) x and y of red, green, blue and white.
        curve: as `_CURVES` has it.
    """
    columns, adaptation = _colorants(primaries)
    tone = b"para" + struct.pack(f">4xHxx{len(curve)}i", 3 if len(curve) > 1 else 0, *_fixed(curve))
    tags = {
        b"desc": _text("as the file's numbers (H.273) say"),
        b"cprt": _text("no copyright, use freely"),
        b"wtpt": _xyz(_D50),
        b"chad": b"sf32" + struct.pack(">4x9i", *_fixed(adaptation.ravel())),
        **{name: _xyz(columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone),
    }
    place = _HEADER_BYTES + 4 + 12 * len(tags)
    table, contents, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    for name, content in tags.items():
        if content not in places:
            places[content] = place + len(contents)
            contents += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, places[content], len(content))
    made = (2000, 1, 1, 0, 0, 0)  # always the same, so that a photo is made the same again
    header = struct.pack(
        ">I4sI4s4s4s6H4s28x3i", place + len(contents), b"", 0x04300000, b"mntr", b"RGB ", b"XYZ ",
        *made, b"acsp", *_fixed(_D50),
    )  # fmt: skip
    return header.ljust(_HEADER_BYTES, b"\0") + table + contents


def _colorants(
    primaries: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(3, 3) XYZ of red, green and blue under D50, in columns, and what adapts white to that."""
    x, y = primaries.T
    xyz = np.stack([x / y, np.ones_like(x), (1 - x - y) / y])
    white = xyz[:, 3]
    shares = np.linalg.solve(xyz[:, :3], white)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adaptation = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD
    return adaptation @ (xyz[:, :3] * shares), adaptation


def _fixed(values: npt.ArrayLike) -> list[int]:
    """Numbers as ICC has them, in 1/65536."""
    return [round(float(value) * 65_536) for value in np.asarray(values)]


def _xyz(values: npt.ArrayLike) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *_fixed(values))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded
