"""Two optimisation steps against EnlightenGAN's own.

The numbers below were made once, in float64, by a plain transcription of the step in the authors'
code (their `models/single_model.py` and `models/networks.py`, with the options of their training
script), from the weights and pictures that are drawn here. The second row depends on what the
first step made of all three networks.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch
from torch import nn

from tapetum.gan.discriminator import global_discriminator, local_discriminator
from tapetum.gan.processes import Processes
from tapetum.gan.toml_settings import from_tables
from tapetum.gan.trainer import train_step
from tapetum.gan.training_checkpoint import TrainingState
from tapetum.gan.training_config import TrainConfig
from tapetum.gan.training_data import Batch
from tapetum.gan.training_recipes import recipe
from tapetum.gan.training_step import Enhancement, Networks
from tapetum.gan.unet import UNetGenerator
from tapetum.gan.vgg import VGGFeatures

pytestmark = pytest.mark.slow

CORNERS = ((3, 17), (31, 0), (12, 12), (0, 31), (20, 5), (9, 28))
"""Of the six patches, which the authors cut at the same places of every picture."""

TERMS = (
    "global_adversarial",
    "local_adversarial",
    "global_features",
    "local_features",
    "global_discriminator",
    "local_discriminator",
)
AUTHORS = (
    (0.50418709594, 1.06429801319, 0.06239167041, 0.04455559550, 0.49712038474, 0.52824246409),
    (0.61225421648, 0.89698590010, 0.05884245869, 0.03335692116, 0.41047726879, 0.45529414284),
)


def drawn(name: str, shape: torch.Size, scale: float, mean: float = 0.0) -> torch.Tensor:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return torch.from_numpy(mean + scale * rng.standard_normal(shape))


def fill(network: nn.Module, title: str) -> nn.Module:
    """Give a network the weights that the numbers were made with."""
    for place, (key, value) in enumerate(network.named_parameters()):
        name = key.replace("block", "conv").replace("_conv", "_") if title == "vgg" else key
        name = f"{title} {place}" if title in {"global", "local"} else f"{title} {name}"
        is_filter = value.ndim == 4
        if title == "vgg":
            numbers = drawn(
                name, value.shape, (2 / (9 * value.shape[1])) ** 0.5 if is_filter else 0.05
            )
        elif "bn" in key:
            scale, mean = (0.02, 1.0) if key.endswith("weight") else (0.0, 0.0)
            numbers = drawn(name, value.shape, scale, mean)
        else:
            numbers = drawn(name, value.shape, 0.02)
        with torch.no_grad():
            value.copy_(numbers)
    return network


def batch(step: int) -> Batch:
    def pictures(name: str, darkest: float, brightest: float) -> torch.Tensor:
        rng = np.random.default_rng(zlib.crc32(f"{name} {step}".encode()))
        return torch.from_numpy(rng.uniform(darkest, brightest, (2, 3, 64, 64))).float() * 2 - 1

    low = pictures("low", 0, 0.3)
    return {
        "low": low,
        "low_input": (low + 1) / 2.5 - 1,
        "normal": pictures("normal", 0.2, 1),
        "corners": torch.tensor([CORNERS, CORNERS]),
    }


def test_two_steps_are_the_authors() -> None:
    folders = {"low": "low", "normal": "normal", "output": "run"}
    config = from_tables(TrainConfig, {**recipe("enlightengan"), **folders})
    generator = UNetGenerator()
    fill(generator, "generator").train()
    discriminators = nn.ModuleDict(
        {
            "global_adversarial": fill(global_discriminator(), "global"),
            "local_adversarial": fill(local_discriminator(), "local"),
        }
    )
    features = VGGFeatures()
    fill(features, "vgg")
    rate, betas = config.optimizer.learning_rate, config.optimizer.betas
    state = TrainingState(
        generator,
        UNetGenerator(),
        discriminators,
        torch.optim.Adam(generator.parameters(), rate, betas),
        torch.optim.Adam(discriminators.parameters(), rate, betas),
        torch.amp.GradScaler("cpu", enabled=False),
    )
    enhancement = Enhancement(generator, config.losses.reduction)
    replicas = dict(discriminators.items())
    networks = Networks(
        enhancement, discriminators, replicas, features, None, torch.device("cpu"), None
    )
    for step, authors in enumerate(AUTHORS):
        terms = train_step(state, networks, batch(step), config, Processes())
        state.step += 1
        found = [float(terms[name]) for name in TERMS]
        assert found == pytest.approx(authors, rel=2e-4), f"step {step}"
