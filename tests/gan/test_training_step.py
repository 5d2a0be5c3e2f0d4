"""What the generator's outputs are compared with in a step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.training_photos import write_both
from torch import nn
from torch.utils.data import default_collate

from tapetum.gan.checkpoint import load_generator
from tapetum.gan.generator import Generator
from tapetum.gan.processes import Processes
from tapetum.gan.supervision import recorded_share
from tapetum.gan.training_config import DataConfig, LossConfig
from tapetum.gan.training_data import Batch, TrainingPhotos, UnpairedPhotos, readable_photos
from tapetum.gan.training_step import Enhanced, Networks, generator_terms

pytestmark = pytest.mark.slow


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    folders = write_both(tmp_path)
    low, normal = (readable_photos(Path(folders[name])) for name in ("low", "normal"))
    losses, data = LossConfig(pair_pixel=1.0), DataConfig(crop=64)
    dataset = UnpairedPhotos(TrainingPhotos(low, normal), data, losses, seed=1)
    return dict(default_collate([dataset[number] for number in range(4)]))


def networks(teacher: Generator | None) -> Networks:
    cpu = torch.device("cpu")
    return Networks(nn.Identity(), nn.ModuleDict(), {}, None, teacher, cpu, None)


def test_without_a_teacher_darkened_photos_become_what_they_were(batch: Batch) -> None:
    assert networks(None).target(batch) is batch["target"]


def test_the_teacher_says_how_bright_the_targets_are(batch: Batch) -> None:
    teacher = load_generator("grid")
    recorded = recorded_share((batch["clean"] + 1) / 2)
    with torch.no_grad():
        taught = ((teacher(batch["clean"]) + 1) / 2 * recorded).mean((1, 2, 3))
    target = ((networks(teacher).target(batch) + 1) / 2).mean((1, 2, 3))
    untaught = ((batch["target"] + 1) / 2 * recorded).mean((1, 2, 3))
    assert (target - taught).abs().mean() < 0.2 * (untaught - taught).abs().mean()


@pytest.mark.parametrize("name", ["low_detail", "low_color", "low_hue"])
def test_enhanced_low_light_photos_are_asked_for_what_the_photos_have(
    batch: Batch, name: str
) -> None:
    losses = LossConfig(
        global_adversarial=0,
        local_adversarial=0,
        global_features=0,
        local_features=0,
        low_detail=float(name == "low_detail"),
        low_color=float(name == "low_color"),
        low_hue=float(name == "low_hue"),
    )
    untouched, grey = batch["low"], torch.zeros_like(batch["low"])
    errors = [
        generator_terms(
            networks(None), batch, Enhanced(fake, batch["low"][:0], None), losses, Processes()
        )
        for fake in (untouched, grey)
    ]
    assert [list(terms) for terms in errors] == [[name], [name]]
    assert errors[0][name].item() == pytest.approx(0, abs=1e-6)
    assert errors[1][name] > 0.01
