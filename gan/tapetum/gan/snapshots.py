"""Weights that a run keeps on its way, and how natural what they make of held-out photos looks.

`snapshots/epoch-0020.safetensors` are the averaged generator's weights after 20 epochs, and
`snapshots/scores.json` has the NIQE of each: its mean over the held-out photos, lower is better.
"""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import numpy as np

from tapetum.gan.checkpoint import save_generator
from tapetum.gan.errors import DataError, TrainingError
from tapetum.gan.generator import Generator
from tapetum.gan.metrics import photo_niqe
from tapetum.gan.niqe import large_enough
from tapetum.gan.photos import find_photos, read_photo
from tapetum.gan.training_config import TrainConfig
from tapetum.gan.training_data import enhance_photo
from tapetum.gan.whole_file import whole_file

FOLDER = "snapshots"
_SCORES = "scores.json"

_log = logging.getLogger(__name__)


class Snapshots:
    """Keeps and judges a run's snapshots.

    Args:
        config: of the run.
        epoch_photos: pictures of an epoch.

    Raises:
        DataError: the held-out folder has no photo that can be judged.
    """

    def __init__(self, config: TrainConfig, epoch_photos: int) -> None:
        self._folder = config.output / FOLDER
        self._batch, self._epoch_photos = config.optimizer.batch, epoch_photos
        self._every = config.run.keep_epochs
        self._held_out = _judged_photos(config.held_out) if config.held_out else ()

    def is_due(self, step: int) -> bool:
        """Whether a snapshot is to be kept after so many steps: the first of a kept epoch's end."""
        return self._every is not None and self._kept(step) > self._kept(step - 1)

    def _kept(self, step: int) -> int:
        assert self._every is not None
        return step * self._batch // (self._epoch_photos * self._every)

    def keep(self, step: int, generator: Generator) -> float | None:
        """Write a snapshot.

        Args:
            step: how many are done.
            generator: on the CPU or a GPU.

        Returns:
            Its score, None without held-out photos.

        Raises:
            TrainingError: a file cannot be written.
        """
        assert self._every is not None
        name = f"epoch-{self._kept(step) * self._every:04d}.safetensors"
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self._folder} cannot be made: {error.strerror}") from error
        with whole_file(self._folder / name, error=TrainingError) as unfinished:
            save_generator(generator, unfinished)
        if not self._held_out:
            return None
        score = self._score(generator)
        scores = self._scores() | {name: score}
        with whole_file(self._folder / _SCORES, error=TrainingError) as unfinished:
            unfinished.write_text(json.dumps(scores, indent=1) + "\n")
        _log.info("%s: NIQE %.3f on %d held-out photos", name, score, len(self._held_out))
        return score

    def best(self) -> tuple[Path, float] | None:
        """The snapshot that was judged best, of this run's parts before too, and its score."""
        scores = self._scores()
        if not scores:
            return None
        name = min(scores, key=lambda name: scores[name])
        return self._folder / name, scores[name]

    def _score(self, generator: Generator) -> float:
        niqes = []
        for path in self._held_out:
            photo = enhance_photo(generator, read_photo(path))
            try:
                niqes.append(photo_niqe(photo))
            except ValueError:  # so flat that it has none
                niqes.append(math.nan)
        return float(np.nanmean(niqes)) if not np.isnan(niqes).all() else math.inf

    def _scores(self) -> dict[str, float]:
        path = self._folder / _SCORES
        if not path.exists():
            return {}
        scores: dict[str, float] = json.loads(path.read_text())
        return scores


def _judged_photos(folder: Path) -> tuple[Path, ...]:
    paths = [path for path in find_photos(folder) if large_enough(*read_photo(path).shape[:2])]
    if not paths:
        raise DataError(f"{folder} holds no photo of 96x192 pixels or more to judge snapshots on")
    return tuple(paths)
