"""`tapetum live`, as a person and a program use it: processes, pipes, signals."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from support.command_line import environment, tapetum
from support.live_parts import PATTERN, free_udp_port, live_process, wait_until
from support.media import Clip, make_clip

pytestmark = pytest.mark.slow

LIVE = [sys.executable, "-m", "tapetum.realtime", "live"]


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_json_is_the_summary(gain_model: Path) -> None:
    answer = tapetum(
        "live",
        *("--source", PATTERN, "--sink", "null", "--model", gain_model),
        *("--duration", "1.5", "--json", "--verbose"),
    )
    assert answer.returncode == 0, answer.stderr
    summary = json.loads(answer.stdout)
    assert {"frames", "dropped", "fps", "latency_ms", "age_ms", "modes"} <= set(summary)
    assert list(summary["latency_ms"]) == list(summary["age_ms"])
    assert list(summary["age_ms"]) == ["p50", "p90", "p95", "p99", "max"]
    assert 0 < summary["frames"] <= 46
    assert all(mode.startswith(("start", "gain")) for mode in summary["modes"])
    first, *_, last = answer.stderr.splitlines()
    assert first.startswith(f"{PATTERN} 96x64 30 fps -> null | gain | 50 ms budget")
    assert last.startswith(f"{summary['frames']} frames, {summary['dropped']} dropped, ")
    assert "mode: grid on CPU" in answer.stderr


def test_y4m_on_stdout_is_all_that_is_on_stdout(gain_model: Path) -> None:
    arguments = ["--source", "lavfi:testsrc2=s=96x64:r=30:d=1", "--sink", "-"]
    answer = subprocess.run(
        [*LIVE, *arguments, "--model", str(gain_model)],
        capture_output=True,
        check=True,
        timeout=60,
        env=environment(),
    )
    with av.open(io.BytesIO(answer.stdout), "r", format="yuv4mpegpipe") as container:
        pictures = list(container.decode(video=0))
    assert 10 < len(pictures) <= 30
    assert (pictures[0].width, pictures[0].height) == (96, 64)


def test_a_file_plays_at_its_own_pace_with_every_frame(tmp_path: Path) -> None:
    """B-frames come out of the decoder in bursts, which leave the newest alone if nothing paces.

    At 5 fps even a busy machine is in time for each of them.
    """
    clip = Clip(frames=12, rate=5, options={"bf": "3", "b-adapt": "0", "g": "12"})
    source, output = make_clip(tmp_path / "in.mp4", clip), tmp_path / "again.mkv"
    begin_s = time.monotonic()
    answer = tapetum("live", "--source", source, "--sink", output, "--strength", "0", "--json")
    assert answer.returncode == 0, answer.stderr
    assert time.monotonic() - begin_s > 11 / 5
    assert json.loads(answer.stdout)["dropped"] == 0
    assert frame_count(output) == 12


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_recording_is_playable_however_it_ends(
    number: signal.Signals, status: int, suffix: str, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / f"recording{suffix}"
    source = ["--source", "lavfi:testsrc2=s=320x240:r=30"]
    sink = ["--sink", str(output), "--model", str(gain_model), "--json"]
    with live_process(*source, *sink) as process:
        wait_until(lambda: output.exists() and output.stat().st_size > 100_000)
        process.send_signal(number)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == status
    frames = frame_count(output)
    assert frames >= 8  # on a full machine few come, and each is large
    if number is not signal.SIGKILL:
        assert json.loads(said)["frames"] == frames
        assert errors.splitlines()[-1] == f"error: stopped by {number.name}"


def test_two_processes_on_a_network_address(gain_model: Path) -> None:
    url = f"udp://127.0.0.1:{free_udp_port()}"
    with live_process("--source", PATTERN, "--sink", url, "--model", str(gain_model), "-q"):
        answer = tapetum(
            "live", *("--source", url, "--sink", "null", "--duration", "3", "--json", "-q")
        )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["frames"] > 10


def test_several_sinks_get_the_same_frames(gain_model: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "one.mp4", tmp_path / "two.mkv"
    answer = tapetum(
        "live",
        *("--source", "lavfi:testsrc2=s=96x64:r=30:d=1", "--model", gain_model),
        *("--sink", first, "--sink", second, "--json"),
    )
    sinks = json.loads(answer.stdout)["sinks"]
    assert frame_count(first) == sinks[str(first)]["frames"]
    assert frame_count(second) == sinks[str(second)]["frames"]


@pytest.mark.parametrize("address", ["rtmp://127.0.0.1:9/x", "nosuch://127.0.0.1/x"])
def test_an_address_that_cannot_be_reached_is_one_line(address: str) -> None:
    answer = tapetum("live", "--source", PATTERN, "--sink", address, "-q")
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"error: cannot write {address}: ")


def test_without_cameras_the_list_says_so() -> None:
    answer = tapetum("live", "--list-cameras")
    assert answer.returncode == 0
    if not list(Path("/dev").glob("video*")):
        assert answer.stderr == "no cameras were found\n"


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--camera", "/dev/video77", "--sink", "null"], 1, "camera /dev/video77 does not exist"),
        (["--source", "x.mp4", "--camera", "1"], 2, "give one of them"),
        (["--sink", "-", "--json"], 2, "both write to stdout"),
        (["--sink", "null", "--sink", "null"], 2, "--sink null is given twice"),
        (["--sink", "a.mkv", "--sink", "./a.mkv"], 2, r"--sink a\.mkv is given twice"),
        (["--source", PATTERN, "--sink", ""], 1, "a sink without a name"),
        (["--source", PATTERN, "--sink", "udp://127.0.0.1:99999"], 1, "Port out of range"),
        (["--sink", "null", "--pipe-format", "rawvideo"], 2, "is for --sink -, which is missing"),
        (["--size", "720p"], 2, "'720p' is no size; write WIDTHxHEIGHT"),
        (["--nosuch"], 2, r"\(tapetum live --help tells more\)"),
        (["--rate", "fast"], 2, "'fast' is no rate"),
        (["--rate", "0"], 2, "a rate is over 0"),
        (["--latency-budget", "0"], 2, "'0' is no time over 0; write 50ms"),
        (["--latency-budget", "3600s"], 2, "'3600s' is longer than a minute"),
        (["--model", "gird"], 2, "did you mean grid"),
        (["--model", f"{300 * 'm'}.onnx"], 2, "does not exist"),
        (["--source", PATTERN, "--sink", "out.avi"], 1, r"out\.avi has \.avi; use one of"),
        (
            ["--source", PATTERN, "--device", "cuda", "--sink", "null"],
            1,
            "use --device cpu",
        ),
    ],
)
def test_wrong_use_is_one_line(options: list[str], status: int, message: str) -> None:
    answer = tapetum("live", *options)
    assert answer.returncode == status
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: ")
    assert re.search(message, line)
