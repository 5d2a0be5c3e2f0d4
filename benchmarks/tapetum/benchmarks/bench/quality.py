"""How near a subject's pictures come to the truth, next to how fast they are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import flicker

if TYPE_CHECKING:
    from tapetum.benchmarks.bench.truth import Truth
    from tapetum.gan.photos import Photo

MEANING = (
    "PSNR and SSIM: more is nearer to the truth. How bright the scene was, a dark picture does not"
    " tell, so the first PSNR ranks guesses of that; aligned is the PSNR after one gain gave both"
    " the same mean luma, which ranks all else. noise is in 8-bit levels after that gain, hue in"
    " degrees from the truth's. NIQE is less for what looks like an untouched photo; flicker, in"
    " 8-bit levels, is the unsteadiness of the mean luma."
)
"""What the columns say, in words."""

_EVERY = 6
"""Of a clip's frames, so many apart, those that are compared; flicker is that of all."""
_MOST_DB = 60.0


@dataclass(frozen=True)
class Quality:
    """A subject's pictures against a truth, means over the pictures.

    Attributes:
        truth: name of its folder.
        pictures: how many were compared.
        psnr_db: over RGB, at most 60.
        psnr_aligned_db: the same after the exposure was aligned.
        ssim: over RGB.
        niqe: lower is more natural.
        truth_niqe: of the truth itself.
        noise_levels: see `gan.metrics.noise_levels`; None where it cannot be told.
        hue_degrees: from the truth's hues; None where nothing is coloured.
        flicker_levels: see `measure.frames.flicker`; None for photos.
        truth_flicker_levels: of the truth itself.
    """

    truth: str
    pictures: int
    psnr_db: float
    psnr_aligned_db: float
    ssim: float
    niqe: float
    truth_niqe: float
    noise_levels: float | None
    hue_degrees: float | None
    flicker_levels: float | None
    truth_flicker_levels: float | None


def found_truth(folder: Path) -> Truth:
    """The truth in a folder; see `truth.read_truth`.

    Raises:
        BenchmarkError: OpenCV is missing, or the folder has none.
        DataError: a photo cannot be read.
    """
    try:
        from tapetum.benchmarks.bench.truth import read_truth
    except ImportError as error:
        raise BenchmarkError(f"--truth needs {error.name}: pip install 'tapetum[bench]'") from error
    return read_truth(folder)


@cache
def quality(subject: Subject, folder: Path) -> Quality:
    """Measure the pictures of a subject against a truth.

    Raises:
        BenchmarkError: OpenCV is missing, or the folder has no truth.
        DataError: a photo cannot be read.
    """
    truth = found_truth(folder)
    figures: list[dict[str, float | None]] = []
    unsteady: list[tuple[float, float]] = []
    for twins, enhanced in zip(truth.sequences, _enhanced(subject, truth), strict=True):
        compared = slice(None, None, _EVERY)
        pairs = zip(enhanced[compared], twins.ideal[compared], strict=True)
        figures += [_figures(*pair) for pair in pairs]
        if truth.moves:
            unsteady.append((_flicker(enhanced), _flicker(twins.ideal)))
    means: dict[str, Any] = {name: _mean([each[name] for each in figures]) for name in figures[0]}
    flickers = np.mean(unsteady, axis=0).round(3).tolist() if unsteady else (None, None)
    return Quality(
        truth.name,
        len(figures),
        **means,
        flicker_levels=flickers[0],
        truth_flicker_levels=flickers[1],
    )


def _enhanced(subject: Subject, truth: Truth) -> Iterator[list[Photo]]:
    """What a subject makes of each sequence, which starts anew."""
    from tapetum.benchmarks.bench.truth import as_frame, as_picture

    enhance: Enhance | None = None
    for twins in truth.sequences:
        enhance = _fresh(enhance, subject)
        frames = (as_frame(picture, index) for index, picture in enumerate(twins.dark))
        yield [as_picture(enhance(frame)) for frame in frames]


def _fresh(before: Enhance | None, subject: Subject) -> Enhance:
    """An enhancer without a past: the one before, where it can forget."""
    forget = getattr(before, "reset", None)
    if before is None or forget is None:
        return subject.make()
    forget()
    return before


def _figures(picture: Photo, ideal: Photo) -> dict[str, float | None]:
    from tapetum.gan.color_metrics import hue_change_degrees
    from tapetum.gan.metrics import exposure_aligned, noise_levels, photo_niqe, psnr_db, ssim

    truth = ideal[: picture.shape[0], : picture.shape[1]]
    return {
        "psnr_db": min(psnr_db(picture, truth), _MOST_DB),
        "psnr_aligned_db": min(psnr_db(exposure_aligned(picture, truth), truth), _MOST_DB),
        "ssim": ssim(picture, truth),
        "niqe": photo_niqe(picture),
        "truth_niqe": photo_niqe(truth),
        "noise_levels": noise_levels(picture, truth),
        "hue_degrees": hue_change_degrees(picture, truth),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 3) if known else None


def _flicker(pictures: Sequence[Photo]) -> float:
    return flicker(np.array([picture.mean() for picture in pictures]))
