"""Asks browsers to show pictures as soon as they are decoded.

By itself a browser evens out the pace of a call: Chromium holds each picture back by what it takes
the network's jitter for, and by 10 ms for rendering. The RTP header extension "playout-delay" lets
a sender bound that, here to nothing: a picture that is late anyway is not made later.
https://webrtc.googlesource.com/src/+/main/docs/native-code/rtp-hdrext/playout-delay/README.md

aiortc does not have this extension. It is added to the list of those that it answers with, and to
each sender's private parts; where another version of aiortc has other parts, pictures come as late
as in a call.
"""

from __future__ import annotations

from typing import Any

from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import (
    HeaderExtensions,
    HeaderExtensionsMap,
    pack_header_extensions,
    unpack_header_extensions,
)

URI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
_ID = 12
"""For offers of this process; an answer takes the number that the browser offered."""
_AT_ONCE = bytes(3)
"""The least and the longest delay, in 12 bits each: none."""


def offer_playout_delay() -> None:
    """Let the peers of this process agree on the extension; calling it again does nothing."""
    known = HEADER_EXTENSIONS["video"]
    if all(extension.uri != URI for extension in known):
        known.append(RTCRtpHeaderExtensionParameters(id=_ID, uri=URI))


def show_at_once(sender: Any) -> None:  # noqa: ANN401 - aiortc has no types
    """Let an `RTCRtpSender`, before it starts, ask for no delay in every packet."""
    name = "_RTCRtpSender__rtp_header_extensions_map"
    if isinstance(getattr(sender, name, None), HeaderExtensionsMap):
        setattr(sender, name, _NoDelay())


class _NoDelay(HeaderExtensionsMap):
    """Header extensions with "playout-delay" among them, if the browser knows it."""

    def __init__(self) -> None:
        super().__init__()
        self._id: int | None = None

    def configure(self, parameters: RTCRtpParameters) -> None:
        super().configure(parameters)
        agreed = (one.id for one in parameters.headerExtensions if one.uri == URI)
        self._id = next(agreed, None)

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        profile, packed = super().set(values)
        if self._id is None:
            return profile, packed
        extensions = unpack_header_extensions(profile, packed)
        return pack_header_extensions([*extensions, (self._id, _AT_ONCE)])
