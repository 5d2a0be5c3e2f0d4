"""Single-stream: one frame after another, as soon as the last one is done.

The name and the meaning are MLPerf Inference's (Reddi et al., 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Generic

from tapetum.benchmarks.bench.choices import SINGLE_STREAM
from tapetum.benchmarks.bench.coded import Coded, coded
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.quality import quality, well_lit
from tapetum.benchmarks.bench.resources import ResourceMeter
from tapetum.benchmarks.bench.result import Key, Result, size_text, warm_up_notes
from tapetum.benchmarks.bench.sampling import T, WarmUp, one_repeat, settle, timed_calls, warm_up
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.stage_clock import StageClock, Stages, joined
from tapetum.benchmarks.bench.stages import Staged, StagedWhole
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.bench.trial import Trial
from tapetum.benchmarks.bench.yardstick import Pace
from tapetum.realtime import Frame

WITH_CODEC = f"{SINGLE_STREAM} with codec"


def single_stream(
    subjects: Sequence[Subject], given: Input, settings: Settings, _folder: Path
) -> Iterator[Trial]:
    """Measure the latency of each subject on the same frames.

    With `settings.with_codec`, from packet to packet instead of from frame to frame. There are
    stages for Tapetum's own models, and where codecs are measured.
    """
    if settings.truth is not None:
        well_lit(settings.truth)  # refused before anything is measured
    frames = given.frames(settings.seed)
    key = Key(SINGLE_STREAM, "", given.name, size_text(frames[0]), "latency")
    if settings.with_codec:
        key, packets = replace(key, scenario=WITH_CODEC), _Items(frames[0], coded(frames), Coded)
        yield from (_SingleStream(key, subject, packets, settings) for subject in subjects)
    else:
        bare = _Items(frames[0], frames, lambda enhance, _: enhance)
        yield from (_SingleStream(key, subject, bare, settings) for subject in subjects)


@dataclass(frozen=True)
class _Items(Generic[T]):
    """What comes in, frames or packets, and what takes it through an enhancer.

    Attributes:
        frame: the first frame.
        items: round and round.
        around: makes an enhancer, with the clock of its stages, into what takes an item.
    """

    frame: Frame
    items: Sequence[T]
    around: Callable[[Enhance, StageClock | None], Callable[[T], object]]


class _SingleStream(Trial, Generic[T]):
    """One subject: as a whole, and in calls of their own in its stages."""

    def __init__(self, key: Key, subject: Subject, given: _Items[T], settings: Settings) -> None:
        super().__init__(replace(key, subject=subject.name), subject)
        self._given, self._effort = given, settings.effort
        self._with_codec = settings.with_codec
        self._figures = quality(subject, settings.truth, settings.seed) if settings.truth else {}
        self._floors = self.floors(given.frame)
        self._warm_up = self._warmed(subject.make())
        if (staged := self._staged()) is not None:
            self._warmed(staged, staged.clock)
        self._repeats: list[tuple[list[float], Pace]] = []
        self._stages: list[Stages] = []
        self._meter = ResourceMeter()

    def _warmed(self, enhance: Enhance, clock: StageClock | None = None) -> WarmUp:
        call = self._given.around(enhance, clock)
        return warm_up(call, cycle(self._given.items), self._effort.warm_up_s)

    def _staged(self) -> Staged | None:
        if self.subject.staged is not None:
            return self.subject.staged()
        return StagedWhole(self.subject.make()) if self._with_codec else None

    def repeat(self) -> None:
        """Take one repeat's samples, and then for half as long those of the stages."""
        items, call = cycle(self._given.items), self._given.around(self.subject.make(), None)
        pace = Pace()
        settle(call, items)  # the first call of an enhancer is not like the others
        with self._meter.running():
            samples_ms = one_repeat(call, items, self._effort, pace)
        self._repeats.append((samples_ms, pace))
        if (staged := self._staged()) is not None:
            self._stages.append(self._stages_of(staged))

    def _stages_of(self, staged: Staged) -> Stages:
        items, call = cycle(self._given.items), self._given.around(staged, staged.clock)
        settle(call, items)
        staged.clock.stages.clear()
        share = self._effort.share()
        timed_calls(call, items, seconds=share.seconds / 2, samples=share.samples)
        return staged.clock.stages

    def result(self) -> Result:
        """Latencies, and what each stage took of them."""
        return Result(
            self.key,
            self.subject.runs_on,
            [samples_ms for samples_ms, _ in self._repeats],
            yardsticks_ms=self.readings([pace for _, pace in self._repeats]),
            stages=joined(self._stages),
            resources=self._meter.read(),
            floors=self._floors,
            figures={"warm_up_calls": self._warm_up.calls} | self._figures,
            notes=warm_up_notes(self._warm_up),
        )
