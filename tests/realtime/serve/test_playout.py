"""The header extension that makes a browser show pictures at once, between aiortc's own parts."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiortc")

from aiortc import RTCPeerConnection, RTCRtpSender
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import (
    RTCRtpHeaderExtensionParameters,
    RTCRtpParameters,
)
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, unpack_header_extensions

from tapetum.realtime.serve import playout

MID = RTCRtpHeaderExtensionParameters(id=1, uri="urn:ietf:params:rtp-hdrext:sdes:mid")
DELAY = RTCRtpHeaderExtensionParameters(id=5, uri=playout.URI)


async def sent(*agreed: RTCRtpHeaderExtensionParameters) -> list[tuple[int, bytes]]:
    """The extensions in a packet of a sender whose browser agreed on these."""
    peer = RTCPeerConnection()
    sender: RTCRtpSender = peer.addTransceiver("video").sender
    playout.show_at_once(sender)
    extensions: HeaderExtensionsMap = vars(sender)["_RTCRtpSender__rtp_header_extensions_map"]
    extensions.configure(RTCRtpParameters(headerExtensions=list(agreed)))
    found: list[tuple[int, bytes]] = unpack_header_extensions(
        *extensions.set(HeaderExtensions(mid="0"))
    )
    await peer.close()
    return found


def test_a_browser_that_knows_the_extension_is_asked_for_no_delay() -> None:
    assert asyncio.run(sent(MID, DELAY)) == [(1, b"0"), (5, bytes(3))]


def test_a_browser_that_does_not_gets_packets_as_they_were() -> None:
    assert asyncio.run(sent(MID)) == [(1, b"0")]


def test_peers_agree_on_it_once_it_is_offered() -> None:
    playout.offer_playout_delay()
    playout.offer_playout_delay()
    assert [one.uri for one in HEADER_EXTENSIONS["video"]].count(playout.URI) == 1

    async def answered() -> str:
        browser, server = RTCPeerConnection(), RTCPeerConnection()
        browser.addTransceiver("video", direction="recvonly")
        await browser.setLocalDescription(await browser.createOffer())
        await server.setRemoteDescription(browser.localDescription)
        await server.setLocalDescription(await server.createAnswer())
        sdp = str(server.localDescription.sdp)
        await browser.close()
        await server.close()
        return sdp

    assert f" {playout.URI}\r\n" in asyncio.run(answered())
