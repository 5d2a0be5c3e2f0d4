"""Picture quality of an enhancer over folders of photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapetum.gan.errors import DataError
from tapetum.gan.metrics import photo_niqe, psnr_db, ssim
from tapetum.gan.niqe import TOO_SMALL, large_enough
from tapetum.gan.photos import Photo, find_photos, read_photo

Enhance = Callable[[Photo], Photo]
"""What is measured: (H, W, 3) uint8 RGB in and out."""


@dataclass(frozen=True)
class PhotoScore:
    """Figures of one photo; PSNR and SSIM only where it has a reference."""

    photo: str
    niqe: float
    psnr_db: float | None = None
    ssim: float | None = None


@dataclass(frozen=True)
class SetScore:
    """Means over a folder, and every photo's own figures."""

    folder: str
    count: int
    niqe: float
    psnr_db: float | None
    ssim: float | None
    photos: tuple[PhotoScore, ...]


@dataclass(frozen=True)
class Outcome:
    """One photo before and after, and its reference where there is one."""

    path: Path
    dark: Photo
    enhanced: Photo
    reference: Photo | None


def outcomes(folder: Path, enhance: Enhance, references: Path | None = None) -> Iterator[Outcome]:
    """Enhance every photo of a folder, in a fixed order.

    Args:
        folder: dark photos, at any depth.
        enhance: what to measure.
        references: folder of well-lit twins under the same names, or None.

    Raises:
        DataError: the folder has no photos, one is too small to judge, or a reference is missing
            or of another size.
    """
    for path in find_photos(folder):
        dark = read_photo(path)
        if not large_enough(*dark.shape[:2]):
            raise DataError(f"{path} {TOO_SMALL}")
        reference = read_photo(references / path.relative_to(folder)) if references else None
        if reference is not None and reference.shape != dark.shape:
            raise DataError(f"{path}: {dark.shape}, but its reference is {reference.shape}")
        yield Outcome(path, dark, enhance(dark), reference)


def score(outcome: Outcome) -> PhotoScore:
    """The figures of one outcome."""
    name, niqe = outcome.path.name, photo_niqe(outcome.enhanced)
    if outcome.reference is None:
        return PhotoScore(name, niqe)
    pair = outcome.enhanced, outcome.reference
    return PhotoScore(name, niqe, psnr_db(*pair), ssim(*pair))


def summary(folder: Path, scores: tuple[PhotoScore, ...]) -> SetScore:
    """The means of a folder's scores."""
    return SetScore(
        folder=folder.name,
        count=len(scores),
        niqe=float(np.mean([score.niqe for score in scores])),
        psnr_db=_mean([score.psnr_db for score in scores]),
        ssim=_mean([score.ssim for score in scores]),
        photos=scores,
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
