"""Captions inside a video (CEA-608 and CEA-708), from its pictures to what is encoded of them.

Broadcasts have them as user data of each picture (ATSC A/53 Part 4, 6.2.3), in H.264 and HEVC as an
SEI message. Encoders write the message where a picture has them; but the pictures that reach an
encoder are new ones, and PyAV cannot give them any. So it is put into the packets.
"""

from __future__ import annotations

import re

import av
from av.packet import Packet
from av.sidedata.sidedata import Type
from av.stream import Stream

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.encoder import HEVC_ENCODERS
from tapetum.realtime.media.hdr import side_data_bytes

_H264_ENCODERS = ("libx264", "h264_nvenc")

_TRIPLET_BYTES, _MOST_TRIPLETS = 3, 31
_USER_DATA_REGISTERED = 4  # as a kind of SEI (ITU-T H.264, D.1.6)
_ATSC_CAPTIONS = b"\xb5\x00\x31GA94\x03"  # country, provider, identifier, kind
_PROCESS, _RESERVED, _MARKER = 0x40, b"\xff", b"\xff"
_STOP_BIT = b"\x80"

_START_CODE = re.compile(rb"\x00?\x00\x00\x01")
_FORBIDDEN = re.compile(rb"\x00\x00(?=[\x00-\x03])")
_H264_SEI, _HEVC_PREFIX_SEI = b"\x06", b"\x4e\x01"
_H264_SLICES, _FIRST_HEVC_NOT_SLICE = frozenset({1, 2, 5}), 32


def captions_of(picture: av.VideoFrame) -> bytes | None:
    """The captions of a decoded picture: triplets of a kind and two bytes; None without any."""
    return side_data_bytes(picture, Type.A53_CC)


def carries_captions(encoder: str) -> bool:
    """Whether `with_captions` takes the packets of an encoder, by FFmpeg's name."""
    return encoder in _H264_ENCODERS or encoder in HEVC_ENCODERS


def lost_captions(frame: Frame, encoder: str) -> list[str]:
    """Lines for the user about a frame whose captions an encoder cannot carry."""
    if not frame.captions or carries_captions(encoder):
        return []
    return [f"captions inside the video (CEA-608/708) cannot be kept with {encoder}; H.264 can"]


def with_captions(packet: Packet[Stream], captions: bytes, encoder: str) -> Packet[Stream]:
    """The packet of a picture with its captions in an SEI message before the first slice.

    Args:
        packet: of one picture, as a byte stream with start codes (H.264 or HEVC, Annex B).
        captions: as `captions_of` has them.
        encoder: FFmpeg's name of what made the packet; `carries_captions` holds for it.
    """
    is_hevc, data = encoder in HEVC_ENCODERS, bytes(packet)
    at = _first_slice(data, is_hevc=is_hevc)
    captioned: Packet[Stream] = Packet(data[:at] + _message(captions, is_hevc=is_hevc) + data[at:])
    captioned.stream, captioned.time_base = packet.stream, packet.time_base
    captioned.pts, captioned.dts = packet.pts, packet.dts
    captioned.duration = packet.duration or 0
    captioned.is_keyframe = packet.is_keyframe
    return captioned


def _first_slice(data: bytes, *, is_hevc: bool) -> int:
    for start in _START_CODE.finditer(data):
        header = data[start.end()]
        is_slice = (
            header >> 1 & 0x3F < _FIRST_HEVC_NOT_SLICE if is_hevc else header & 31 in _H264_SLICES
        )
        if is_slice:
            return start.start()
    return len(data)


def _message(captions: bytes, *, is_hevc: bool) -> bytes:
    """A unit of SEI, as many messages in it as the captions need."""
    most = _TRIPLET_BYTES * _MOST_TRIPLETS
    payload = b""
    for first in range(0, len(captions), most):
        part = captions[first : first + most]
        count = len(part) // _TRIPLET_BYTES
        body = _ATSC_CAPTIONS + bytes((_PROCESS | count,)) + _RESERVED + part + _MARKER
        payload += bytes((_USER_DATA_REGISTERED, len(body))) + body
    header = _HEVC_PREFIX_SEI if is_hevc else _H264_SEI
    # No run of bytes may look like a start code (7.4.1).
    return b"\0\0\0\1" + header + _FORBIDDEN.sub(b"\0\0\3", payload + _STOP_BIT)
