"""Writes the tables of docs/gpu.md from the files gpu-*.json: a column for each card.

Rows are what is to be known, whether or not anyone has measured it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from tapetum.benchmarks.documents.markdown import MISSING, around_figures
from tapetum.benchmarks.gpu.card import read_result
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.whole_file import write_whole

Card = Mapping[str, Any]
"""A card's file, as `result_file` reads it."""

Cell = Callable[[Card], str | None]
"""A card's text in a row; None where it was not measured."""

_SIZES = ("640x360", "1280x720", "1920x1080", "3840x2160")
_LARGE = _SIZES[2:]
_BACKENDS = ("pytorch-eager", "torch-compile", "pytorch-cuda-graph", "tensorrt", "tensorrt-rtx")


class Row(NamedTuple):
    """What is known of every card."""

    label: str
    cell: Cell


def write_tables(results: Path, document: Path) -> None:
    """Replace what lies between the two marks of a document.

    Raises:
        BenchmarkError: the document lacks the marks, or a file cannot be read or written.
    """
    before, after = around_figures(document)
    write_whole(document, f"{before}{tables(results)}{after}", error=BenchmarkError)


def tables(results: Path) -> str:
    """All figures of a folder as Markdown."""
    cards = [read_result(path) for path in sorted(results.glob("gpu-*.json"))]
    subjects: tuple[tuple[str, Iterable[Row]], ...] = (
        ("Cards", _card_rows()),
        ("Targets", [Row(f"{target.label}: {target.goal}", target.cell) for target in TARGETS]),
        ("What the cards can do at best", _ceiling_rows()),
        ("Kernels: time, and share of it that the floor takes", _kernel_rows()),
        ("Networks: median, p99, and times the floor", _network_rows()),
        ("The pipeline, file to GPU memory", _pipeline_rows()),
        ("Codecs: frames a second", _codec_rows()),
        ("Training", [Row("`unet`, batch 32, crops of 320, bf16, compiled", _training)]),
    )
    return "\n\n".join(f"### {title}\n\n{_table(rows, cards)}" for title, rows in subjects)


def _table(rows: Iterable[Row], cards: Sequence[Card]) -> str:
    names = [card["gpu"]["name"] for card in cards] or ["figure"]
    lines = [["what", *names], ["---"] * (1 + len(names))]
    for label, cell in rows:
        cells = [cell(card) or MISSING for card in cards] or [MISSING]
        lines.append([label, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# Cards and ceilings ---------------------------------------------------------------------------


def _card_rows() -> list[Row]:
    return [
        Row("compute capability", lambda card: str(card["gpu"]["compute_capability"])),
        Row("memory", lambda card: f"{card['gpu']['memory_mb'] / 1024:.0f} GiB"),
        Row("driver, and the newest CUDA that it serves", _driver),
        Row("measured", _days),
        Row("libraries", _libraries),
    ]


def _driver(card: Card) -> str:
    return f"{card['gpu']['driver']}, {card['gpu']['driver_cuda']}"


def _days(card: Card) -> str | None:
    return ", ".join(sorted({part["measured"][:10] for part in card["parts"].values()})) or None


def _libraries(card: Card) -> str | None:
    used = {
        f"{name} {version}"
        for part in card["parts"].values()
        for name, version in part["libraries"].items()
    }
    return ", ".join(sorted(used)) or None


def _ceiling_rows() -> list[Row]:
    return [
        Row("a copy within its memory, read plus written", _copy),
        Row("an 8192x8192 fp16 matrix product", _product),
    ]


def _copy(card: Card) -> str | None:
    ceilings = figures(card, "ceilings")
    return ceilings and f"{ceilings['copy_bytes_per_s'] / 1e12:.3g} TB/s"


def _product(card: Card) -> str | None:
    ceilings = figures(card, "ceilings")
    return ceilings and f"{ceilings['fp16_flops_per_s'] / 1e12:.3g} TFLOP/s"


# Kernels and networks -------------------------------------------------------------------------


def _kernel_rows() -> list[Row]:
    kernels = ("planes_to_rgb", "change_to_planes", "thumbnail", "apply_grid", "restore")
    return [
        Row(f"`{kernel}`, {name}, {size}", _kernel(kernel, name, size))
        for kernel, name, size in product(kernels, ("nv12", "p010le"), _LARGE)
    ]


def _kernel(kernel: str, format_name: str, size: str) -> Cell:
    def cell(card: Card) -> str | None:
        found = row(card, "kernels", kernel=kernel, format=format_name, size=size)
        if found is None:
            return None
        ceilings = figures(card, "ceilings")
        share = ceilings and f", {floor_percent(found, ceilings):.0f} %"
        return f"{1000 * found['p50_ms']:.3g} us{share or ''}"

    return cell


def _network_rows() -> list[Row]:
    of_unet = [
        Row(f"`unet`, {size}, {backend}", _network("unet", size, backend))
        for size, backend in product(_SIZES, _BACKENDS)
    ]
    of_grid = [Row(f"`grid`, {backend}", _network("grid", "any", backend)) for backend in _BACKENDS]
    return [*of_unet, *of_grid]


def _network(network: str, size: str, backend: str) -> Cell:
    def cell(card: Card) -> str | None:
        found = row(card, "networks", network=network, size=size, backend=backend)
        if found is None:
            return None
        if "error" in found:
            return f"no figure: {found['error']}"
        times = found["p50_ms"] / found["floor_ms"]
        p99 = "not enough samples" if found["p99_ms"] is None else f"{found['p99_ms']:.4g} ms"
        return f"{found['p50_ms']:.4g} ms, {p99}, {times:.3g}x"

    return cell


# Pipeline, codecs, training -------------------------------------------------------------------


def _pipeline_rows() -> list[Row]:
    return [
        Row(f"`{network}`, {size}", _pipeline(network, size))
        for network, size in product(("grid", "unet"), _SIZES)
    ]


def _pipeline(network: str, size: str) -> Cell:
    def cell(card: Card) -> str | None:
        found = row(card, "pipeline", network=network, size=size)
        if found is None:
            return None
        beyond = beyond_engine_percent(card, found)
        more = "" if beyond is None else f", {beyond:.0f} % of it beyond the engine"
        return (
            f"{found['fps']:.4g} fps; decoding {found['decode_ms']:.3g} ms, enhancing"
            f" {found['device_ms']:.3g} ms{more}"
        )

    return cell


def _codec_rows() -> list[Row]:
    units = (("decode", "NVDEC"), ("decode", "CPU"), ("encode", "NVENC"), ("encode", "CPU"))
    return [
        Row(f"{direction} {codec}, {size}, {unit}", _codec(direction, codec, size, unit))
        for (direction, unit), codec, size in product(units, ("h264", "hevc", "av1"), _LARGE)
    ]


def _codec(direction: str, codec: str, size: str, unit: str) -> Cell:
    def cell(card: Card) -> str | None:
        found = row(card, "codecs", direction=direction, codec=codec, size=size, unit=unit)
        if found is None:
            return None
        return f"no figure: {found['error']}" if "error" in found else f"{found['fps']:.4g}"

    return cell


def _training(card: Card) -> str | None:
    trained = figures(card, "training")
    return trained and f"{trained['photos_per_s']:.4g} photos/s, {trained['step_s']:.3g} s a step"


def figures(card: Card, part: str) -> Any:  # noqa: ANN401 - JSON
    """The figures of a part; None where it was not measured."""
    return card["parts"][part]["figures"] if part in card["parts"] else None


def rows(card: Card, part: str, **wanted: str) -> list[dict[str, Any]]:
    """The rows of a part that have these values."""
    return [
        row
        for row in figures(card, part) or ()
        if all(row[name] == value for name, value in wanted.items())
    ]


def row(card: Card, part: str, **wanted: str) -> dict[str, Any] | None:
    """The row of a part that has these values; None where there is none."""
    found = rows(card, part, **wanted)
    return found[0] if found else None


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


def floor_percent(kernel: dict[str, Any], ceilings: dict[str, Any]) -> float:
    """How much of a kernel's time its floor takes: its bytes or its instructions, if they are more.

    A matrix product in single precision does two operations an instruction.
    """
    floor_s = float(kernel["moved_bytes"]) / float(ceilings["copy_bytes_per_s"])
    if "fp32_flops_per_s" in ceilings:
        instructions_per_s = float(ceilings["fp32_flops_per_s"]) / 2
        floor_s = max(floor_s, kernel.get("instructions", 0) / instructions_per_s)
    return 100 * floor_s / (float(kernel["p50_ms"]) / 1000)


def slowest_kernel_percent(card: Card) -> float | None:
    """Percent of its time that the floor takes of the pixel kernel farthest from it, on 4K NV12."""
    ceilings, found = figures(card, "ceilings"), rows(card, "kernels", format="nv12", size=_4K)
    if ceilings is None or not found:
        return None
    return min(floor_percent(kernel, ceilings) for kernel in found)


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
        "% of the time is the floor",
        slowest_kernel_percent,
        at_least=True,
    ),
    Target("`unet` at 1080p, TensorRT", 3, "times the floor", unet_over_floor),
    Target("`unet` at 1080p, TensorRT", 1, "times torch.compile", unet_over_compile),
    Target("`unet` at 1080p, time beyond the engine", 10, "% of it", _unet_beyond_engine),
    Target("`grid` at 4K, frames in GPU memory", 1000, "fps", _grid_fps, at_least=True),
    Target("`unet` at 1080p, memory of a stream", 2048, "MB", _unet_memory_mb),
)
