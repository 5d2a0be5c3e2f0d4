"""What works where Python lacks what Linux or Unix alone have, as far as Linux can show it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from support.command_line import environment, python
from support.serve_client import plain_page
from support.serve_process import serving
from support.training_photos import write_both

pytestmark = pytest.mark.slow

TINY = """
[data]
crop = 32
workers = 0
[losses]
global_adversarial = 0.0
patch = 16
reduction = 1
[optimizer]
batch = 2
[run]
threads = 1
device = "cpu"
"""


def elsewhere(*arguments: str | Path) -> str:
    """What `tapetum ARGUMENTS...` prints there."""
    answer = subprocess.run(
        [sys.executable, "-m", "support.other_system", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(),
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_file_is_enhanced(short_clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    elsewhere("enhance", short_clip, output)
    assert frames(output) == frames(short_clip)


def test_live_video_is_recorded(gain_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    source = ("--source", "lavfi:testsrc2=s=96x64:r=30:d=1", "--model", gain_model)
    said = elsewhere("live", *source, "--sink", output, "--json")
    assert frames(output) == json.loads(said)["frames"] > 0


def test_the_page_makes_a_file_bright(short_clip: Path, gain_model: Path) -> None:
    async def scenario() -> None:
        elsewhere_too = serving("--model", gain_model, program="support.other_system")
        async with elsewhere_too as (_process, url), plain_page(url.partition("?")[0]) as page:
            status, answer = await page.send_file(short_clip.read_bytes())
            assert status == 200
            await page.hear_file(answer["file"], "done")
            status, data, _ = await page.fetch(answer["file"])
            assert status == 200
            assert len(data) > 1000

    asyncio.run(scenario())


def test_a_training_run_trains_and_goes_on(tmp_path: Path) -> None:
    folders = write_both(tmp_path)
    settings = tmp_path / "tiny.toml"
    settings.write_text(TINY)
    run = tmp_path / "run"
    named = (folders["low"], folders["normal"], "--output", run, "--config", settings)
    elsewhere("train", *named, "--recipe", "grid", "--steps", "1")
    assert (run / "grid.onnx").exists()
    said = elsewhere("train", *named, "--recipe", "grid", "--steps", "2")
    assert "trained: " in said


def test_photos_are_evaluated(tmp_path: Path) -> None:
    coarse = np.random.default_rng(0).integers(0, 60, (12, 16, 3)).astype(np.uint8)
    (tmp_path / "dark").mkdir()
    photo = cv2.resize(coarse, (256, 192), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "dark" / "0.png"), photo)
    assert "NIQE" in elsewhere("evaluate", "grid", "--photos", tmp_path / "dark")


def test_the_doctor_tells_of_the_machine() -> None:
    said = elsewhere("doctor", "--json")
    assert '"cores"' in said
    assert '"memory"' in said


def test_a_benchmark_measures(tmp_path: Path) -> None:
    few = ("--seconds", "0.1", "--samples", "1", "--repeats", "1", "--size", "96x64")
    elsewhere("bench", "--scenario", "single-stream", *few, "--json", tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["complete"]


def test_a_process_has_its_folder_and_removes_what_another_left() -> None:
    program = """
from support.other_system import hide
hide()
import tempfile
from pathlib import Path
from tapetum.gan.scratch_folder import scratch_folder
with tempfile.TemporaryDirectory() as name:
    tempfile.tempdir = name
    left = Path(name) / "tapetum-serve-left" / "files"
    left.mkdir(parents=True)
    with scratch_folder("serve") as folder, scratch_folder("bench") as other:
        assert folder.is_dir() and other.is_dir() and folder != other
        assert not left.parent.exists()
    print(list(Path(name).iterdir()))
"""
    assert python(program) == "[]\n"


def test_training_holds_back_and_hears_what_stops_it() -> None:
    program = """
from support.other_system import hide
hide()
import signal
from tapetum.gan.stop_request import StopRequest
from tapetum.gan.stop_signals import STOP_SIGNALS, stop_signals_blocked
from tapetum.gan import trainer, training_data
assert STOP_SIGNALS == (signal.SIGINT, signal.SIGTERM)
with StopRequest() as stop, stop_signals_blocked():
    signal.raise_signal(signal.SIGTERM)
print(stop.requested)
"""
    assert python(program) == "True\n"
