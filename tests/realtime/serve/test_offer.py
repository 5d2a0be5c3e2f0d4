"""A browser's offer before it is answered."""

from __future__ import annotations

from tapetum.realtime.serve.offer import with_vp8_first, without_hidden_addresses

SAFARI = (
    "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\na=rtpmap:96 H264/90000\r\na=rtpmap:97 rtx/90000\r\n"
    "a=fmtp:97 apt=96\r\na=rtpmap:98 VP8/90000\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n"
)


def test_vp8_is_put_first_and_all_else_is_kept() -> None:
    assert with_vp8_first(SAFARI) == SAFARI.replace("96 97 98 99", "98 96 97 99")


def test_an_offer_without_vp8_is_kept() -> None:
    without = SAFARI.replace("VP8", "VP9")
    assert with_vp8_first(without) == without


def test_hidden_addresses_are_left_out() -> None:
    kept = "a=candidate:1 1 udp 1 192.168.1.2 5000 typ host\r\n"
    hidden = "a=candidate:1 1 udp 1 f3e1.local 5000 typ host\r\na=end-of-candidates\r\n"
    assert without_hidden_addresses(kept + hidden) == kept
