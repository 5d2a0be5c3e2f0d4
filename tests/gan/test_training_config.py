"""Training settings: their defaults are EnlightenGAN's, they are checked, and TOML keeps them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tapetum.gan.errors import TrainingError
from tapetum.gan.toml_settings import assignment, from_tables, read_toml, to_toml
from tapetum.gan.training_checkpoint import save_settings
from tapetum.gan.training_config import (
    TERMS,
    DataConfig,
    LossConfig,
    OptimizerConfig,
    TrainConfig,
)
from tapetum.gan.training_recipes import RECIPES, merge, recipe

FOLDERS = {"low": "dark", "normal": "bright", "output": "run"}


def settings(**tables: Any) -> TrainConfig:
    return from_tables(TrainConfig, merge(FOLDERS, tables))


def test_the_defaults_are_enlightengans() -> None:
    config = settings()
    assert config.generator == "unet"
    assert (config.data.crop, config.data.darkened_share) == (320, 0.5)
    assert config.data.darkening == (2.0, 4.0)
    weights = config.losses.weights()
    assert [name for name in TERMS if weights[name] == 1] == list(TERMS[:4])
    assert not any(weights[name] for name in TERMS[4:])
    assert (config.losses.local_patches, config.losses.patch) == (6, 32)
    assert config.losses.halved_global_terms
    assert not config.losses.vgg_mean_subtraction
    optimizer = config.optimizer
    assert (optimizer.batch, optimizer.epochs, optimizer.decay_share) == (32, 200, 0.5)
    assert (optimizer.learning_rate, optimizer.betas) == (1e-4, (0.5, 0.999))
    assert optimizer.ema_decay == 0


@pytest.mark.parametrize("name", list(RECIPES))
def test_toml_keeps_every_setting_of_a_recipe(name: str, tmp_path: Path) -> None:
    config = from_tables(TrainConfig, merge(recipe(name), FOLDERS, {"init": 'a "b" \\ é'}))
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert from_tables(TrainConfig, read_toml(path)) == config


def test_a_folder_whose_name_is_no_text_is_kept(tmp_path: Path) -> None:
    output = tmp_path / os.fsdecode(b"run\xff")
    config = settings(output=str(output))
    save_settings(config)
    assert from_tables(TrainConfig, read_toml(output / "config.toml")) == config


def test_later_layers_win_within_tables() -> None:
    merged = merge({"data": {"crop": 1, "workers": 2}}, {"data": {"crop": 3}, "seed": 4})
    assert merged == {"data": {"crop": 3, "workers": 2}, "seed": 4}


def test_an_assignment_is_a_table() -> None:
    assert assignment("teacher=grid") == assignment("teacher = 'grid'") == {"teacher": "grid"}
    assert assignment("losses.pair_pixel = 0.5") == {"losses": {"pair_pixel": 0.5}}
    with pytest.raises(TrainingError, match="NAME=VALUE"):
        assignment("losses.pair_pixel")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"dta": {}}, "no setting dta"),
        ({"data": {"crops": 3}}, r"no setting data\.crops"),
        ({"data": {"crop": "128"}}, r"data\.crop must be int, not '128'"),
        ({"data": {"crop": True}}, r"data\.crop must be int, not True"),
        ({"data": {"darkening": [2.0]}}, r"data\.darkening must be"),
        ({"generator": "resnet"}, "generator must be unet or grid, not 'resnet'"),
        ({"low": 3}, "low must be Path"),
        ({"optimizer": {"steps": "ten"}}, r"optimizer\.steps must be int"),
        ({"run": {"precision": "int8"}}, r"run\.precision must be fp32 or bf16 or fp16"),
        ({"data": {"crop": 64}, "losses": {"patch": 65}}, r"patch \(65\) must be within"),
        ({"losses": {"roughness": 1.0}}, "grid generator alone"),
    ],
)
def test_wrong_settings_are_named(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        settings(**tables)


def test_missing_settings_are_named() -> None:
    with pytest.raises(TrainingError, match="the setting normal is missing"):
        from_tables(TrainConfig, {"low": "dark", "output": "run"})


@pytest.mark.parametrize(
    "make",
    [
        lambda: DataConfig(crop=16),
        lambda: DataConfig(darkened_share=1.5),
        lambda: DataConfig(denoised_share=-0.1),
        lambda: DataConfig(harsh_share=1.5),
        lambda: DataConfig(darkening=(4.0, 2.0)),
        lambda: DataConfig(max_reduction=0.5),
        lambda: LossConfig(global_features=-1.0),
        lambda: LossConfig(
            global_adversarial=0, local_adversarial=0, global_features=0, local_features=0
        ),
        lambda: LossConfig(local_patches=0),
        lambda: LossConfig(light_cells=0),
        lambda: OptimizerConfig(batch=0),
        lambda: OptimizerConfig(steps=0),
        lambda: OptimizerConfig(ema_decay=2.0),
        lambda: OptimizerConfig(betas=(0.5, 1.0)),
        lambda: OptimizerConfig(max_gradient_norm=-1.0),
        lambda: TrainConfig(low=Path("a"), normal=Path("b"), output=Path("c"), seed=-1),
        lambda: TrainConfig(low=Path("a"), normal=Path("b"), output=Path("c"), teacher="grid"),
        lambda: TrainConfig(
            low=Path("a"),
            normal=Path("b"),
            output=Path("c"),
            losses=LossConfig(low_illumination=1.0),
        ),
    ],
)
def test_impossible_settings_are_refused(make: Any) -> None:
    with pytest.raises(TrainingError):
        make()


def test_files_that_are_no_toml_are_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("crop = = 3")
    with pytest.raises(TrainingError, match=r"broken\.toml"):
        read_toml(path)


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(TrainingError, match="'enlighten'; choose enlightengan, paper, unet, grid"):
        recipe("enlighten")
