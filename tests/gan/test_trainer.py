"""Training runs, for real: tiny ones, on a few small photos."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.command_line import environment
from support.training_photos import tiny_settings, write_both
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]  # has no types
from torch import nn

from tapetum.gan.checkpoint import build_generator, load_generator, save_generator
from tapetum.gan.errors import DataError, ModelError, TrainingError
from tapetum.gan.processes import joined_processes
from tapetum.gan.stop_request import TrainingStopped
from tapetum.gan.trainer import full_memory_explained, train
from tapetum.gan.training_checkpoint import learning_settings
from tapetum.gan.training_config import TrainConfig

pytestmark = pytest.mark.slow

EVERYTHING: dict[str, Any] = {
    "data": {"noise_share": 0.5, "jpeg_share": 0.5},
    "losses": {"pair_pixel": 1.0, "pair_contrast": 1.0},
    "optimizer": {"ema_decay": 0.9, "warmup_steps": 3, "max_gradient_norm": 1.0},
}
"""A run that uses every part of the state."""
TAUGHT: dict[str, Any] = {"teacher": "grid", "losses": {"pair_pixel": 1.0}}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_both(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def trained(folders: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run by `tiny_settings` alone."""
    output = tmp_path_factory.mktemp("trained") / "run"
    train(tiny_settings(folders, output))
    return output


@pytest.fixture(scope="module")
def taught(folders: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one step."""
    output = tmp_path_factory.mktemp("taught") / "run"
    train(tiny_settings(folders, output, optimizer={"steps": 1}, **TAUGHT))
    return output


def checkpoint(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)
    return state


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "unet.safetensors")


def differences(first: object, second: object, name: str = "") -> list[str]:
    """Where two nested states are not the same, bit for bit."""
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return [] if torch.equal(first, second) else [name]
    if isinstance(first, dict) and isinstance(second, dict):
        assert first.keys() == second.keys()
        found = [differences(first[key], second[key], f"{name}/{key}") for key in first]
        return [place for places in found for place in places]
    if isinstance(first, list) and isinstance(second, list):
        return differences(dict(enumerate(first)), dict(enumerate(second)), name)
    return [] if first == second else [name]


@pytest.mark.parametrize(("workers", "generator"), [(0, "unet"), (1, "grid")])
def test_an_interrupted_run_ends_as_an_uninterrupted_one_bit_for_bit(
    folders: dict[str, str], tmp_path: Path, workers: int, generator: str
) -> None:
    tables = EVERYTHING | {"generator": generator}
    tables["data"] = EVERYTHING["data"] | {"workers": workers}

    def run(name: str, steps: int) -> None:
        tables["optimizer"] = EVERYTHING["optimizer"] | {"steps": steps}
        train(tiny_settings(folders, tmp_path / name, **tables))

    run("whole", 4)
    run("parts", 2)
    assert checkpoint(tmp_path / "parts")["step"] == 2
    torch.manual_seed(99)  # no outer random state has a say
    run("parts", 4)
    whole, parts = (checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 4
    assert differences(whole, parts) == []


def test_two_processes_get_what_one_gets(folders: dict[str, str], tmp_path: Path) -> None:
    tables = EVERYTHING | {"optimizer": {"batch": 4, "learning_rate": 1e-4}}
    start = tmp_path / "start.safetensors"
    torch.manual_seed(0)
    save_generator(build_generator("unet"), start)
    config = tiny_settings(folders, tmp_path / "one", init=str(start), **tables)
    train(config)
    flags = ["--output", str(tmp_path / "two"), "--config", str(tmp_path / "one" / "config.toml")]
    launch = "torch.distributed.run --standalone --nproc-per-node 2 -m tapetum.gan.train_command"
    process = subprocess.run(
        [sys.executable, "-m", *launch.split(), *flags, "--threads", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(),
    )
    assert process.returncode == 0, process.stderr
    before, one, two = (
        torch.cat([value.double().flatten() for _, value in sorted(load_file(path).items())])
        for path in (start, tmp_path / "one/unet.safetensors", tmp_path / "two/unet.safetensors")
    )
    assert (one - before).norm() > 0.01
    assert (two - one).norm() < 0.01 * (one - before).norm()


def test_a_run_says_how_far_it_is_and_leaves_its_settings_its_figures_and_its_weights(
    folders: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a narrow terminal."""
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    output = tmp_path / "run"
    generator = train(tiny_settings(folders, output, run={"report_steps": 1}))
    last = capsys.readouterr().err.rpartition("step")[2]
    assert "2/2" in last
    assert "global" in last
    assert not list(output.glob("*.part"))
    assert not generator.training
    weights = load_generator(output / "unet.safetensors").state_dict()
    assert differences(dict(weights), dict(generator.state_dict())) == []
    events = EventAccumulator(str(output / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert "loss/global_adversarial" in tags["scalars"]
    assert "loss/local_discriminator" in tags["scalars"]
    assert tags["images"] == ["before, after"]
    assert (output / "config.toml").read_text().startswith("low = ")


def test_pairs_alone_teach_the_grid_to_brighten(folders: dict[str, str], tmp_path: Path) -> None:
    config = tiny_settings(
        folders,
        tmp_path / "run",
        generator="grid",
        losses={
            "global_adversarial": 0.0,
            "local_adversarial": 0.0,
            "pair_pixel": 1.0,
            "pair_illumination": 1.0,
            "roughness": 0.05,
            "reversed_tones": 2.0,
            "reduction": 2,
        },
        data={"crop": 64, "window": "share"},
        optimizer={"steps": 30, "learning_rate": 4e-3, "initialisation": "network"},
    )
    generator, dark = train(config), torch.full((1, 3, 64, 64), -0.8)
    with torch.no_grad():
        assert generator(dark).mean() > dark.mean() + 0.02


def test_frozen_statistics_stay_as_they_were(folders: dict[str, str], tmp_path: Path) -> None:
    start = build_generator("unet")
    save_generator(start, tmp_path / "start.safetensors")
    optimizer = {"frozen_statistics": True}
    init = str(tmp_path / "start.safetensors")
    config = tiny_settings(folders, tmp_path / "run", init=init, optimizer=optimizer)
    before, after = start.state_dict(), train(config).state_dict()
    assert torch.equal(before["bn1_1.running_var"], after["bn1_1.running_var"])
    assert not torch.equal(before["bn1_1.weight"], after["bn1_1.weight"])


def test_low_light_photos_become_as_bright_as_the_teacher_makes_them(
    folders: dict[str, str], tmp_path: Path
) -> None:
    losses = {"global_adversarial": 0.0, "local_adversarial": 0.0, "low_illumination": 1.0}
    optimizer = {"steps": 40, "learning_rate": 2e-3, "initialisation": "network"}
    config = tiny_settings(
        folders, tmp_path, losses=losses, optimizer=optimizer, teacher="grid", data={"workers": 1}
    )
    trained, teacher = train(config), load_generator("grid")
    dark = torch.full((1, 3, 32, 32), -0.85)
    with torch.no_grad():
        enhanced, wanted = trained(dark).mean(), teacher(dark).mean()
    assert (enhanced - wanted).abs() < 0.5 * (dark.mean() - wanted).abs()


def test_the_packages_own_grid_can_teach(
    folders: dict[str, str], taught: Path, tmp_path: Path
) -> None:
    one_step = {"losses": TAUGHT["losses"], "optimizer": {"steps": 1}}
    train(tiny_settings(folders, tmp_path / "alone", **one_step))
    assert differences(weights(tmp_path / "alone"), weights(taught))


def test_mixed_precision_computes_in_bf16_and_keeps_float32_weights(
    folders: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    mixed = train(tiny_settings(folders, tmp_path, run={"precision": "bf16"}))
    assert all(parameter.dtype == torch.float32 for parameter in mixed.parameters())
    single, others = weights(trained), mixed.state_dict()
    assert differences(dict(single), dict(others))  # or nothing was computed in bf16
    for name, weight in single.items():  # the same training, but for the rounding
        assert torch.allclose(weight.float(), others[name].float(), rtol=0.1, atol=0.05), name


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(
    folders: dict[str, str], tmp_path: Path
) -> None:
    broken = build_generator("unet")
    nn.init.constant_(broken.get_parameter("conv10.bias"), math.inf)
    path = tmp_path / "broken.safetensors"
    save_generator(broken, path)
    output = tmp_path / "run"
    output.mkdir()
    with pytest.raises(TrainingError, match=r"loss term global_adversarial is nan at step 0"):
        train(tiny_settings(folders, output, init=str(path)))
    assert not (output / "checkpoint.pt").exists()


def test_weights_that_are_no_numbers_are_not_saved(folders: dict[str, str], tmp_path: Path) -> None:
    optimizer = {"steps": 3, "learning_rate": 1e38}
    with pytest.raises(TrainingError, match=r"no number|is nan|is inf"):
        train(tiny_settings(folders, tmp_path, optimizer=optimizer))
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"losses": {"pair_pixel": 2.0}}, r"trained with losses\.pair_pixel = 1\.0, not 2\.0"),
        ({"generator": "grid"}, "trained with generator = unet, not grid"),
        ({"seed": 7}, "trained with seed = 1, not 7"),
        ({"teacher": "unet"}, "trained with teacher = grid, not unet"),
        ({"run": {"precision": "bf16"}}, r"trained with run\.precision = fp32, not bf16"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(
    folders: dict[str, str], taught: Path, tables: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        train(tiny_settings(folders, taught, **(TAUGHT | tables)))


def test_vgg_weights_of_other_content_are_refused(tmp_path: Path) -> None:
    first, moved, other = (tmp_path / name for name in ("first", "moved", "other"))
    first.write_bytes(b"weights")
    moved.write_bytes(b"weights")
    other.write_bytes(b"others")

    def settings(vgg_weights: Path) -> dict[str, str]:
        config = TrainConfig(
            low=tmp_path, normal=tmp_path, output=tmp_path, vgg_weights=vgg_weights
        )
        return learning_settings(config)

    assert settings(first) == settings(moved)
    assert settings(first) != settings(other)


def test_snapshots_are_kept_judged_and_the_best_is_named(
    folders: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dark = tmp_path / "dark"
    dark.mkdir()
    noise = np.random.default_rng(1).integers(0, 60, (110, 200, 3), np.uint8)
    cv2.imwrite(str(dark / "other.png"), noise)
    config = tiny_settings(
        folders,
        tmp_path / "run",
        held_out=str(dark),
        optimizer={"steps": 2, "batch": 6},  # two epochs of six photos
        run={"keep_epochs": 1},
    )
    with caplog.at_level("INFO", "tapetum.gan"):
        train(config)
    kept = tmp_path / "run" / "snapshots"
    names = [f"epoch-{epoch:04d}.safetensors" for epoch in (1, 2)]
    assert sorted(path.name for path in kept.glob("*.safetensors")) == names
    scores = json.loads((kept / "scores.json").read_text())
    best = min(names, key=lambda name: scores[name])
    assert f"best snapshot: {kept / best}, NIQE {scores[best]:.3f}" in caplog.text
    figures = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    curve = [event.value for event in figures.Scalars("held_out/niqe")]
    assert curve == pytest.approx([scores[name] for name in names])
    last = load_file(kept / names[-1])
    assert all(torch.equal(last[key], value) for key, value in weights(tmp_path / "run").items())


@pytest.mark.parametrize("make", ["broken", "foreign"])
def test_a_file_that_is_no_checkpoint_is_named(
    folders: dict[str, str], tmp_path: Path, make: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    if make == "broken":
        path.write_bytes(b"nothing")
    else:
        torch.save({"model": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"checkpoint\.pt is not a"):
        train(tiny_settings(folders, tmp_path))


def test_weights_of_the_other_generator_are_no_start(
    folders: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "grid.safetensors"
    save_generator(build_generator("grid"), path)
    with pytest.raises(ModelError, match="is a grid generator, not unet"):
        train(tiny_settings(folders, tmp_path / "run", init=str(path)))


def test_an_empty_folder_is_named(folders: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no photo"):
        train(tiny_settings(folders | {"low": str(tmp_path / "empty")}, tmp_path / "run"))


def test_a_folder_that_cannot_be_made_is_named(folders: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"file/run/config\.toml cannot be written"):
        train(tiny_settings(folders, tmp_path / "file" / "run"))


def test_a_teacher_that_is_not_there_leaves_no_folder(
    folders: dict[str, str], tmp_path: Path
) -> None:
    losses = {"pair_pixel": 1.0}
    with pytest.raises(ModelError, match="no such weights file"):
        train(tiny_settings(folders, tmp_path / "run", losses=losses, teacher="absent.pth"))
    assert not (tmp_path / "run").exists()


def test_a_full_disk_keeps_the_checkpoint(folders: dict[str, str], tmp_path: Path) -> None:
    train(tiny_settings(folders, tmp_path, optimizer={"steps": 1}))
    kept = (tmp_path / "checkpoint.pt").read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(TrainingError, match=r"safetensors cannot be written: File too"):
            train(tiny_settings(folders, tmp_path, optimizer={"steps": 2}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "checkpoint.pt").read_bytes() == kept
    assert not list(tmp_path.glob("*.part*"))


def test_a_run_that_ended_before_its_weights_were_written_writes_them_when_it_goes_on(
    folders: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    parts = tiny_settings(folders, tmp_path / "parts")
    in_the_way = parts.output / "unet.safetensors"
    in_the_way.mkdir(parents=True)
    with pytest.raises(TrainingError, match=r"unet\.safetensors cannot be written"):
        train(parts)
    in_the_way.rmdir()
    train(parts)
    assert differences(weights(trained), weights(parts.output)) == []


def test_a_full_memory_says_what_was_tried(folders: dict[str, str], tmp_path: Path) -> None:
    config = tiny_settings(folders, tmp_path)
    with (
        pytest.raises(TrainingError, match="batch of 2 crops of 32 pixels"),
        full_memory_explained(config),
    ):
        torch.empty(2**56)


@pytest.mark.parametrize(
    ("torchs", "ours"),
    [
        (
            "DataLoader worker (pid 7) is killed by signal: Killed. ",
            "process that reads photos was",
        ),
        ("[/gloo/transport/tcp/pair.cc:537] Connection reset by peer", "another process of this"),
    ],
)
def test_lost_processes_are_told_of_in_a_line(torchs: str, ours: str) -> None:
    with pytest.raises(TrainingError, match=ours), joined_processes(torch.device("cpu")):
        raise RuntimeError(torchs)


def test_other_failures_stay_what_they_are(folders: dict[str, str], tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="size of tensor"),
        full_memory_explained(tiny_settings(folders, tmp_path)),
    ):
        torch.zeros(2) + torch.zeros(3)


def test_a_stopped_run_has_a_checkpoint_and_goes_on(
    folders: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "run"

    def stop_after_a_checkpoint() -> None:
        while not (output / "checkpoint.pt").exists():
            ended.wait(0.05)
        os.kill(os.getpid(), 2)

    ended = threading.Event()
    watcher = threading.Thread(target=stop_after_a_checkpoint)
    watcher.start()
    run = {"checkpoint_steps": 1}
    with pytest.raises(TrainingStopped, match="start again to go on") as stopped:
        train(tiny_settings(folders, output, run=run, optimizer={"steps": 500}))
    watcher.join()
    assert stopped.value.exit_status == 130
    assert checkpoint(output)["step"] == stopped.value.step < 500
