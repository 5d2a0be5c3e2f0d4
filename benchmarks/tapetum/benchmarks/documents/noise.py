"""What `tapetum evaluate --noise` recorded: ways of taking noise out, on the same frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tapetum.benchmarks.documents.markdown import MISSING, table
from tapetum.benchmarks.measure.files import Figures, recorded_figures

_HEAD = (
    *("noise", "way", "luma dB", "chroma dB", "SSIM", "moving dB", "static dB"),
    *("temporal noise", "trails", "kB a frame"),
)


def noise_table(results: Path) -> str:
    """The means over all clips of noise.json, for each recording and way."""
    rows: list[Figures] = recorded_figures(results / "noise.json").get("noise", [])
    if not rows:
        return MISSING
    clips = list(dict.fromkeys(row["clip"] for row in rows))
    kinds = dict.fromkeys((row["conditions"], row["way"]) for row in rows)
    cells = [
        [
            *kind,
            *_means([row for row in rows if (row["conditions"], row["way"]) == kind]),
        ]
        for kind in kinds
    ]
    return f"{table(_HEAD, cells)}\n\nMeans of {len(clips)} clips: {', '.join(clips)}."


def _means(rows: Sequence[Figures]) -> list[str]:
    def mean(name: str) -> float:
        return float(np.mean([row[name] for row in rows if row[name] is not None]))

    return [
        *(f"{mean(name):.2f}" for name in ("psnr_db", "chroma_psnr_db")),
        f"{mean('ssim'):.3f}",
        *(f"{mean(name):.2f}" for name in ("moving_psnr_db", "static_psnr_db", "temporal_noise")),
        f"{mean('ghosting'):.1f} %",
        f"{mean('kilobytes'):.1f}",
    ]
