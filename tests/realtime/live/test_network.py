"""Live streams between two processes: HTTP and RTSP in, RTSP and RTMP out, lost and back.

UDP is in other tests.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import av
import pytest
from support.live_parts import free_tcp_port, live_process, opened, wait_until
from support.network_peer import peer

from tapetum.realtime.prefetch import Prefetch

pytestmark = pytest.mark.slow

DARK = "lavfi:color=c=0x101010:s=96x64:r=30"


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}/live.ts", "rtsp://127.0.0.1:{}/live"])
def test_a_stream_that_breaks_off_is_opened_again(address: str) -> None:
    url, notices = address.format(free_tcp_port()), list[str]()
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


def test_a_server_that_never_answers_does_not_keep_from_stopping() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/live.ts"
        with live_process("--source", url, "--sink", "null") as live:
            connection, _ = server.accept()
            with connection:
                live.send_signal(signal.SIGTERM)
                _, errors = live.communicate(timeout=60)
    assert errors == "error: stopped by SIGTERM\n"
    assert live.returncode == 143


def told(live: subprocess.Popen[str], words: str) -> str:
    """The next line with `words` that a process writes to stderr."""
    assert live.stderr is not None
    for line in live.stderr:
        if words in line:
            return line.strip()
    pytest.fail(f"the process ended and never said {words!r}")


def test_a_server_that_hangs_and_goes_on_is_lost_and_back_in_one_recording(tmp_path: Path) -> None:
    """Its last picture is recorded meanwhile, and the new ones after it."""
    url, output = f"rtsp://127.0.0.1:{free_tcp_port()}/live", tmp_path / "kept.mkv"
    with peer("send", url) as server:
        opened(url, []).close()
        sinks = ["--sink", str(output), "--sink", "null", "--json", "--verbose"]
        with live_process("--source", url, *sinks) as live:
            told(live, "mode: ")
            server.send_signal(signal.SIGSTOP)
            why = told(live, "is lost")
            server.send_signal(signal.SIGCONT)
            assert told(live, "is back") == f"note: {url} is back"
            wait_for_more(output)
            live.send_signal(signal.SIGINT)
            summary = json.loads(live.communicate(timeout=60)[0])
    assert why == f"note: {url} is lost (nothing came for 3 s); the last picture is held"
    assert summary["held"] >= 2
    assert not summary["failed"]
    with av.open(str(output)) as recording:
        pictures = list(recording.decode(video=0))
    frames = summary["sinks"][str(output)]["frames"]
    assert frames < len(pictures) <= frames + summary["held"]
    times = [picture.pts for picture in pictures if picture.pts is not None]
    assert times == sorted(set(times))


def wait_for_more(output: Path) -> None:
    size = output.stat().st_size
    wait_until(lambda: output.stat().st_size > size + 2000)


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
