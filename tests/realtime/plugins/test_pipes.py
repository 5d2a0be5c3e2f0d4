"""The recipes of docs/plugins.md for programs that a pipe or a stream joins with Tapetum."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from support.command_line import ROOT, environment
from support.live_parts import free_tcp_port
from support.network_peer import peer

pytestmark = pytest.mark.slow

SAMPLE = ROOT / "samples" / "dark_room.mp4"
TAPETUM = f"{shlex.quote(sys.executable)} -m tapetum.realtime"


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as video:
        return [frame.to_ndarray().tobytes() for frame in video.decode(video=0)]


@pytest.mark.skipif(
    None in map(shutil.which, ("ffmpeg", "mpv")), reason="needs the programs ffmpeg and mpv"
)
def test_mpv_gets_bright_pictures_through_a_pipe(tmp_path: Path) -> None:
    given, piped, seen = (tmp_path / name for name in ("given.y4m", "piped.y4m", "seen.mkv"))
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", SAMPLE, "-frames:v", "10", given], check=True, timeout=60
    )
    mpv = f"mpv --really-quiet --ovc=ffv1 --o={seen} -"
    shell = f"{TAPETUM} enhance - - < {given} | tee {piped} | {mpv}"
    subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell], check=True, timeout=120, env=environment()
    )
    assert len(pictures(seen)) == 10
    assert pictures(seen) == pictures(piped)
    assert light(pictures(piped)[0]) > 1.3 * light(pictures(given)[0])


def light(picture: bytes) -> float:
    return sum(picture[: 640 * 360]) / (640 * 360)


def test_the_command_for_go2rtc_sends_a_bright_stream_and_again_after_a_kill() -> None:
    """As go2rtc does it: {output} is an RTSP address of its own, to which the command sends."""
    documented = (ROOT / "docs" / "plugins.md").read_text()
    found = re.search(r"exec:(\S+/tapetum) (live .*? \{output\}.*?)#", documented)
    assert found is not None
    camera = f"rtsp://127.0.0.1:{free_tcp_port()}/dark"
    with peer("send", camera):
        for last in (False, True):
            output = f"rtsp://127.0.0.1:{free_tcp_port()}/bright"
            words = re.sub(r"rtsp://127\S+", camera, found[2]).replace("{output}", output)
            with peer("receive", output) as server:
                command = start_when_it_listens(words, server)
                seen, _ = server.communicate(timeout=60)
                assert '"size": [96, 64]' in seen
                luma = float(seen.rpartition(" ")[2].rstrip("}"))
                assert luma > 1.3 * 16
                command.send_signal(signal.SIGTERM if last else signal.SIGKILL)
                command.wait(timeout=30)


def start_when_it_listens(words: str, server: subprocess.Popen[str]) -> subprocess.Popen[bytes]:
    """The command, once it stays: the server of the test needs a moment to listen."""
    end_s = time.monotonic() + 60
    while True:
        command = subprocess.Popen(
            [*shlex.split(TAPETUM), *words.split()], env=environment(), stderr=subprocess.DEVNULL
        )
        while command.poll() is None and server.poll() is None and time.monotonic() < end_s:
            time.sleep(0.1)
        if server.poll() is not None or time.monotonic() > end_s:
            return command
