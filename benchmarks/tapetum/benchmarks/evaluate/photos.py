"""Picture quality over folders of photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tapetum.gan.color_metrics import hue_change_degrees, saturation_ratio
from tapetum.gan.errors import DataError
from tapetum.gan.metrics import exposure_aligned, noise_levels, photo_niqe, psnr_db, ssim
from tapetum.gan.niqe import TOO_SMALL, large_enough
from tapetum.gan.photos import Photo, find_photos, read_photo

_NOTHING_CHANGED_DB = 60.0

Enhance = Callable[[Path], Photo]
"""What is measured: from a photo's file to what becomes of it."""


@dataclass(frozen=True)
class PhotoScore:
    """Figures of one photo.

    Attributes:
        photo: the file's name.
        niqe: of what became of it.
        kept_db: PSNR to the photo as it was, at most 60: for well-lit photos, which are to be
            left alone.
        hue_degrees: how far its colours turned (`color_metrics`); None where it has none.
        saturation: share of the colours' saturation that is left; None where it has none.
        psnr_db: PSNR to its reference, where it has one; at most 60.
        psnr_aligned_db: the same with its exposure aligned to the reference's; at most 60.
        ssim: SSIM to its reference, where it has one.
        noise_levels: noise against its reference, where it has one that tells (`gan.metrics`).
    """

    photo: str
    niqe: float
    kept_db: float
    hue_degrees: float | None
    saturation: float | None
    psnr_db: float | None = None
    psnr_aligned_db: float | None = None
    ssim: float | None = None
    noise_levels: float | None = None


@dataclass(frozen=True)
class SetScore:
    """Means over a folder, and every photo's own figures.

    Attributes:
        least_kept_db: the worst photo's; `kept_db` is the mean.
    """

    folder: str
    count: int
    niqe: float
    kept_db: float
    least_kept_db: float
    hue_degrees: float | None
    saturation: float | None
    psnr_db: float | None
    psnr_aligned_db: float | None
    ssim: float | None
    noise_levels: float | None
    photos: tuple[PhotoScore, ...]


@dataclass(frozen=True)
class Outcome:
    """One photo before and after, and its reference where there is one."""

    path: Path
    dark: Photo
    enhanced: Photo
    reference: Photo | None


def find_pairs(folder: Path, references: Path | None) -> list[tuple[Path, Path | None]]:
    """Every photo of a folder, in a fixed order, with its reference.

    Args:
        folder: dark photos, at any depth.
        references: folder of well-lit twins under the same names, or None.

    Raises:
        DataError: a folder is missing, the first has no photos, or the second lacks one of them.
    """
    paths = find_photos(folder)
    if references is None:
        return [(path, None) for path in paths]
    if not references.is_dir():
        raise DataError(f"{references} is not a folder; name one that holds the references")
    twins = [references / path.relative_to(folder) for path in paths]
    missing = [twin for twin in twins if not twin.exists()]
    if missing:
        more = f", as are {len(missing) - 1} more references" if len(missing) > 1 else ""
        raise DataError(
            f"{missing[0]} is missing{more}: each photo in {folder} needs one under the same name"
        )
    return list(zip(paths, twins, strict=True))


def outcomes(pairs: Iterable[tuple[Path, Path | None]], enhance: Enhance) -> Iterator[Outcome]:
    """Enhance every photo of `find_pairs`.

    Raises:
        DataError: a photo is broken or too small to judge, or its reference is of another size or
            the same picture.
        MediaError: a photo cannot be enhanced.
    """
    for path, twin in pairs:
        dark = read_photo(path)
        if not large_enough(*dark.shape[:2]):
            raise DataError(f"{path} {TOO_SMALL}")
        reference = read_photo(twin) if twin else None
        if reference is not None:
            _require_a_twin(path, dark, reference)
        yield Outcome(path, dark, enhance(path), reference)


def _require_a_twin(path: Path, dark: Photo, reference: Photo) -> None:
    (height, width), (twin_height, twin_width) = dark.shape[:2], reference.shape[:2]
    if (height, width) != (twin_height, twin_width):
        raise DataError(
            f"{path} has {width}x{height} pixels, but its reference is {twin_width}x{twin_height}; "
            "pairs need one size"
        )
    if np.array_equal(dark, reference):
        raise DataError(f"{path} and its reference are the same picture; name one that is well lit")


def score(outcome: Outcome) -> PhotoScore:
    """The figures of one outcome.

    Raises:
        DataError: the enhanced photo is too flat to judge.
    """
    try:
        name, niqe = outcome.path.name, photo_niqe(outcome.enhanced)
    except ValueError as error:
        raise DataError(f"{outcome.path} cannot be judged: {error}; leave it out") from error
    change = outcome.enhanced, outcome.dark
    kept_db = _bounded_psnr_db(*change)
    figures = PhotoScore(
        name, niqe, kept_db, hue_change_degrees(*change), saturation_ratio(*change)
    )
    if outcome.reference is None:
        return figures
    pair = outcome.enhanced, outcome.reference
    return replace(
        figures,
        psnr_db=_bounded_psnr_db(*pair),
        psnr_aligned_db=_bounded_psnr_db(exposure_aligned(*pair), outcome.reference),
        ssim=ssim(*pair),
        noise_levels=noise_levels(*pair),
    )


def _bounded_psnr_db(photo: Photo, reference: Photo) -> float:
    return min(psnr_db(photo, reference), _NOTHING_CHANGED_DB)


def summary(folder: Path, scores: tuple[PhotoScore, ...]) -> SetScore:
    """The means of a folder's scores."""
    return SetScore(
        folder=folder.resolve().name,
        count=len(scores),
        niqe=float(np.mean([score.niqe for score in scores])),
        kept_db=float(np.mean([score.kept_db for score in scores])),
        least_kept_db=min(score.kept_db for score in scores),
        hue_degrees=_mean([score.hue_degrees for score in scores]),
        saturation=_mean([score.saturation for score in scores]),
        psnr_db=_mean([score.psnr_db for score in scores]),
        psnr_aligned_db=_mean([score.psnr_aligned_db for score in scores]),
        ssim=_mean([score.ssim for score in scores]),
        noise_levels=_mean([score.noise_levels for score in scores]),
        photos=scores,
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
