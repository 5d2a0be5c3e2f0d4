"""What the GPU path is to reach, and how far a card's figures are from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tapetum.benchmarks.gpu.card_figures import Card, figures, row, rows

_1080P, _4K = "1920x1080", "3840x2160"
_TENSORRT = ("tensorrt", "tensorrt-rtx")


@dataclass(frozen=True)
class Target:
    """A bound, and the figure of a card that is held to it.

    Attributes:
        label: what is bounded.
        limit: the value that just meets it.
        unit: of both.
        figure: the card's value; None where what it takes was not measured.
        at_least: whether more is better.
    """

    label: str
    limit: float
    unit: str
    figure: Callable[[Card], float | None]
    at_least: bool = False

    @property
    def goal(self) -> str:
        """The bound in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g} {self.unit}"

    def cell(self, card: Card) -> str | None:
        """The card's value, and whether it meets the bound."""
        value = self.figure(card)
        if value is None:
            return None
        met = value >= self.limit if self.at_least else value <= self.limit
        return f"{value:.4g}, {'met' if met else 'missed'}"


def slowest_kernel_percent(card: Card) -> float | None:
    """Bandwidth of the slowest pixel kernel on 4K NV12, in percent of the copy's."""
    ceilings, found = figures(card, "ceilings"), rows(card, "kernels", format="nv12", size=_4K)
    if ceilings is None or not found:
        return None
    slowest = min(float(kernel["bytes_per_s"]) for kernel in found)
    return 100 * slowest / float(ceilings["copy_bytes_per_s"])


def unet_over_floor(card: Card) -> float | None:
    """The better TensorRT's `unet` at 1080p over its floor."""
    best = _best_tensorrt(card)
    return None if best is None else float(best["p50_ms"] / best["floor_ms"])


def unet_over_compile(card: Card) -> float | None:
    """The better TensorRT's `unet` at 1080p over torch.compile's."""
    best = _best_tensorrt(card)
    compiled = row(card, "networks", network="unet", size=_1080P, backend="torch-compile")
    if best is None or compiled is None or "error" in compiled:
        return None
    return float(best["p50_ms"] / compiled["p50_ms"])


def _best_tensorrt(card: Card) -> dict[str, Any] | None:
    found = rows(card, "networks", network="unet", size=_1080P)
    ran = [each for each in found if each["backend"] in _TENSORRT and "error" not in each]
    return min(ran, key=lambda each: float(each["p50_ms"]), default=None)


def beyond_engine_percent(card: Card, pipeline: dict[str, Any]) -> float | None:
    """The enhancer's time on the GPU beyond its engine's own, in percent of the engine's.

    None where the engine that ran in the pipeline was not measured by itself.
    """
    network = pipeline["network"]
    size = pipeline["size"] if network == "unet" else "any"
    for engine in rows(card, "networks", network=network, size=size):
        if pipeline["runs_on"] == f"{network} on {engine.get('runs_on')}":
            return float(100 * (pipeline["device_ms"] / engine["p50_ms"] - 1))
    return None


def _unet_beyond_engine(card: Card) -> float | None:
    pipeline = row(card, "pipeline", network="unet", size=_1080P)
    return None if pipeline is None else beyond_engine_percent(card, pipeline)


def _grid_fps(card: Card) -> float | None:
    pipeline = row(card, "pipeline", network="grid", size=_4K)
    return None if pipeline is None else 1000 / float(pipeline["frame_ms"])


def _unet_memory_mb(card: Card) -> float | None:
    pipeline = row(card, "pipeline", network="unet", size=_1080P)
    return None if pipeline is None else float(pipeline["memory_mb"])


TARGETS = (
    Target(
        "kernels on 4K NV12, the slowest",
        80,
        "% of the copy",
        slowest_kernel_percent,
        at_least=True,
    ),
    Target("`unet` at 1080p, TensorRT", 3, "times the floor", unet_over_floor),
    Target("`unet` at 1080p, TensorRT", 1, "times torch.compile", unet_over_compile),
    Target("`unet` at 1080p, time beyond the engine", 10, "% of it", _unet_beyond_engine),
    Target("`grid` at 4K, frames in GPU memory", 1000, "fps", _grid_fps, at_least=True),
    Target("`unet` at 1080p, memory of a stream", 2048, "MB", _unet_memory_mb),
)
