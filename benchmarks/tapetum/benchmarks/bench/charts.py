"""Charts of results by matplotlib, without its global state: a `Figure` each."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

Result = dict[str, Any]
"""One result as `schema.json` describes it."""

_STYLE: Any = {
    "svg.hashsalt": "tapetum",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
}
_BESIDE: Any = {"fontsize": 7, "loc": "center left", "bbox_to_anchor": (1, 0.5)}
"""Where a legend covers nothing."""


def charts(results: Sequence[Result]) -> dict[str, Figure]:
    """Every chart that the results have figures for, by a name that is fit for a file."""
    found: dict[str, Figure] = {}
    for scenario in dict.fromkeys(result["scenario"] for result in results):
        some = [result for result in results if result["scenario"] == scenario]
        found[f"distribution-{_file_name(scenario)}"] = distribution_chart(some)
    staged = [result for result in results if result["stages"]]
    if staged:
        found["stages"] = stage_chart(staged)
    judged = [result for result in results if "psnr_db" in result["figures"]]
    if judged:
        found["quality"] = quality_chart(judged)
    return found


def distribution_chart(results: Sequence[Result]) -> Figure:
    """Share of samples at or under each time: one step line a result, on a logarithmic axis."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        axes = figure.subplots()
        for result in results:
            values = np.sort(np.concatenate(result["samples_ms"]))
            share = np.arange(1, values.size + 1) / values.size * 100
            axes.step(values, share, where="post", label=f"{result['subject']} {result['size']}")
        axes.set_xscale("log")
        axes.set_xlabel(f"{results[0]['measure']}, ms")
        axes.set_ylabel("samples, %")
        axes.set_title(results[0]["scenario"], loc="left")
        axes.legend(frameon=False, **_BESIDE)
    return figure


def stage_chart(results: Sequence[Result]) -> Figure:
    """Mean time of each stage, one after the other, above a mark for the whole."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(8, 0.8 + 0.7 * len(results)), layout="constrained")
        all_axes = figure.subplots(len(results), 1, squeeze=False)
        for axes, result in zip(all_axes.ravel(), results, strict=True):
            _draw_stages(axes, result)
        all_axes[-1, 0].set_xlabel("ms; the line marks the whole")
    return figure


def _draw_stages(axes: Any, result: Result) -> None:  # noqa: ANN401 - an Axes, loosely typed
    left = 0.0
    for name, part in result["stages"]["parts"].items():
        axes.barh(0, part["mean"], left=left, label=name)
        left += part["mean"]
    axes.axvline(result["stages"]["end_to_end_mean_ms"], color="black", linewidth=1)
    axes.set_yticks([])
    title = f"{result['scenario']}, {result['subject']}, {result['size']}"
    axes.set_title(title, loc="left", fontsize=8)
    axes.legend(frameon=False, **_BESIDE)


def quality_chart(results: Sequence[Result]) -> Figure:
    """PSNR against the median latency; up and left is better."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        axes = figure.subplots()
        for result in results:
            place = result["latency_ms"]["p50"], result["figures"]["psnr_db"]
            axes.plot(*place, "o", label=f"{result['subject']} {result['size']}")
        axes.legend(frameon=False, **_BESIDE)
        axes.set_xscale("log")
        axes.set_xlabel("median latency, ms")
        axes.set_ylabel("PSNR, dB")
    return figure


def svg(figure: Figure) -> bytes:
    """A figure as SVG, the same bytes every time."""
    with rc_context(_STYLE):
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def write_charts(figures: Iterable[tuple[str, Figure]], folder: Path) -> None:
    """Write each figure as SVG and as PNG.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures:
        (folder / f"{name}.svg").write_bytes(svg(figure))
        figure.savefig(folder / f"{name}.png", dpi=150)


def _file_name(text: str) -> str:
    return "-".join(text.split())
