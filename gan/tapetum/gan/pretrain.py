"""Trains the grid generator on well-lit photos and their artificially darkened twins.

    python -m tapetum.gan.pretrain PHOTO_FOLDER OUTPUT_FOLDER

The run can be stopped at any time and goes on from its last checkpoint when it is started again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tapetum.gan import supervision
from tapetum.gan.bilateral_grid import apply_grid
from tapetum.gan.checkpoint import save_generator
from tapetum.gan.color import BT601, BT709, rgb_to_yuv, yuv_to_rgb
from tapetum.gan.darken import darken
from tapetum.gan.grid import THUMBNAIL, GridGenerator
from tapetum.gan.photos import load_photos, random_batches

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PretrainConfig:
    """How to pretrain.

    Attributes:
        steps: optimiser steps.
        batch: synthetic pairs a step.
        learning_rate: peak of a one-cycle schedule of Adam.
        ema_decay: share of the average that each step keeps.
        checkpoint_steps: steps between checkpoints.
        seed: of all randomness.
        threads: CPU threads.
    """

    steps: int = 6500
    batch: int = 16
    learning_rate: float = 2e-3
    ema_decay: float = 0.998
    checkpoint_steps: int = 250
    seed: int = 1
    threads: int = 2


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term of the total loss."""

    pixel: float = 1.0
    illumination: float = 1.0
    contrast: float = 1.0
    roughness: float = 0.05
    reversed_tones: float = 2.0


def _enhance(
    grid: torch.Tensor, unit: torch.Tensor, luma_weights: tuple[float, float]
) -> torch.Tensor:
    """Apply a grid to RGB in [0, 1] in the YUV of the given matrix."""
    return yuv_to_rgb(*apply_grid(grid, *rgb_to_yuv(unit, luma_weights)), luma_weights)


def loss_terms(
    generator: GridGenerator, dark: torch.Tensor, target: torch.Tensor, step: int
) -> dict[str, torch.Tensor]:
    """All terms, by name, for pairs of pictures, (N, 3, 256, 256) in [0, 1]."""
    grid = generator.predict(dark)
    # The matrix alternates: a grid is applied in whichever the video has.
    matrix = BT601 if step % 2 else BT709
    # Half the resolution says the same of light and colour, in a quarter of the time.
    dark, target = F.avg_pool2d(dark, 2), F.avg_pool2d(target, 2)
    output = _enhance(grid, dark, matrix)
    return {
        "pixel": supervision.charbonnier(output, target),
        "illumination": supervision.illumination_error(output, target),
        "contrast": supervision.contrast_error(output, target),
        "roughness": supervision.roughness(grid),
        "reversed_tones": supervision.reversed_tones(grid),
    }


def total_loss(terms: dict[str, torch.Tensor], weights: LossWeights) -> torch.Tensor:
    """Weighted sum of the terms."""
    factors: dict[str, float] = asdict(weights)
    return torch.stack([factors[name] * term for name, term in terms.items()]).sum()


@dataclass
class PretrainState:
    """Everything that a run needs to go on: a checkpoint is this object's `state_dict`."""

    generator: GridGenerator
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    step: int = 0

    @classmethod
    def create(cls, config: PretrainConfig) -> PretrainState:
        """A fresh run."""
        torch.manual_seed(config.seed)
        generator = GridGenerator().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        ema = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
        average = AveragedModel(generator, multi_avg_fn=ema, use_buffers=True)
        optimizer = torch.optim.Adam(generator.parameters(), lr=config.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, config.learning_rate, config.steps, pct_start=0.1
        )
        return cls(generator, average, optimizer, schedule)

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        parts = ("generator", "average", "optimizer", "schedule")
        state: dict[str, Any] = {name: getattr(self, name).state_dict() for name in parts}
        unfinished = path.with_suffix(".part")
        torch.save({**state, "step": self.step}, unfinished)
        unfinished.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True)
        for name in ("generator", "average", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]


def _unit_batches(folder: Path, batch: int, seed: int) -> Iterator[torch.Tensor]:
    photos = load_photos(folder)
    rng = np.random.default_rng(seed)
    for pictures in random_batches(photos, batch, THUMBNAIL, rng):
        yield torch.from_numpy(pictures).float() / 255


def train_step(state: PretrainState, terms: dict[str, torch.Tensor], weights: LossWeights) -> None:
    """One optimiser step on the total loss."""
    state.optimizer.zero_grad()
    total_loss(terms, weights).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.generator.parameters(), 1.0)
    state.optimizer.step()
    state.schedule.step()
    state.average.update_parameters(state.generator)
    state.step += 1


def pretrain(photos: Path, output: Path, config: PretrainConfig) -> GridGenerator:
    """Train, or go on training, and return the averaged generator.

    Args:
        photos: folder of well-lit photos.
        output: folder for `checkpoint.pt`.
        config: how.

    Raises:
        DataError: a folder cannot be used.
    """
    torch.set_num_threads(config.threads)
    output.mkdir(parents=True, exist_ok=True)
    state, checkpoint = PretrainState.create(config), output / "checkpoint.pt"
    if checkpoint.exists():
        state.restore(checkpoint)
    seed = config.seed + state.step
    randomness = torch.Generator().manual_seed(seed)
    batches = _unit_batches(photos, config.batch, seed)
    weights, started = LossWeights(), time.monotonic()
    while state.step < config.steps:
        terms = loss_terms(state.generator, *darken(next(batches), randomness), state.step)
        train_step(state, terms, weights)
        if state.step % config.checkpoint_steps == 0:
            state.save(checkpoint)
            listed = " ".join(f"{name} {term.item():.4f}" for name, term in terms.items())
            _log.info("step %d %.0f s %s", state.step, time.monotonic() - started, listed)
    return cast(GridGenerator, state.average.module)


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of well-lit photos.")],
    output: Annotated[Path, typer.Argument(help="Folder for the checkpoint and the weights.")],
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = PretrainConfig.steps,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = PretrainConfig.threads,
) -> None:
    """Pretrain the grid generator; writes OUTPUT/grid.safetensors."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    generator = pretrain(photos, output, PretrainConfig(steps=steps, threads=threads))
    save_generator(generator, output / "grid.safetensors")


if __name__ == "__main__":
    typer.run(main)
