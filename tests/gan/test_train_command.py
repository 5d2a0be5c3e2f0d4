"""`tapetum train` as a person runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.command_line import environment, tapetum
from support.terminal import nohup, terminal
from support.training_photos import write_both

from tapetum.gan.errors import TrainingError
from tapetum.gan.model import find_model
from tapetum.gan.train_command import training_settings

pytestmark = pytest.mark.slow

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


def train_command(
    *arguments: str | Path, launch: str = "tapetum.gan.train_command", **variables: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *launch.split(), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | variables,
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
    assert "step 1 of 2: " in stderr  # nothing is known of the pace yet
    assert "step 2 of 2, " in stderr
    weights = output / "unet.safetensors"
    exported = weights.with_suffix(".onnx")
    assert stdout.strip() == f"trained: {weights}, and {exported} to enhance with"
    assert find_model(str(exported)).description.kind == find_model(str(weights)).description.kind


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "enlighten"], "there is no recipe 'enlighten'"),
        (["--set", "losses.low_illumination=1"], "name its weights, like teacher=grid"),
        (["--set", "losses.pair_pixel"], "is no setting; write NAME=VALUE"),
    ],
)
def test_wrong_use_is_a_line_and_exits_with_2(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    answer = tapetum("train", tmp_path, tmp_path, "-o", tmp_path / "run", *arguments)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_processes_train_together_without_a_word_of_warning(tiny: Path, tmp_path: Path) -> None:
    folders, output = write_both(tmp_path), tmp_path / "run"
    process = train_command(
        *(folders["low"], folders["normal"], "-o", output, "--config", tiny, "--steps", "1"),
        launch="torch.distributed.run --standalone --nproc-per-node 2 -m tapetum.realtime train",
        OMP_NUM_THREADS="1",
    )
    said, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "trained: " in said
    lines = errors.splitlines()
    assert "step 1 of 1" in lines[0]
    assert len(lines) == 1, errors


def wait_for_step(process: subprocess.Popen[str], step: int) -> None:
    assert process.stderr is not None
    while f"step {step} of" not in process.stderr.readline():
        assert process.poll() is None


def children(process: subprocess.Popen[str]) -> dict[int, bytes]:
    """What a process has started: each command line by its process's number."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in listed}


def workers(process: subprocess.Popen[str]) -> list[int]:
    return [pid for pid, command in children(process).items() if b"spawn_main" in command]


def wait_for_worker(process: subprocess.Popen[str]) -> None:
    """Wait until the first worker has started, and not until it can read photos."""
    while not workers(process):
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("ready", "number"),
    [
        ("a worker starts", signal.SIGINT),
        ("a step is done", signal.SIGTERM),
        ("a step is done", signal.SIGHUP),
    ],
)
def test_a_signal_to_the_whole_group_stops_the_run_and_not_its_workers(
    tiny: Path, tmp_path: Path, ready: str, number: signal.Signals
) -> None:
    folders, output = write_both(tmp_path), tmp_path / "run"
    process = train_command(
        *(folders["low"], folders["normal"], "-o", output, "--config", tiny),
        *("--steps", "10000", "--workers", "1"),
    )
    if ready == "a worker starts":
        wait_for_worker(process)
    else:
        wait_for_step(process, 1)
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 128 + number, stderr
    assert "start again to go on" in stderr
    assert "Traceback" not in stderr
    assert (output / "checkpoint.pt").exists()


def test_a_hangup_that_is_ignored_stops_neither_the_run_nor_its_workers(
    tiny: Path, tmp_path: Path
) -> None:
    folders, output = write_both(tmp_path), tmp_path / "run"
    with nohup():
        process = train_command(
            *(folders["low"], folders["normal"], "-o", output, "--config", tiny),
            *("--steps", "3", "--workers", "1"),
        )
    wait_for_step(process, 1)
    os.killpg(process.pid, signal.SIGHUP)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert "step 3 of 3" in stderr


def test_a_terminal_that_closes_leaves_a_checkpoint(tiny: Path, tmp_path: Path) -> None:
    folders, output = write_both(tmp_path), tmp_path / "run"
    arguments = (folders["low"], folders["normal"], "-o", output, "--config", tiny)
    with terminal("tapetum.gan.train_command", *arguments, "--steps", "10000") as train:
        train.wait_for(b"2/10000")
        assert train.close() == 129
    assert (output / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("Ctrl-C", r"stopped at step \d+; start again to go on"),
        ("a kill", "error: another process of this run is gone; start again"),
    ],
)
def test_processes_that_train_together_end_together(
    tiny: Path, tmp_path: Path, end: str, message: str
) -> None:
    folders, output = write_both(tmp_path), tmp_path / "run"
    process = train_command(
        *(folders["low"], folders["normal"], "-o", output, "--config", tiny, "--steps", "10000"),
        launch="torch.distributed.run --standalone --nproc-per-node 2 -m tapetum.realtime train",
    )
    wait_for_step(process, 1)
    if end == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(max(children(process)), signal.SIGKILL)  # the first, which logs, was started first
    _, stderr = process.communicate(timeout=100)
    assert len(re.findall(message, stderr)) == 1, stderr
    assert "this is a bug" not in stderr
    assert (output / "checkpoint.pt").exists() == (end == "Ctrl-C")
