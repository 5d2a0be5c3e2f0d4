"""`tapetum train` as a person runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment
from training_photos import write_both

from tapetum.gan.errors import TrainingError
from tapetum.gan.train_command import training_settings

FOLDERS = {"low": Path("dark"), "normal": Path("bright"), "output": Path("run")}

TINY = """
[data]
crop = 32
workers = 0
[losses]
global_features = 0.0
local_features = 0.0
patch = 16
[optimizer]
batch = 2
[run]
threads = 1
report_steps = 1
"""


def train_command(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tapetum.gan.train_command", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,  # a process group, as `timeout` and a terminal make one
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_flags_go_over_the_file_and_the_file_over_the_recipe(tiny: Path) -> None:
    flags = FOLDERS | {"optimizer": {"steps": 9, "batch": None}, "data": {"crop": 64}, "init": None}
    config = training_settings("grid", tiny, flags, ["losses.pair_pixel = 0.5"])
    assert config.generator == "grid"
    assert (config.data.crop, config.data.window, config.data.workers) == (64, "share", 0)
    assert (config.optimizer.steps, config.optimizer.batch) == (9, 2)
    assert (config.losses.pair_pixel, config.losses.patch) == (0.5, 16)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(TrainingError, match="normal is missing"):
        training_settings("enlightengan", None, FOLDERS | {"normal": None}, [])


def test_a_run_logs_its_steps_and_says_where_the_weights_are(tiny: Path, tmp_path: Path) -> None:
    folders = write_both(tmp_path)
    output = tmp_path / "run"
    process = train_command(
        folders["low"], folders["normal"], "-o", output, "--config", tiny, "--steps", "2"
    )
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert "step 2 of 2" in stderr
    assert stdout.strip() == f"trained: {output / 'unet.safetensors'}"
    assert (output / "unet.safetensors").exists()


def test_ctrl_c_saves_a_checkpoint_and_exits_with_130(tiny: Path, tmp_path: Path) -> None:
    folders = write_both(tmp_path)
    output = tmp_path / "run"
    process = train_command(
        *(folders["low"], folders["normal"], "-o", output, "--config", tiny, "--steps", "10000")
    )
    assert process.stderr is not None
    while "step 1 of" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(2)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "start again to go on" in stderr
    assert "Traceback" not in stderr
    assert (output / "checkpoint.pt").exists()


def test_a_signal_to_the_whole_group_stops_the_run_and_not_its_workers(
    tiny: Path, tmp_path: Path
) -> None:
    folders, output = write_both(tmp_path), tmp_path / "run"
    process = train_command(
        *(folders["low"], folders["normal"], "-o", output, "--config", tiny),
        *("--steps", "10000", "--workers", "2"),
    )
    assert process.stderr is not None
    while "step 1 of" not in process.stderr.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    assert "Traceback" not in stderr
    assert (output / "checkpoint.pt").exists()
