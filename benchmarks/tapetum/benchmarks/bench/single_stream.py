"""Single-stream: one frame after another, as soon as the last one is done.

The name and the meaning are MLPerf Inference's (Reddi et al., 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle

from tapetum.benchmarks.bench.floors import floors
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.quality import quality
from tapetum.benchmarks.bench.resources import ResourceMeter
from tapetum.benchmarks.bench.result import Key, Result, warm_up_notes
from tapetum.benchmarks.bench.sampling import Effort, one_repeat, warm_up
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.subjects import Enhance, Staged, Subject
from tapetum.realtime import Frame

SCENARIO = "single-stream"


def single_stream(
    subjects: Sequence[Subject], given: Input, settings: Settings
) -> Iterator[Result]:
    """Measure the latency of each subject on the same frames, in turns.

    Yields:
        A result for each subject; stages and floors for Tapetum's own models.
    """
    frames = given.frames(settings.seed)
    trials = [_Trial(subject, frames, settings.effort) for subject in subjects]
    for _ in range(settings.effort.repeats):
        for trial in trials:
            trial.repeat()
    for trial in trials:
        result = trial.result(given)
        if settings.truth is not None:
            figures = dict(result.figures) | quality(trial.subject, settings.truth, settings.seed)
            result = replace(result, figures=figures)
        yield result


class _Trial:
    """One subject, ready to be measured."""

    def __init__(self, subject: Subject, frames: tuple[Frame, ...], effort: Effort) -> None:
        self.subject, self._frames, self._effort = subject, frames, effort
        self._enhance: Enhance = subject.make()
        self._staged: Staged | None = subject.network.staged() if subject.network else None
        self._warm_up = warm_up(self._enhance, cycle(frames), effort.warm_up_s)
        self._repeats_ms: list[list[float]] = []
        self._meter = ResourceMeter()
        if self._staged is not None:
            warm_up(self._staged, cycle(frames), effort.warm_up_s)
            self._staged.clock.durations_ms.clear()

    def repeat(self) -> None:
        """Take one repeat's samples, and then for half as long those of the stages."""
        with self._meter.running():
            self._repeats_ms.append(one_repeat(self._enhance, self._frames, self._effort))
        if self._staged is not None:
            half = replace(self._effort, seconds=self._effort.seconds / 2)
            one_repeat(self._staged, self._frames, half)

    def result(self, given: Input) -> Result:
        frame, subject = self._frames[0], self.subject
        return Result(
            Key(SCENARIO, subject.name, given.name, f"{frame.width}x{frame.height}", "latency"),
            subject.runs_on,
            self._repeats_ms,
            stages_ms=dict(self._staged.clock.durations_ms) if self._staged else {},
            resources=self._meter.read(),
            floors=floors(frame, subject.network) if subject.changes_pixels else (),
            figures={"warm_up_calls": self._warm_up.calls},
            notes=warm_up_notes(self._warm_up),
        )
