"""Says how a training run goes: a progress bar or log lines, and TensorBoard's files."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Self

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from torch.utils.tensorboard.writer import SummaryWriter

from tapetum.gan.generator import Generator
from tapetum.gan.training_config import TrainConfig
from tapetum.gan.training_data import Batch
from tapetum.gan.training_step import Terms

_SHOWN_PICTURES = 4

_log = logging.getLogger(__name__)


class TrainingReport:
    """Reports every step of a run; used as a context manager.

    On a terminal a progress bar shows the time left; elsewhere the log gets a line every
    `report_steps`. TensorBoard's files lie in the run's folder, under `tensorboard`.

    Attributes:
        enabled: False reports nothing, in all processes but the first.
    """

    def __init__(self, config: TrainConfig, first_step: int, steps: int, *, enabled: bool) -> None:
        self.enabled = enabled
        self._config, self._first_step, self._steps = config.run, first_step, steps
        self._folder = config.output / "tensorboard"
        self._sums: dict[str, float] = {}
        self._count = 0
        self._writer: SummaryWriter | None = None
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if self.enabled:
            self._writer = SummaryWriter(str(self._folder), purge_step=self._first_step)
            self._show_bar()
        self._started = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._writer is not None:
            self._writer.close()

    def _show_bar(self) -> None:
        console = Console(stderr=True)
        if not console.is_terminal:
            return
        columns = (
            TextColumn("step"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            # The losses take what is left: shared out, the width hides the count and the bar.
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True)),
        )
        self._bar = Progress(*columns, console=console, expand=True)
        self._task = self._bar.add_task("", total=self._steps, completed=self._first_step)
        self._bar.start()

    def step(
        self, step: int, terms: Terms, rate: float, batch: Batch, generator: Generator
    ) -> None:
        """Note one step.

        Args:
            step: how many are done.
            terms: its loss terms.
            rate: the generator's learning rate.
            batch: what it was trained on.
            generator: what the pictures are enhanced with.
        """
        if self._writer is None:
            return
        if step == self._first_step + 1:
            self._started = time.monotonic()  # the first step waits for workers and warms up
        self._count += 1
        for name, term in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(term)
        if self._bar is not None:
            self._bar.advance(self._task)
        if step % self._config.report_steps == 0 or step == self._steps:
            self._write_means(self._writer, step, rate)
        if step % self._config.picture_steps == 0 or step == self._steps:
            pictures = before_and_after(batch, generator)
            self._writer.add_image("before, after", pictures, step)

    def score(self, step: int, niqe: float | None) -> None:
        """Note how the held-out photos look; None where there are none."""
        if self._writer is not None and niqe is not None:
            self._writer.add_scalar("held_out/niqe", niqe, step)

    def _write_means(self, writer: SummaryWriter, step: int, rate: float) -> None:
        means = {name: total / self._count for name, total in self._sums.items()}
        for name, mean in means.items():
            writer.add_scalar(f"loss/{name}", mean, step)
        writer.add_scalar("learning_rate", rate, step)
        self._sums, self._count = {}, 0
        listed = " ".join(f"{name} {mean:.4f}" for name, mean in means.items())
        if self._bar is not None:
            self._bar.update(self._task, description=listed)
            return
        _log.info("step %d of %d%s: %s", step, self._steps, self._pace(step), listed)

    def _pace(self, step: int) -> str:
        timed = step - self._first_step - 1
        if timed == 0:
            return ""
        pace_s = (time.monotonic() - self._started) / timed
        return f", {pace_s:.2f} s a step, {pace_s * (self._steps - step):.0f} s left"


def before_and_after(batch: Batch, generator: Generator) -> torch.Tensor:
    """Inputs in the upper row and what is made of them in the lower, (3, H, W) in [0, 1]."""
    before = batch["low_input" if "low_input" in batch else "dark"][:_SHOWN_PICTURES]
    with torch.no_grad():
        after = generator(before)
    rows = [torch.cat(tuple(pictures), dim=2) for pictures in (before, after)]
    return ((torch.cat(rows, dim=1) + 1) / 2).clamp(0, 1).float().cpu()
