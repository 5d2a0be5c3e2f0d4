"""Measures a model on folders of photos and on clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from tapetum.benchmarks.evaluate.clips import ClipScore, score_clip
from tapetum.benchmarks.evaluate.photos import (
    Enhance,
    Outcome,
    SetScore,
    find_pairs,
    outcomes,
    score,
    summary,
)
from tapetum.gan.photos import Photo
from tapetum.realtime import Enhancer, make_enhancer
from tapetum.realtime.choices import Denoise

INPUT = "input"
"""The model that leaves everything as it is."""

Progress = Callable[[str, int, int], None]
"""Told what is measured, how many are done, and of how many."""


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of a model, and some pictures to look at."""

    model: str
    photos: tuple[SetScore, ...]
    clips: tuple[ClipScore, ...]
    shown: tuple[Outcome, ...]


@dataclass(frozen=True)
class PhotoSet:
    """A folder of dark photos, and one of their references under the same names, or None."""

    folder: Path
    references: Path | None = None


def evaluate(
    model: str,
    photo_sets: Iterable[PhotoSet],
    clips: Iterable[Path],
    *,
    denoise: Denoise = "auto",
    on_progress: Progress = lambda *_: None,
    shown_per_set: int = 12,
) -> Evaluation:
    """Measure a model.

    Args:
        model: `grid`, `unet`, a model file, or `input` for the photos themselves.
        photo_sets: what to measure PSNR, SSIM, NIQE, hue, saturation and what is kept on.
        clips: what to measure flicker and warped error on.
        denoise: how much noise a `grid` model takes out first.
        on_progress: called after each photo and clip.
        shown_per_set: outcomes of each set that are kept to look at.

    Raises:
        ModelError: there is no such model, or its file cannot be used.
        DataError: a folder cannot be used.
        BenchmarkError: a clip is too short.
        MediaError: a clip cannot be read.
    """
    enhance, shown, scores = enhancement(model, denoise), list[Outcome](), list[SetScore]()
    # All are found before the first is measured, which may take long.
    found = [(each.folder, find_pairs(each.folder, each.references)) for each in photo_sets]
    for folder, pairs in found:
        figures = []
        for outcome in outcomes(pairs, enhance):
            figures.append(score(outcome))
            if len(figures) <= shown_per_set:
                shown.append(outcome)
            on_progress(folder.resolve().name, len(figures), len(pairs))
        scores.append(summary(folder, tuple(figures)))
    steady = tuple(_clip_scores(model, list(clips), denoise, on_progress))
    return Evaluation(model, tuple(scores), steady, tuple(shown))


def enhancement(model: str, denoise: Denoise = "auto") -> Enhance:
    """What a model makes of a photo.

    Raises:
        ModelError: there is no such model, or its file cannot be used.
    """
    if model == INPUT:
        return lambda photo: photo
    enhancer = Enhancer(model, denoise=denoise)

    def enhance(photo: Photo) -> Photo:
        enhancer.reset()
        return enhancer(photo)

    return enhance


def _clip_scores(
    model: str, clips: list[Path], denoise: Denoise, on_progress: Progress
) -> list[ClipScore]:
    strength = 0.0 if model == INPUT else 1.0
    scores = []
    for clip in clips:
        enhancer = make_enhancer(
            "grid" if model == INPUT else model, strength=strength, denoise=denoise
        )
        scores.append(score_clip(clip, enhancer))
        on_progress("clips", len(scores), len(clips))
    return scores


def photo_table(scores: Iterable[SetScore]) -> Table:
    """Means over folders."""
    names = ("PSNR dB", "SSIM", "NIQE", "hue", "saturation", "kept dB (worst)")
    table = Table("photos", "count", *names)
    for row in scores:
        figures = (row.psnr_db, row.ssim, row.niqe, row.hue_degrees, row.saturation)
        kept = f"{row.kept_db:.1f} ({row.least_kept_db:.1f})"
        texts = (_text(figure) for figure in figures)
        table.add_row(Text(row.folder), str(row.count), *texts, kept)
    return table


def clip_table(scores: Iterable[ClipScore]) -> Table:
    """Figures of clips, before and after."""
    table = Table("clip", "frames", "mean luma", "flicker", "warped error (1e-3)")
    for row in scores:
        pairs = (row.mean_luma, row.flicker, row.warped_error)
        table.add_row(Text(row.clip), str(row.frames), *(f"{a} -> {b}" for a, b in pairs))
    return table


def _text(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3f}"
