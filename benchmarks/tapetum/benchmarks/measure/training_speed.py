"""How many photos a second a recipe trains on, from the very loop that trains."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from tapetum.gan import train
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.gan.toml_settings import from_tables
from tapetum.gan.training_config import TrainConfig
from tapetum.gan.training_recipes import merge, recipe

_WARM_UP_STEPS = 2


def training_speed(low: Path, normal: Path, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train for some steps and time each, reading the photos included.

    Args:
        low: folder of low-light photos.
        normal: folder of well-lit photos.
        name: the recipe.
        settings: what is set over the recipe; `optimizer.steps` says for how long.

    Returns:
        The settings and the median over the steps after the first two.
    """
    with scratch_folder("bench") as folder:
        own = {"low": str(low), "normal": str(normal), "output": folder, "run": {"report_steps": 1}}
        config = from_tables(TrainConfig, merge(recipe(name), own, settings))
        train(config)
        times = _step_times_s(folder)
    step_s = median(times[_WARM_UP_STEPS:])
    return {
        "recipe": name,
        "settings": {key: value for key, value in settings.items() if key != "vgg_weights"},
        "crop": config.data.crop,
        "batch": config.optimizer.batch,
        "steps": len(times) - _WARM_UP_STEPS,
        "step_s": round(step_s, 3),
        "photos_per_s": round(config.optimizer.batch / step_s, 2),
    }


def _step_times_s(run: Path) -> list[float]:
    """Seconds between the steps of a run that wrote its figures after each."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    written = [event.wall_time for event in events.Scalars("learning_rate")]
    return [after - before for before, after in pairwise(written)]
