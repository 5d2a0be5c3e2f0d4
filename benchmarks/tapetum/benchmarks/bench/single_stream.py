"""Single-stream: one frame after another, as soon as the last one is done.

The name and the meaning are MLPerf Inference's (Reddi et al., 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Generic

from tapetum.benchmarks.bench.choices import SINGLE_STREAM
from tapetum.benchmarks.bench.coded import Coded, CodedPacket, coded
from tapetum.benchmarks.bench.floors import floors
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.quality import quality, well_lit
from tapetum.benchmarks.bench.resources import ResourceMeter
from tapetum.benchmarks.bench.result import Key, Result, size_text, warm_up_notes
from tapetum.benchmarks.bench.sampling import Effort, T, WarmUp, one_repeat, warm_up
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.stage_clock import StageClock
from tapetum.benchmarks.bench.stages import Staged, StagedWhole
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.realtime import Frame

WITH_CODEC = f"{SINGLE_STREAM} with codec"


def single_stream(
    subjects: Sequence[Subject], given: Input, settings: Settings
) -> Iterator[Result]:
    """Measure the latency of each subject on the same frames, in turns.

    With `settings.with_codec`, from packet to packet instead of from frame to frame.

    Yields:
        A result for each subject; stages for Tapetum's own models, and where codecs are measured.
    """
    if settings.truth is not None:
        well_lit(settings.truth)  # refused before anything is measured
    frames = given.frames(settings.seed)
    trials = [_Trial(subject, frames, settings) for subject in subjects]
    for _ in range(settings.effort.repeats):
        for trial in trials:
            trial.repeat()
    for trial in trials:
        result = trial.result(given)
        if settings.truth is not None:
            figures = dict(result.figures) | quality(trial.subject, settings.truth, settings.seed)
            result = replace(result, figures=figures)
        yield result


@dataclass
class _Calls(Generic[T]):
    """What is called, and with what, round and round."""

    call: Callable[[T], object]
    items: Iterator[T]

    def warm_up(self, effort: Effort) -> WarmUp:
        return warm_up(self.call, self.items, effort.warm_up_s)

    def repeat(self, effort: Effort) -> list[float]:
        return one_repeat(self.call, self.items, effort)


class _Trial:
    """One subject, ready to be measured: as a whole, and in calls of their own in its stages."""

    def __init__(self, subject: Subject, frames: tuple[Frame, ...], settings: Settings) -> None:
        self.subject, self._frames, self._effort = subject, frames, settings.effort
        self._scenario = WITH_CODEC if settings.with_codec else SINGLE_STREAM
        self._staged = _staged(subject, with_codec=settings.with_codec)
        self._whole = _calls(subject.make(), frames, settings)
        self._parts: _AnyCalls | None = None
        self._warm_up = self._whole.warm_up(self._effort)
        self._repeats_ms: list[list[float]] = []
        self._meter = ResourceMeter()
        if self._staged is not None:
            self._parts = _calls(self._staged, frames, settings, self._staged.clock)
            self._parts.warm_up(self._effort)
            self._staged.clock.stages.clear()

    def repeat(self) -> None:
        """Take one repeat's samples, and then for half as long those of the stages."""
        with self._meter.running():
            self._repeats_ms.append(self._whole.repeat(self._effort))
        if self._parts is not None:
            self._parts.repeat(replace(self._effort, seconds=self._effort.seconds / 2))

    def result(self, given: Input) -> Result:
        frame, subject = self._frames[0], self.subject
        return Result(
            Key(self._scenario, subject.name, given.name, size_text(frame), "latency"),
            subject.runs_on,
            self._repeats_ms,
            stages=self._staged.clock.stages if self._staged else {},
            resources=self._meter.read(),
            floors=floors(frame, subject.network) if subject.changes_pixels else (),
            figures={"warm_up_calls": self._warm_up.calls},
            notes=warm_up_notes(self._warm_up),
        )


_AnyCalls = _Calls[Frame] | _Calls[CodedPacket]


def _staged(subject: Subject, *, with_codec: bool) -> Staged | None:
    if subject.staged is not None:
        return subject.staged()
    return StagedWhole(subject.make()) if with_codec else None


def _calls(
    enhance: Enhance, frames: tuple[Frame, ...], settings: Settings, clock: StageClock | None = None
) -> _AnyCalls:
    if settings.with_codec:
        return _Calls(Coded(enhance, clock), cycle(coded(frames)))
    return _Calls(enhance, cycle(frames))
