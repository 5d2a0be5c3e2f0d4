"""The command line, as a person and a program use it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from support.command_line import ROOT, environment, tapetum
from support.live_parts import live_process
from support.small_clips import write_clip
from support.terminal import nohup, terminal

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"


_STOPPED_IN_C = """
import ctypes, os, signal, time

def stop():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)

class Finalized:
    def __del__(self):
        stop()

def wait(place: str) -> None:
    if place == "finalizer":
        Finalized()
    else:
        ctypes.CFUNCTYPE(None)(stop)()
    if place == "callback-and-error":
        raise ValueError("what the callback was for is missing")
    time.sleep(100)
"""
"""A command that gets its signal in a function that C calls, as LLVM does while it compiles."""


def add_commands(folder: Path, entries: str) -> str:
    """Have a package in `folder` add commands, and return the PYTHONPATH that finds it."""
    metadata = folder / "added-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[tapetum.commands]\n{entries}\n")
    return os.pathsep.join([str(folder), environment()["PYTHONPATH"]])


def words(help_text: str) -> list[str]:
    """Help without the frames that are drawn around it, which differ between releases of rich."""
    return "".join(" " if letter in "╭╮╰╯│─" else letter for letter in help_text).split()


@pytest.mark.parametrize(
    "command",
    [
        "tapetum",
        "bench",
        "build",
        "enhance",
        "demo",
        "doctor",
        "evaluate",
        "live",
        "plugin",
        "serve",
        "simulate",
        "train",
    ],
)
def test_help_is_as_reviewed(command: str) -> None:
    arguments = ["--help"] if command == "tapetum" else [command, "--help"]
    golden = GOLDEN / f"help-{command}.txt"
    shown = tapetum(*arguments).stdout
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text("\n".join(line.rstrip() for line in shown.splitlines()).strip() + "\n")
    assert words(shown) == words(golden.read_text())
    assert not any(word in shown for word in ("<bool>", "[Path]", ",Path", "int,int"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", [["--version"], ["live", "--help"]], ids=["line", "page"])
def test_a_stdout_that_takes_nothing_is_one_line(arguments: list[str], unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [sys.executable, "-m", "tapetum.realtime", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env=environment() | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert answer.returncode == 1
    assert answer.stderr == "error: cannot write to stdout: No space left on device\n"


def test_no_command_shows_the_help() -> None:
    answer = tapetum()
    assert answer.returncode == 2
    assert "enhance" in answer.stdout + answer.stderr
    assert "error" not in answer.stderr


def test_enhance_says_what_runs_where_and_what_came_out(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "bright.mp4"
    answer = tapetum("enhance", short_clip, output, "--model", gain_model)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == ""
    first, *_, last = answer.stderr.splitlines()
    assert first.startswith("short.mp4 96x64 yuv420p 25 fps -> bright.mp4 | grid on CPU, OpenVINO")
    assert last.startswith(f"{output}: 12 frames, 0.")
    assert last.endswith("x real time")
    with av.open(output) as container:
        assert len(list(container.decode(video=0))) == 12


def test_quiet_prints_nothing(short_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    answer = tapetum("enhance", short_clip, tmp_path / "o.mp4", "--model", gain_model, "--quiet")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_json_is_one_object_on_stdout(short_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "bright.mp4"
    answer = tapetum("enhance", short_clip, output, "--model", gain_model, "--json")
    result = json.loads(answer.stdout)
    assert result["frames"] == 12
    assert result["output_path"] == str(output)
    assert result["intact"] is True
    assert {"fps", "speed", "elapsed_s", "media_s", "notices", "encoder"} <= set(result)


def test_times_are_seconds_or_clock_times(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "part.mp4"
    times = ("--start", "0:00.16", "--duration", ".2")
    answer = tapetum("enhance", short_clip, output, "--model", gain_model, "--json", *times)
    assert json.loads(answer.stdout)["frames"] == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strength", "3"], "strength is from 0 to 2; got 3"),
        (["--strength", "much"], "'much' is no number"),
        (["--model", "gird"], "unknown model gird.*did you mean grid"),
        (["--model", "missing.onnx"], "missing.onnx does not exist"),
        (["--device", "tpu"], "tpu"),
        (["--start", "1:99"], "1:99.*write seconds, like"),
        (["--duration", "0"], "a duration is a time over 0 s; got 0"),
        (["--crf", "99"], "crf is a whole number from 0 to 63; got 99"),
        (["--compare", "split"], "split"),
        (["--brighter"], "--brighter"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(
    options: list[str], message: str, short_clip: Path, tmp_path: Path
) -> None:
    answer = tapetum("enhance", short_clip, tmp_path / "out.mp4", *options)
    assert answer.returncode == 2
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: ")
    assert re.search(message, line)


@pytest.mark.parametrize(
    "command",
    [
        ["enhance", "samples/dark_room.mp4", "OUT.mp4"],
        ["enhance", "docs/twelve.jpg", "OUT.png"],
        ["live", "--source", "samples/dark_room.mp4", "--sink", "null"],
        ["serve", "--port", "0"],
    ],
    ids=["video", "photo", "live", "serve"],
)
def test_a_brightness_for_a_model_without_grids_is_one_line(
    command: list[str], tmp_path: Path
) -> None:
    words = [word.replace("OUT", f"{tmp_path}/out") for word in command]
    words = [str(ROOT / word) if word.startswith(("samples", "docs")) else word for word in words]
    answer = tapetum(*words, "--model", "unet", "--brightness", "0.4")
    assert answer.returncode == 1
    assert answer.stderr == "error: brightness is for grid models; unet is none\n"


def test_a_missing_input_is_one_line_and_status_1(gain_model: Path, tmp_path: Path) -> None:
    answer = tapetum("enhance", tmp_path / "no.mp4", tmp_path / "o.mp4", "--model", gain_model)
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: ")
    assert "no.mp4" in line


def test_a_damaged_input_has_a_status_of_its_own(gain_model: Path, tmp_path: Path) -> None:
    whole, cut, output = (tmp_path / name for name in ("whole.mkv", "cut.mkv", "out.mp4"))
    write_clip(whole, frames=100)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    answer = tapetum("enhance", cut, output, "--model", gain_model, "--quiet")
    assert answer.returncode == 3
    assert "cut.mkv is damaged" in answer.stderr
    assert output.exists()


def test_a_full_disk_is_one_line_and_leaves_nothing(gain_model: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    write_clip(clip, frames=60, width=320, height=240)
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
        "from tapetum.realtime.command.cli import run_command; sys.exit(run_command(sys.argv[1:]))"
    )
    output = tmp_path / "out" / "bright.mp4"
    output.parent.mkdir()
    arguments = ["enhance", str(clip), str(output), "--model", str(gain_model)]
    command = [sys.executable, "-B", "-c", limited, *arguments]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(), timeout=120
    )
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("error: cannot write")
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_stopping_leaves_nothing(
    number: signal.Signals, status: int, sample_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "bright.mkv"
    slow = ["--codec", "libx265", "--preset", "veryslow", "--model", str(gain_model)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tapetum.realtime", "enhance", sample_clip, output, *slow],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    assert "grid on CPU" in process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert errors.splitlines()[-1] == f"error: stopped by {number.name}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["callback", "finalizer", "callback-and-error"])
def test_a_stop_that_comes_where_nothing_can_be_raised_is_one_line(
    place: str, tmp_path: Path
) -> None:
    (tmp_path / "waiting.py").write_text(_STOPPED_IN_C)
    paths = add_commands(tmp_path, "wait = waiting:wait")
    answer = tapetum("wait", place, PYTHONPATH=paths)
    assert (answer.returncode, answer.stderr) == (143, "error: stopped by SIGTERM\n")


def test_a_terminal_that_closes_leaves_nothing(gain_model: Path, tmp_path: Path) -> None:
    clip, folder = tmp_path / "long.mkv", tmp_path / "out"
    write_clip(clip, frames=4000)
    folder.mkdir()
    arguments = ("enhance", clip, folder / "bright.mkv", "--model", gain_model)
    with terminal("tapetum.realtime", *arguments) as enhance:
        enhance.wait_for(b"real time")
        assert list(folder.iterdir()) != []
        assert enhance.close() == 129
    assert list(folder.iterdir()) == []


def test_a_hangup_under_nohup_stops_nothing(short_clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "again.mkv"
    with nohup(), live_process("--source", str(short_clip), "--sink", str(output)) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert output.exists()


def test_a_package_adds_a_command_by_an_entry_point(tmp_path: Path) -> None:
    (tmp_path / "greeting.py").write_text(
        "def greet(name: str) -> None:\n    'Say hello.'\n    print(f'hello {name}')\n"
    )
    paths = add_commands(tmp_path, "greet = greeting:greet")
    assert tapetum("greet", "cat", PYTHONPATH=paths).stdout == "hello cat\n"
    assert "Say hello." in tapetum("--help", PYTHONPATH=paths).stdout


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("", "AttributeError: module 'broken' has no attribute 'run'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('too old')", "SystemExit: too old"),
        ("run = 1", "TypeError: "),
        ("def run(size: 'Missing') -> None: ...", "NameError: name 'Missing'"),
    ],
)
def test_a_command_that_cannot_be_loaded_says_so_where_it_is_asked_for(
    module: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(module)
    paths = add_commands(tmp_path, "another = broken:run")
    listed = tapetum("--help", PYTHONPATH=paths)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "enhance" in listed.stdout
    assert "another" not in listed.stdout
    asked = tapetum("another", "x", "--help", PYTHONPATH=paths)
    assert (asked.returncode, asked.stdout) == (1, "")
    (line,) = asked.stderr.splitlines()
    assert line.startswith(f"error: tapetum another cannot be loaded ({reason}")
    assert line.endswith("install added 1 anew, with all that it needs, or remove it")


def test_a_stop_while_the_command_still_loads_is_one_line() -> None:
    code = """
import os, signal, sys

class Stopper:
    def find_spec(self, name, *_):
        if name == "tapetum.realtime.command.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Stopper())
from tapetum.realtime.__main__ import main
main()
"""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=120,
    )
    assert (answer.returncode, answer.stderr) == (130, "error: stopped by SIGINT\n")
