"""Measures a model on folders of photos and on clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from tapetum.benchmarks.evaluate.clips import ClipScore, score_clip
from tapetum.benchmarks.evaluate.motion_scores import MotionScore, score_motions
from tapetum.benchmarks.evaluate.photos import (
    Enhance,
    Outcome,
    PhotoScore,
    SetScore,
    find_pairs,
    outcomes,
    score,
    summary,
)
from tapetum.benchmarks.evaluate.restoring import RestoringScore, score_restoring
from tapetum.gan.photos import Photo, read_photo
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.realtime import make_enhancer
from tapetum.realtime.choices import Denoise
from tapetum.realtime.enhance_photo import enhance_photo

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
    shown: tuple[tuple[Outcome, PhotoScore], ...]
    noisy: tuple[RestoringScore, ...] = ()
    motions: tuple[MotionScore, ...] = ()


@dataclass(frozen=True)
class PhotoSet:
    """A folder of dark photos, and one of their references under the same names, or None."""

    folder: Path
    references: Path | None = None


def evaluate(
    model: str,
    photo_sets: Iterable[PhotoSet],
    clips: Iterable[Path],
    noisy: Iterable[Path] = (),
    moved: Iterable[Path] = (),
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
        noisy: well-lit clips on which to compare what takes noise out, see `restoring`.
        moved: folders of well-lit photos that are moved, see `motion_scores`.
        denoise: how much noise a `grid` model takes out first, as `enhance` takes it.
        on_progress: called after each photo and clip.
        shown_per_set: outcomes of each set that are kept to look at.

    Raises:
        ModelError: there is no such model, or its file cannot be used.
        DataError: a folder cannot be used.
        BenchmarkError: a clip is too short, or there is no ffmpeg program to compare with.
        MediaError: a photo or clip cannot be read.
    """
    shown, scores = list[tuple[Outcome, PhotoScore]](), list[SetScore]()
    # All are found before the first is measured, which may take long.
    found = [(each.folder, find_pairs(each.folder, each.references)) for each in photo_sets]
    with enhancement(model, denoise) as enhance:
        for folder, pairs in found:
            figures = []
            for outcome in outcomes(pairs, enhance):
                figures.append(score(outcome))
                if len(figures) <= shown_per_set:
                    shown.append((outcome, figures[-1]))
                on_progress(folder.resolve().name, len(figures), len(pairs))
            scores.append(summary(folder, tuple(figures)))
    steady = tuple(_clip_scores(model, list(clips), denoise, on_progress))
    restored = [row for clip in noisy for row in score_restoring(clip, model, on_progress)]
    motions = [row for folder in moved for row in score_motions(folder, model, on_progress)]
    return Evaluation(model, tuple(scores), steady, tuple(shown), tuple(restored), tuple(motions))


@contextmanager
def enhancement(model: str, denoise: Denoise = "auto") -> Iterator[Enhance]:
    """What `tapetum enhance` writes of a photo: it is written, as a PNG, and read.

    Raises:
        ModelError: there is no such model, or its file cannot be used.
    """
    if model == INPUT:
        yield read_photo
        return
    enhancer = make_enhancer(model, denoise=denoise)
    with scratch_folder("evaluate") as folder:
        written = folder / "enhanced.png"

        def enhance(path: Path) -> Photo:
            enhance_photo(path, written, model=model, enhancer=enhancer, overwrite=True)
            return read_photo(written)

        yield enhance


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


MEANING = (
    "PSNR, in dB, and SSIM say how near a picture is to its reference: more is nearer. How bright"
    " the scene was, a dark picture does not tell; aligned is the PSNR after one gain gave both the"
    " same mean luma, and noise is measured then, in 8-bit levels. NIQE is less for what looks like"
    " an untouched photo, which noise and haze do not. hue is in degrees from the input's colours,"
    " saturation a share of theirs; kept is the PSNR to the input, and the worst photo's: high"
    " where well-lit photos are left alone."
)
"""What the columns say, in words."""


def photo_table(scores: Iterable[SetScore]) -> Table:
    """Means over folders."""
    measures = ("PSNR", "aligned", "SSIM", "NIQE", "noise", "hue", "saturation", "kept, worst")
    table = _table("photos", "n", *measures)
    for row in scores:
        texts = (
            _text(row.psnr_db, 2),
            _text(row.psnr_aligned_db, 2),
            _text(row.ssim, 3),
            _text(row.niqe, 2),
            _text(row.noise_levels, 2),
            _text(row.hue_degrees, 1),
            _text(row.saturation, 2),
            f"{row.kept_db:.1f}, {row.least_kept_db:.1f}",
        )
        table.add_row(Text(row.folder), str(row.count), *texts)
    return table


def clip_table(scores: Iterable[ClipScore]) -> Table:
    """Figures of clips, before and after."""
    table = _table("clip", "frames", "mean luma", "flicker", "warped error (1e-3)")
    for row in scores:
        pairs = (row.mean_luma, row.flicker, row.warped_error)
        table.add_row(Text(row.clip), str(row.frames), *(f"{a} -> {b}" for a, b in pairs))
    return table


def _table(first: str, *others: str) -> Table:
    """A narrow table of figures."""
    table = Table(Column(first, overflow="fold"), box=SIMPLE, padding=(0, 0, 0, 1))
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _text(figure: float | None, digits: int) -> str:
    return "" if figure is None else f"{figure:.{digits}f}"
