"""One picture of many outcomes, because a number alone never showed a green face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.photo_scores import Outcome
from tapetum.gan.photos import Photo
from tapetum.gan.whole_file import write_whole

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
