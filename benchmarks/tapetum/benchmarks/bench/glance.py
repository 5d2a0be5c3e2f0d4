"""What a run says at a glance: a row for each model and size, and a headline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tapetum.benchmarks.bench.result import frames_per_s
from tapetum.benchmarks.bench.subjects import EMPTY
from tapetum.benchmarks.measure.frames import RATE_FPS, SYNTHETIC

HEAD = (
    "model",
    "size",
    "frames a second",
    "milliseconds a frame",
    "of a core, at 30 frames a second",
    "a file, against real time",
)


@dataclass
class Glance:
    """One subject at one size; None is not measured.

    Attributes:
        subject: `grid` and so on.
        size: like "1280x720".
        fps: enhancing alone, one frame after another.
        ms: median of a frame.
        core_percent: what a camera of 30 frames a second takes of one core.
        file_speed: play time of a file over the time it takes, codecs included.
    """

    subject: str
    size: str
    fps: float | None = None
    ms: float | None = None
    core_percent: float | None = None
    file_speed: float | None = None

    def cells(self, missing: str = "") -> list[str]:
        """Under `HEAD`."""
        values = (
            (self.fps, "{:.0f}"),
            (self.ms, "{:.3g}"),
            (self.core_percent, "{:.0f} %"),
            (self.file_speed, "{:.2g} times"),
        )
        texts = (missing if value is None else form.format(value) for value, form in values)
        return [self.subject, self.size, *texts]


def glances(results: Iterable[Mapping[str, Any]]) -> list[Glance]:
    """A row for each subject and size, from the first result that has each figure."""
    found: dict[tuple[str, str], Glance] = {}
    for result in results:
        if result["subject"] != EMPTY:
            key = result["subject"], result["size"]
            _add(found.setdefault(key, Glance(*key)), result)
    return [each for each in found.values() if each.fps or each.file_speed]


def _add(glance: Glance, result: Mapping[str, Any]) -> None:
    scenario, figures = result["scenario"], result["figures"]
    if scenario == "single-stream" and glance.ms is None:
        glance.ms, glance.fps = result["latency_ms"]["p50"], frames_per_s(result)
    if scenario == "paced 30 fps" and glance.core_percent is None and result["resources"]:
        glance.core_percent = result["resources"]["cpu_percent"]
    if scenario == "offline" and glance.file_speed is None:
        own_fps = RATE_FPS if result["input"] == SYNTHETIC else None
        rate_fps = figures.get("clip_fps", own_fps)
        glance.file_speed = figures["frames_per_s"] / rate_fps if rate_fps else None


def headline(run: Mapping[str, Any]) -> str:
    """A sentence for each row of a run, and what it was measured on."""
    machine = run["machine"]
    rows = glances(run["results"])
    said = "; ".join(_sentence(each) for each in rows)
    where = f"on {machine['cores']} cores of {machine['cpu']}"
    return f"{said}, {where}." if said else f"Measured {where}."


def _sentence(glance: Glance) -> str:
    figures = (
        (glance.fps, "{:.0f} frames a second"),
        (glance.ms, "{:.3g} ms a frame"),
        (glance.core_percent, "a camera of 30 takes {:.0f} % of a core"),
        (glance.file_speed, "a file is done at {:.2g} times its speed"),
    )
    said = (form.format(value) for value, form in figures if value is not None)
    return f"{glance.subject} at {glance.size}: {', '.join(said)}"
