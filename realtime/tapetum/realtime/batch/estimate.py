"""How long files would take and how large they would become, from a second of each."""

from __future__ import annotations

from typing import NamedTuple, Unpack

from tapetum.gan.scratch_folder import scratch_folder
from tapetum.realtime.batch.file_maker import FileOptions, for_photos
from tapetum.realtime.batch.tree import Task
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.errors import TapetumError
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.photos.formats import is_photo_name
from tapetum.realtime.progress import Progress

_MEASURED_S = 1.0
_MEASURED_PHOTOS = 3
"""Photos after which the others are taken to go at the same pace, by the bytes of their files."""


class Estimate(NamedTuple):
    """What one file would take."""

    seconds: float
    size_bytes: int


class Estimator:
    """Measures a second of each video, and a few photos; nothing is kept.

    Args:
        **options: as for `enhance_files`.
    """

    def __init__(self, **options: Unpack[FileOptions]) -> None:
        self._options = options
        self._photos: list[tuple[int, Estimate]] = []

    def __call__(self, task: Task) -> Estimate | None:
        """What a task would take; None where its input cannot be read."""
        try:
            if not is_photo_name(task.output):
                return self._video(task)
            if len(self._photos) < _MEASURED_PHOTOS:
                measured = self._photo(task)
                self._photos.append((task.source.stat().st_size, measured))
                return measured
            return self._like_others(task.source.stat().st_size)
        except (OSError, TapetumError):
            return None

    def _video(self, task: Task) -> Estimate:
        with FileSource(task.source) as source:
            duration_s = source.info.duration_s or _MEASURED_S
        seen: list[Progress] = []
        with scratch_folder("estimate") as folder:
            result = enhance_file(
                task.source,
                folder / task.output.name,
                duration_s=_MEASURED_S,
                on_progress=seen.append,
                **self._options,
            )
        share = duration_s / result.media_s if result.media_s else 1.0
        loading_s = seen[0].first_frame_s
        seconds = loading_s + (result.elapsed_s - loading_s) * share
        return Estimate(seconds, round(result.size_bytes * share))

    def _photo(self, task: Task) -> Estimate:
        with scratch_folder("estimate") as folder:
            output = folder / task.output.name
            result = enhance_file(task.source, output, **for_photos(self._options))
        return Estimate(result.elapsed_s, result.size_bytes)

    def _like_others(self, size_bytes: int) -> Estimate:
        share = size_bytes / sum(size for size, _ in self._photos)
        seconds = sum(estimate.seconds for _, estimate in self._photos)
        written = sum(estimate.size_bytes for _, estimate in self._photos)
        return Estimate(seconds * share, round(written * share))
