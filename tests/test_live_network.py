"""Live streams between two processes: HTTP in, RTSP and RTMP out. UDP is in other tests."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from live_parts import live_process, wait_until
from network_peer import peer

from tapetum.realtime import LiveSource
from tapetum.realtime.errors import MediaError
from tapetum.realtime.prefetch import Prefetch

DARK = "lavfi:color=c=0x101010:s=96x64:r=30"


def free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def opened(url: str, notices: list[str]) -> LiveSource:
    """The source of a sender that has just been started."""
    found: list[LiveSource] = []

    def opens() -> bool:
        try:
            found.append(LiveSource(url, on_notice=notices.append))
        except MediaError:
            return False
        return True

    wait_until(opens)
    return found[0]


def test_an_http_stream_that_breaks_off_is_opened_again() -> None:
    url, notices = f"http://127.0.0.1:{free_tcp_port()}/live.ts", list[str]()
    with peer("send", url):
        source = opened(url, notices)
        assert source.description == f"{url} 96x64 h264 30 fps"
        frames = Prefetch(source, depth=1, policy="drop_oldest")
        first = frames.take(20)
    wait_until(lambda: len(notices) == 1)
    assert "is lost" in notices[0]
    assert "the last picture is held" in notices[0]
    count = source.frames
    with peer("send", url):
        wait_until(lambda: source.frames > count)
        again = frames.take(20)
    assert notices[1] == f"{url} is back"
    assert (again.pts or 0) > (first.pts or 0)
    source.close()
    frames.close()


@pytest.mark.parametrize("address", ["rtsp://127.0.0.1:{}/live", "rtmp://127.0.0.1:{}/live/one"])
def test_a_server_gets_the_enhanced_stream(address: str, gain_model: Path) -> None:
    url = address.format(free_tcp_port())
    sending = ["--source", DARK, "--sink", url, "--model", str(gain_model), "--quiet"]
    with peer("receive", url) as server:

        def served() -> bool:
            """One attempt to send; the server may not listen yet."""
            with live_process(*sending) as live:
                wait_until(lambda: server.poll() is not None or live.poll() is not None)
            return server.poll() is not None

        wait_until(served, seconds=60)
        assert server.returncode == 0
        assert server.stdout is not None
        told = json.loads(server.stdout.read())
    assert told["size"] == [96, 64]
    assert told["luma"] > 1.5 * 16
