"""What lies beside a photo's picture and is left out: gain maps, short videos, depth.

A gain map says how much brighter an HDR screen may show each place of the picture that was. It is
wrong for the enhanced one, and so is what XMP says about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tapetum.realtime.photos.formats import AVIF, HEIF, JPEG, PhotoFormat

_GAIN_MAPS = (
    b"hdrgm:Version",  # Ultra HDR, and Adobe's
    b"urn:iso:std:iso:ts:21496:-1",  # ISO 21496-1, in JPEG
    b"HDRGainMap",  # Apple's, in XMP
    b"urn:com:apple:photo:2020:aux:hdrgainmap",
)
_TONE_MAP_ITEM = re.compile(rb"infe.{8}tmap", re.DOTALL)
"""An item of HEIF or AVIF that says how others are put together to HDR (ISO 21496-1)."""
_MOTION = re.compile(
    rb"""(?:GCamera:MotionPhoto|Camera:MotionPhoto|GCamera:MicroVideo)\s*(?:=\s*["']|>)\s*1"""
)
_DEPTHS = (b"urn:mpeg:hevc:2015:auxid:2", b"auxiliary:depth", b"GDepth:Mime", b"aux:disparity")
_HEADERS_BYTES = 1 << 20

_ABOUT_OTHERS = re.compile(
    rb"""\s(?:hdrgm|HDRGainMap|GCamera|Camera|GContainer|GDepth):\w+\s*=\s*(?:"[^"]*"|'[^']*')"""
    rb"""|<(\w+:(?:Directory|HDRGainMap\w*|MotionPhoto\w*|MicroVideo\w*))\b[^>]*?(?:/>|>.*?</\1>)"""
    rb"""|<(hdrgm:\w+)\b[^>]*?(?:/>|>.*?</\2>)""",
    re.DOTALL,
)


def left_out(data: bytes, photo: PhotoFormat) -> Iterator[str]:
    """What a file holds beside its picture, a line each."""
    if photo not in {JPEG, HEIF, AVIF}:
        return
    head = data[:_HEADERS_BYTES]
    tone_map = photo is not JPEG and _TONE_MAP_ITEM.search(head)
    if tone_map or any(mark in data for mark in _GAIN_MAPS):
        yield "its HDR gain map is left out: it was made for the picture as it was"
    if _MOTION.search(head):
        yield "the short video that it holds (a motion photo) is left out"
    if any(mark in data for mark in _DEPTHS):
        yield "its map of depth is left out"


def without_extras(xmp: bytes) -> bytes:
    """XMP without what it says of gain maps, and of pictures and videos behind the picture."""
    return _ABOUT_OTHERS.sub(b"", xmp)
