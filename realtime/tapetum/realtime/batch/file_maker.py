"""`FileMaker`: makes one file after the other with one loaded model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from tapetum.realtime.aim import Aim
from tapetum.realtime.batch.tree import Task
from tapetum.realtime.choices import LAYOUTS, Denoise, Device, Layout
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.enhancer import check_device, checked_strength, is_cuda, make_enhancer
from tapetum.realtime.photos.formats import is_photo_name

if TYPE_CHECKING:
    from tapetum.realtime.progress import Building, EnhanceResult, Progress, Started
    from tapetum.realtime.protocols import FrameEnhancer


class FileOptions(TypedDict, total=False):
    """What `enhance_file` may be told for every file alike; see there."""

    model: str | Path
    strength: float
    device: Device
    when_dark: bool
    brightness: float | None
    denoise: Denoise
    deinterlace: bool
    compare: Layout | None
    codec: str | None
    crf: int | None
    preset: str | None


class FileMaker:
    """Makes files, one at a time.

    Args:
        options: for every file, as for `enhance_file`.
        on_start: called when a file is loaded.
        on_progress: called after each frame.
        on_build: called while an engine is built.

    Attributes:
        enhancer: the loaded model on the CPU; None for a GPU, where each video loads its own.

    Raises:
        ModelError: there is no such model.
        ValueError: an option is out of its range.
    """

    def __init__(
        self,
        options: FileOptions,
        *,
        on_start: Callable[[Started], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_build: Callable[[Building], None] | None = None,
    ) -> None:
        check_options(options)
        self._options = options
        self._on_start = on_start
        self._on_progress = on_progress
        self._on_build = on_build
        self.enhancer: FrameEnhancer | None = None
        self._photo_enhancer: FrameEnhancer | None = None
        if not is_cuda(options.get("device", "auto")):
            self.enhancer = self._loaded()

    def _loaded(self) -> FrameEnhancer:
        options = self._options
        return make_enhancer(
            options.get("model", "grid"),
            strength=options.get("strength", 1.0),
            device=options.get("device", "auto"),
            aim=Aim(options.get("when_dark", True), options.get("brightness")),
            denoise=options.get("denoise", "auto"),
            on_build=self._on_build,
        )

    @property
    def description(self) -> str:
        """What runs where."""
        return "cuda" if self.enhancer is None else self.enhancer.description

    def fresh_enhancer(self) -> FrameEnhancer:
        """The loaded model, which remembers nothing."""
        assert self.enhancer is not None, "films in segments are for the CPU"
        self.enhancer.reset()
        return self.enhancer

    def make(self, task: Task, *, overwrite: bool) -> EnhanceResult:
        """Make one file.

        Raises:
            TapetumError: it cannot be made.
        """
        options = for_photos(self._options) if is_photo_name(task.output) else self._options
        enhancer = self.enhancer
        if enhancer is None and is_photo_name(task.output):
            enhancer = self._photo_enhancer = self._photo_enhancer or self._loaded()
        if enhancer is not None:
            enhancer.reset()
        return enhance_file(
            task.source,
            task.output,
            overwrite=overwrite,
            enhancer=enhancer,
            on_start=self._on_start,
            on_progress=self._on_progress,
            on_build=self._on_build,
            **options,
        )


def for_photos(options: FileOptions) -> FileOptions:
    """The options that photos take."""
    kept = options.copy()
    kept.pop("deinterlace", None)
    kept.pop("codec", None)
    kept.pop("crf", None)
    kept.pop("preset", None)
    return kept


def check_options(options: FileOptions) -> None:
    """Refuse what would fail for every file.

    Raises:
        ValueError: an option is out of its range.
    """
    checked_strength(options.get("strength", 1.0))
    check_device(options.get("device", "auto"))
    compare = options.get("compare")
    if compare is not None and compare not in LAYOUTS:
        raise ValueError(f"compare is one of {', '.join(LAYOUTS)}; got {compare!r}")
