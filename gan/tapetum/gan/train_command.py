"""`tapetum train`: settings from a recipe, a TOML file and flags, then `tapetum.gan.train`."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tapetum.gan.plain_help import run_alone

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapetum.gan.generator import Generator
    from tapetum.gan.training_config import TrainConfig


def train(
    low: Annotated[
        Path | None, typer.Argument(metavar="LOW", help="Folder of low-light photos.")
    ] = None,
    normal: Annotated[
        Path | None,
        typer.Argument(metavar="NORMAL", help="Folder of well-lit photos, of any other scenes."),
    ] = None,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for checkpoints and weights.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="enlightengan, paper, unet or grid.")
    ] = "enlightengan",
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings, over the recipe's.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Folder that `tapetum simulate pairs` wrote, for the pair losses."),
    ] = None,
    init: Annotated[str | None, typer.Option(help="Weights to start the generator from.")] = None,
    vgg_weights: Annotated[
        Path | None, typer.Option(help="VGG-16's weights; downloaded unless given.")
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(metavar="EPOCHS", help="Keep the weights of every so many epochs, too."),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option(help="Folder of other dark photos, to judge by NIQE what --keep keeps."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length in optimiser steps.")] = None,
    batch: Annotated[int | None, typer.Option(help="Photos a step, over all processes.")] = None,
    crop: Annotated[int | None, typer.Option(help="Size of the crops in pixels.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that read photos.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 (a GPU: TF32), bf16 or fp16.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Any other setting, as TOML: losses.pair_pixel=1.0"
        ),
    ] = None,
) -> None:
    """Train a generator on dark and on well-lit photos, unpaired.

    For example:

      tapetum train dark/ bright/ --output run

      tapetum train dark/ bright/ --output run --recipe grid --precision bf16

      tapetum train dark/ bright/ --output run --keep 20 --held-out other-dark/

      tapetum enhance dark.mp4 bright.mp4 --model run/grid.safetensors

    Flags go over the file's settings, and those over the recipe's. Started again, a run goes on
    from its last checkpoint. Several GPUs: torchrun --nproc-per-node N -m tapetum.realtime train.
    """
    flags: dict[str, Any] = {
        "low": low,
        "normal": normal,
        "output": output,
        "pairs": pairs,
        "init": init,
        "vgg_weights": vgg_weights,
        "held_out": held_out,
        "seed": seed,
        "optimizer": {"steps": steps, "batch": batch},
        "data": {"crop": crop, "workers": workers},
        "run": {"device": device, "precision": precision, "threads": threads, "keep_epochs": keep},
    }
    from tapetum.gan.errors import TrainingError

    try:
        wanted = training_settings(recipe, config, flags, settings or [])
    except TrainingError as error:
        raise typer.BadParameter(str(error)) from error
    _run(wanted)


def training_settings(
    recipe: str, file: Path | None, flags: dict[str, Any], assignments: list[str]
) -> TrainConfig:
    """The settings of a run: assignments and flags over a file's over a recipe's.

    Raises:
        TrainingError: a setting is unknown, missing or wrong.
    """
    from tapetum.gan.toml_settings import assignment, from_tables, read_toml
    from tapetum.gan.training_config import TrainConfig
    from tapetum.gan.training_recipes import merge
    from tapetum.gan.training_recipes import recipe as recipe_settings

    layers = [recipe_settings(recipe), read_toml(file) if file else {}, _given(flags)]
    layers += [assignment(text) for text in assignments]
    return from_tables(TrainConfig, merge(*layers))


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags that were given, without those left out."""
    given = {
        key: _given(value) if isinstance(value, dict) else value
        for key, value in flags.items()
        if value is not None
    }
    return {key: value for key, value in given.items() if value != {}}


def _trainer() -> Callable[[TrainConfig], Generator]:
    """The training function, whose packages only the extra `train` installs."""
    from tapetum.gan.errors import TrainingError

    try:
        from tapetum.gan.trainer import train as run_training
    except ImportError as error:
        raise TrainingError(
            f"training needs packages that are not installed ({error}): "
            "pip install 'tapetum[train]'"
        ) from error
    return run_training


def _run(config: TrainConfig) -> None:
    from tapetum.gan.stop_request import TrainingStopped

    run_training = _trainer()
    first = os.environ.get("RANK", "0") == "0"
    level = logging.INFO if first else logging.ERROR
    logging.basicConfig(format="%(asctime)s %(message)s")
    # Ours alone: what exports the weights tells of each node that it leaves out.
    logging.getLogger("tapetum").setLevel(level)
    try:
        generator = run_training(config)
    except TrainingStopped as stopped:
        if first:
            typer.echo(str(stopped), err=True)
        raise typer.Exit(stopped.exit_status) from stopped
    if first:
        from tapetum.gan.export import export_onnx

        weights = config.output / f"{config.generator}.safetensors"
        export_onnx(generator, weights.with_suffix(".onnx"))
        typer.echo(f"trained: {weights}, and {weights.with_suffix('.onnx')} to enhance with")


if __name__ == "__main__":
    run_alone(train)
