"""Everything that a training run needs to go on, in one file.

There is no random state among it: the data are a function of the seed and the step
(`tapetum.gan.training_data`), and nothing else in a step is random. Nor is there a schedule: the
learning rate is a function of the step.
"""

from __future__ import annotations

import copy
import hashlib
import io
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tapetum.gan.checkpoint import build_generator, load_generator, save_generator
from tapetum.gan.discriminator import global_discriminator, local_discriminator
from tapetum.gan.errors import ModelError, TrainingError
from tapetum.gan.generator import Generator
from tapetum.gan.grid import GridGenerator
from tapetum.gan.toml_settings import to_toml
from tapetum.gan.training_config import OptimizerConfig, TrainConfig
from tapetum.gan.unet import LitUNet, UNetGenerator
from tapetum.gan.whole_file import whole_file

CHECKPOINT = "checkpoint.pt"
"""The newest checkpoint's name in a run's folder."""

FREE_SETTINGS = frozenset(
    {"optimizer.steps", "optimizer.epochs", "optimizer.decay_share", "data.workers"}
)
"""What may change between the parts of a run, besides where and how it runs."""

_LEARNT_WITH = ("generator", "init", "light", "teacher", "seed")
_LEARNT_FROM = ("data", "losses", "optimizer")

_UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError)


@dataclass
class TrainingState:
    """The networks, their optimisers and how far the run is.

    Attributes:
        generator: what is trained.
        average: its moving average, which is what a run is for.
        discriminators: `global_adversarial` and `local_adversarial`, those that have a weight.
        generator_optimizer: Adam on the generator.
        discriminator_optimizer: Adam on all discriminators, None where there are none.
        scaler: of fp16 gradients; disabled otherwise.
        step: optimiser steps done.
    """

    generator: Generator
    average: Generator
    discriminators: nn.ModuleDict
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer | None
    scaler: torch.amp.GradScaler
    step: int = 0


def new_state(config: TrainConfig, device: torch.device) -> TrainingState:
    """A fresh run's state, the same for the same seed.

    Raises:
        ModelError: the weights to start from cannot be loaded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        generator = _new_generator(config)
        discriminators = _new_discriminators(config)
    for network in (generator, discriminators):
        network.to(device)
        if config.run.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    average = copy.deepcopy(generator).requires_grad_(False)
    settings = config.optimizer
    generator.train()
    if settings.frozen_statistics:
        freeze_statistics(generator)
    return TrainingState(
        generator,
        average.eval(),
        discriminators,
        _adam(generator, settings.learning_rate, settings),
        _adam(discriminators, settings.discriminator_learning_rate, settings)
        if len(discriminators)
        else None,
        torch.amp.GradScaler(device.type, enabled=config.run.precision == "fp16"),
    )


def _adam(network: nn.Module, rate: float, settings: OptimizerConfig) -> torch.optim.Adam:
    learning = (parameter for parameter in network.parameters() if parameter.requires_grad)
    return torch.optim.Adam(learning, lr=rate, betas=settings.betas)


def _new_generator(config: TrainConfig) -> Generator:
    generator = _bare_generator(config)
    if config.light is None or not isinstance(generator, UNetGenerator):
        return generator
    light = load_generator(config.light)
    if not isinstance(light, GridGenerator):
        raise ModelError(f"{config.light} is a {light.kind} generator; a light is of a grid")
    return LitUNet.of(generator, light)


def _bare_generator(config: TrainConfig) -> Generator:
    if config.init is None:
        generator = build_generator(config.generator)
        if config.optimizer.initialisation == "normal":
            initialise_normally(generator, zero_biases=config.optimizer.zero_biases)
        return generator
    generator = load_generator(config.init)
    if generator.kind != config.generator:
        raise ModelError(f"{config.init} is a {generator.kind} generator, not {config.generator}")
    return generator


def _new_discriminators(config: TrainConfig) -> nn.ModuleDict:
    discriminators = nn.ModuleDict()
    if config.losses.global_adversarial:
        discriminators["global_adversarial"] = global_discriminator()
    if config.losses.local_adversarial:
        discriminators["local_adversarial"] = local_discriminator()
    initialise_normally(discriminators, zero_biases=config.optimizer.zero_biases)
    return discriminators


def initialise_normally(network: nn.Module, *, zero_biases: bool) -> None:
    """Convolutions from N(0, 0.02), BatchNorm's weights from N(1, 0.02), its biases 0.

    Args:
        network: whose layers are set.
        zero_biases: of convolutions; else they stay as PyTorch drew them.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if zero_biases and layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)


def freeze_statistics(network: nn.Module) -> None:
    """Let every BatchNorm2d of a network use and keep its means and variances."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Move every parameter and buffer of `average` towards `current`'s; keep a share of `decay`."""
    states = average.state_dict().values(), current.state_dict().values()
    for kept, new in zip(*states, strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def save_checkpoint(state: TrainingState, config: TrainConfig, photos: str) -> None:
    """Write the state and the averaged generator into the run's folder, each whole or not at all.

    Args:
        state: what to write.
        config: its settings, which a later run is compared with.
        photos: `TrainingPhotos.fingerprint` of the data.

    Raises:
        TrainingError: a weight is no number any more, or a file cannot be written; the last
            checkpoint is kept.
    """
    for name, value in state.generator.state_dict().items():
        if not torch.isfinite(value).all():
            raise TrainingError(
                f"the generator's {name} is no number at step {state.step}; "
                f"{config.output / CHECKPOINT} is kept as it was"
            )
    contents = {
        "step": state.step,
        "settings": learning_settings(config),
        "photos": photos,
        **{name: part.state_dict() for name, part in _parts(state)},
    }
    saved = io.BytesIO()  # on a full disk, what torch.save itself raises tells nobody why
    torch.save(contents, saved)
    # The weights first: a run that is killed between the two makes both again when it goes on.
    weights = config.output / f"{config.generator}.safetensors"
    _write_whole(weights, lambda part: save_generator(state.average, part))
    _write_whole(config.output / CHECKPOINT, lambda part: part.write_bytes(saved.getbuffer()))


def save_settings(config: TrainConfig) -> None:
    """Write a run's settings into its folder, which is made if need be.

    Raises:
        TrainingError: they cannot be written.
    """
    settings = os.fsencode(to_toml(config))  # a folder's name need not be text
    _write_whole(config.output / "config.toml", lambda part: part.write_bytes(settings))


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a file, in a folder that is made if need be.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error.strerror}") from error
    with whole_file(path, error=TrainingError) as unfinished:
        write(unfinished)


def restore_checkpoint(state: TrainingState, config: TrainConfig) -> str:
    """Go on from the run's checkpoint.

    Returns:
        The fingerprint of the photos that it was trained on.

    Raises:
        ModelError: the checkpoint is broken.
        TrainingError: it is of another generator or was trained with other settings.
    """
    path = config.output / CHECKPOINT
    contents = _read(path)
    _require_same_settings(contents["settings"], learning_settings(config), path)
    try:
        for name, part in _parts(state):
            part.load_state_dict(contents[name])
    except _UNREADABLE as error:
        raise ModelError(f"{path} is not a checkpoint of this run: {error}") from error
    state.step = contents["step"]
    return str(contents["photos"])


def _read(path: Path) -> dict[str, Any]:
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{path} is not a readable checkpoint ({reason})") from error
    if not isinstance(contents, dict) or not {"step", "settings", "photos"} <= contents.keys():
        raise ModelError(f"{path} is not a checkpoint of tapetum train")
    return contents


def _parts(state: TrainingState) -> Iterator[tuple[str, Any]]:
    for name in ("generator", "average", "discriminators", "generator_optimizer", "scaler"):
        yield name, getattr(state, name)
    if state.discriminator_optimizer is not None:
        yield "discriminator_optimizer", state.discriminator_optimizer


def learning_settings(config: TrainConfig) -> dict[str, str]:
    """What decides what is learnt, as text by setting's name."""
    settings = {name: str(getattr(config, name)) for name in _LEARNT_WITH}
    settings["run.precision"] = config.run.precision
    if config.losses.features:
        settings["vgg_weights"] = _content(config.vgg_weights)
    for table in _LEARNT_FROM:
        for name, value in vars(getattr(config, table)).items():
            settings[f"{table}.{name}"] = str(value)
    return settings


@cache
def _content(weights: Path | None) -> str:
    """What tells a file of weights from another, wherever it lies."""
    if weights is None:
        return "torchvision's"
    try:
        return hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise ModelError(f"{weights} cannot be read: {error.strerror}") from error


def _require_same_settings(before: dict[str, str], now: dict[str, str], path: Path) -> None:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name) and name not in FREE_SETTINGS:
            raise TrainingError(
                f"{path} was trained with {name} = {before.get(name)}, not {now.get(name)}; "
                "train into another folder (--init starts from this run's weights)"
            )
