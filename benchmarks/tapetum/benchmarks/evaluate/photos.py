"""Picture quality over folders of photos, and one picture of many outcomes to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.quality import psnr_db
from tapetum.gan.color_metrics import hue_change_degrees, saturation_ratio
from tapetum.gan.errors import DataError
from tapetum.gan.metrics import photo_niqe, ssim
from tapetum.gan.niqe import TOO_SMALL, large_enough
from tapetum.gan.photos import Photo, find_photos, read_photo
from tapetum.gan.whole_file import write_whole

_NOTHING_CHANGED_DB = 60.0

Enhance = Callable[[Photo], Photo]
"""What is measured: (H, W, 3) uint8 RGB in and out."""


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
        psnr_db: PSNR to its reference, where it has one.
        ssim: SSIM to its reference, where it has one.
    """

    photo: str
    niqe: float
    kept_db: float
    hue_degrees: float | None
    saturation: float | None
    psnr_db: float | None = None
    ssim: float | None = None


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
    ssim: float | None
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
    """
    for path, twin in pairs:
        dark = read_photo(path)
        if not large_enough(*dark.shape[:2]):
            raise DataError(f"{path} {TOO_SMALL}")
        reference = read_photo(twin) if twin else None
        if reference is not None:
            _require_a_twin(path, dark, reference)
        yield Outcome(path, dark, enhance(dark), reference)


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
    kept_db = min(psnr_db(*change), _NOTHING_CHANGED_DB)
    figures = PhotoScore(
        name, niqe, kept_db, hue_change_degrees(*change), saturation_ratio(*change)
    )
    if outcome.reference is None:
        return figures
    pair = outcome.enhanced, outcome.reference
    return replace(figures, psnr_db=psnr_db(*pair), ssim=ssim(*pair))


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
        ssim=_mean([score.ssim for score in scores]),
        photos=scores,
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


TILE = (256, 192)
"""Width and height of one tile in pixels."""

_COLUMNS = 6


def fit_tile(photo: Photo) -> Photo:
    """A photo scaled to fit a tile, centred on black."""
    width, height = TILE
    scale = min(width / photo.shape[1], height / photo.shape[0])
    size = (max(1, int(photo.shape[1] * scale)), max(1, int(photo.shape[0] * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    tile = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def contact_sheet(outcomes: list[Outcome]) -> Photo:
    """Columns of input above output above reference (where there is one), six in a row."""
    strips = [_strip(outcome) for outcome in outcomes]
    tallest = max(strip.shape[0] for strip in strips)
    strips = [np.pad(strip, ((0, tallest - strip.shape[0]), (0, 0), (0, 0))) for strip in strips]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % _COLUMNS)
    rows = [strips[place : place + _COLUMNS] for place in range(0, len(strips), _COLUMNS)]
    return np.vstack([np.hstack(row) for row in rows])


def write_contact_sheet(outcomes: list[Outcome], path: Path) -> None:
    """Write the sheet of some outcomes as a PNG, whole or not at all.

    Raises:
        BenchmarkError: the file cannot be written.
    """
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(contact_sheet(outcomes)[..., ::-1]))
    write_whole(path, encoded.tobytes(), error=BenchmarkError)


def _strip(outcome: Outcome) -> Photo:
    shown = [outcome.dark, outcome.enhanced]
    if outcome.reference is not None:
        shown.append(outcome.reference)
    return np.vstack([fit_tile(photo) for photo in shown])
