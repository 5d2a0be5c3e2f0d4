"""What waits before a decoder stays short, so that a busy machine shows the newest picture."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import pytest

pytest.importorskip("aiortc")

from aiortc import RTCPeerConnection
from aiortc.codecs.h264 import H264Encoder

from tapetum.realtime.serve.incoming import (
    ASK_AGAIN_S,
    LONGEST_WAIT_S,
    SHOWN_AT_LEAST_S,
    DecoderQueue,
    is_keyframe,
    shorten_queue,
)

KEY, DELTA = b"\x10", b"\x11"


@dataclass
class Codec:
    name: str = "VP8"


@dataclass
class Encoded:
    data: bytes
    timestamp: int = 0


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Peer:
    """A queue with a clock of its own that counts the keyframes it asked for."""

    def __init__(self) -> None:
        self.clock, self.asked = Clock(), 0
        self.waiting = DecoderQueue(self._ask, clock=self.clock)

    def _ask(self) -> None:
        self.asked += 1

    def sends(self, data: bytes, timestamp: int = 0, *, after_s: float = 0.0) -> None:
        self.clock.now_s += after_s
        self.waiting.put((Codec(), Encoded(data, timestamp)))

    def decoded(self) -> list[int]:
        taken = []
        while not self.waiting.empty():
            taken.append(self.waiting.get()[1].timestamp)
        return taken


def test_a_decoder_that_keeps_up_gets_everything_in_order() -> None:
    peer = Peer()
    for number in range(20):
        peer.sends(DELTA, number, after_s=0.03)
        assert peer.decoded() == [number]
    assert (peer.waiting.thrown_away, peer.asked) == (0, 0)


def test_one_that_is_behind_begins_anew_with_a_keyframe_that_is_asked_for() -> None:
    peer = Peer()
    peer.sends(KEY, 0)
    peer.sends(DELTA, 1, after_s=0.9 * LONGEST_WAIT_S)
    assert peer.waiting.qsize() == 2
    peer.sends(DELTA, 2, after_s=0.2 * LONGEST_WAIT_S)
    peer.sends(DELTA, 3, after_s=0.03)
    assert (peer.waiting.qsize(), peer.waiting.thrown_away, peer.asked) == (0, 4, 1)
    peer.sends(DELTA, 4, after_s=ASK_AGAIN_S)
    assert peer.asked == 2
    peer.sends(KEY, 5)
    peer.sends(DELTA, 6)
    assert peer.decoded() == [5, 6]


def test_a_keyframe_that_comes_by_itself_is_not_asked_for() -> None:
    peer = Peer()
    peer.sends(KEY, 0)
    peer.sends(KEY, 1, after_s=2 * LONGEST_WAIT_S)
    assert (peer.decoded(), peer.asked) == ([1], 0)


def test_the_end_is_handed_on_whatever_is_waited_for() -> None:
    peer = Peer()
    peer.sends(KEY)
    peer.sends(DELTA, after_s=2 * LONGEST_WAIT_S)
    peer.waiting.put(None)
    assert peer.waiting.get() is None


def test_pictures_that_newer_ones_wait_behind_are_outdated_but_one_now_and_then_is_shown() -> None:
    peer = Peer()
    assert not peer.waiting.outdates()
    peer.sends(DELTA)
    assert peer.waiting.outdates()
    peer.clock.now_s += SHOWN_AT_LEAST_S
    assert not peer.waiting.outdates()
    assert peer.waiting.outdates()
    peer.decoded()
    assert not peer.waiting.outdates()


def pictures(count: int) -> list[av.VideoFrame]:
    made = []
    for number in range(count):
        picture = av.VideoFrame.from_ndarray(np.full((96, 64), 40 + number, np.uint8), "yuv420p")
        picture.pts, picture.time_base = number, Fraction(1, 30)
        made.append(picture)
    return made


@pytest.mark.parametrize(("codec", "encoder"), [("VP8", "libvpx"), ("H264", "libx264")])
def test_a_keyframe_is_told_from_others(codec: str, encoder: str) -> None:
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width = context.height = 64
    context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 30)
    context.options = {"lag-in-frames": "0"} if encoder == "libvpx" else {"tune": "zerolatency"}
    packets = [packet for picture in pictures(4) for packet in context.encode(picture)]
    assert [is_keyframe(codec, bytes(packet)) for packet in packets] == [True, False, False, False]


def test_a_keyframe_is_told_as_a_browser_sends_it_in_packets_of_h264() -> None:
    encoder = H264Encoder()
    for picture, is_key in zip(pictures(3), (True, False, True), strict=True):
        units = list(encoder._encode_frame(picture, is_key))
        assert is_keyframe("H264", b"".join(b"\0\0\0\1" + unit for unit in units)) is is_key


def test_a_receiver_of_this_aiortc_gets_such_a_queue_and_sends_what_asks_for_a_keyframe() -> None:
    async def scenario() -> None:
        peer = RTCPeerConnection()
        receiver = peer.addTransceiver("video").receiver
        waiting = shorten_queue(receiver)
        assert waiting is not None
        parts = vars(receiver)
        assert parts["_RTCRtpReceiver__decoder_queue"] is waiting
        waiting._ask_for_keyframe()
        assert parts["_RTCRtpReceiver__decoder_error"].is_set()
        await peer.close()

    asyncio.run(scenario())


def test_a_receiver_of_other_parts_is_left_as_it_is() -> None:
    assert shorten_queue(object()) is None
