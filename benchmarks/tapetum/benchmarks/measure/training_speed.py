"""How many photos a second a recipe trains on, from the very loop that trains, and what limits it.

The limit is that of the arithmetic: the operations of a step's convolutions and products, counted,
at the rate at which this machine multiplies large matrices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from tapetum.gan import train
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.gan.toml_settings import from_tables
from tapetum.gan.training_config import TrainConfig
from tapetum.gan.training_recipes import merge, recipe

_WARM_UP_STEPS = 2
_MATRIX = 2048
_PRODUCTS = 6
_SLOWEST = 6
"""So many operations are named that take the most of a step."""


def training_speed(low: Path, normal: Path, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train for some steps and time each, reading the photos included.

    Args:
        low: folder of low-light photos.
        normal: folder of well-lit photos.
        name: the recipe.
        settings: what is set over the recipe; `optimizer.steps` says for how long.

    Returns:
        The settings, the median over the steps after the first two, what the machine's arithmetic
        alone would take, and which operations take the most.
    """
    own = {"low": str(low), "normal": str(normal), "run": {"report_steps": 1}}
    layers = recipe(name), own, settings

    def run(steps: int | None = None) -> tuple[TrainConfig, list[float]]:
        with scratch_folder("bench") as folder:
            wanted = {} if steps is None else {"optimizer": {"steps": steps}}
            config = from_tables(TrainConfig, merge(*layers, {"output": folder}, wanted))
            train(config)
            return config, _step_times_s(folder)

    config, times = run()
    batch, step_s = config.optimizer.batch, median(times[_WARM_UP_STEPS:])
    limit_s = operations(lambda: run(1)) / arithmetic_limit(config.run.precision)
    return {
        "recipe": name,
        "settings": {key: value for key, value in settings.items() if key != "vgg_weights"},
        "crop": config.data.crop,
        "batch": batch,
        "steps": len(times) - _WARM_UP_STEPS,
        "step_s": round(step_s, 3),
        "photos_per_s": round(batch / step_s, 2),
        "limit_photos_per_s": round(batch / limit_s, 2),
        "share_of_limit": round(limit_s / step_s, 3),
        "slowest_operations": _slowest(lambda: run(3)),
    }


def arithmetic_limit(precision: str) -> float:
    """Operations a second, those of a product of large matrices, in the faster of two precisions.

    Args:
        precision: `fp32`, or what is mixed with it: `bf16` or `fp16`.
    """
    mixed = {"bf16": torch.bfloat16, "fp16": torch.float16}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return max(
        _products_a_second(device, kind) for kind in (torch.float32, mixed.get(precision)) if kind
    )


def _products_a_second(device: torch.device, kind: torch.dtype) -> float:
    factor = torch.rand(_MATRIX, _MATRIX, device=device).to(kind)
    times = []
    for _ in range(_PRODUCTS):
        started = time.perf_counter()
        (factor @ factor)[0, 0].item()
        times.append(time.perf_counter() - started)
    return 2 * _MATRIX**3 / min(times)


def operations(step: Callable[[], object]) -> int:
    """Multiplications and additions of products and convolutions, backwards too."""
    with FlopCounterMode(display=False) as counter:
        step()
    total: int = counter.get_total_flops()
    return total


def _slowest(steps: Callable[[], object]) -> dict[str, float]:
    """The operations that take the most time, with their share of all operations' time."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        steps()
    operations = [each for each in profiled.key_averages() if each.key.startswith("aten::")]
    total_us = sum(each.self_cpu_time_total for each in operations)
    operations.sort(key=lambda each: -each.self_cpu_time_total)
    return {
        each.key.removeprefix("aten::"): round(each.self_cpu_time_total / total_us, 3)
        for each in operations[:_SLOWEST]
    }


def _step_times_s(run: Path) -> list[float]:
    """Seconds between the steps of a run that wrote its figures after each."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    written = [event.wall_time for event in events.Scalars("learning_rate")]
    return [after - before for before, after in pairwise(written)]
