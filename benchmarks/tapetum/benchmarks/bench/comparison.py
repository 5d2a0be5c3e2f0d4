"""What got slower or faster between two runs, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import numpy as np

from tapetum.benchmarks.bench.result import Key
from tapetum.benchmarks.measure.choices import LEAST_REPEATS
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.sampling import Samples, bootstrap_medians, by_yardstick

_NAMED = 3
"""Results of a run that an error names."""

Verdict = Literal["slower", "faster", "the same", "too few repeats"]


@dataclass(frozen=True)
class Change:
    """One measurement in both runs.

    Attributes:
        key: what was measured.
        before_ms: median in the first run.
        after_ms: median in the second.
        machine_percent: how much longer the yardstick took in the second; None where a run has
            no readings of it.
        percent: change of the median, without that of the machine; positive is slower.
        percent_ci95: its 95 % confidence interval, from medians resampled in both runs; see
            `bootstrap_medians`.
        repeats: of the run that has fewer.
        runs_on: what ran where, before and after.
    """

    key: Key
    before_ms: float
    after_ms: float
    machine_percent: float | None
    percent: float
    percent_ci95: tuple[float, float]
    repeats: int
    runs_on: tuple[str, str]

    @property
    def verdict(self) -> Verdict:
        """Slower or faster only where the whole interval is; one repeat shows no noise."""
        if self.repeats < LEAST_REPEATS:
            return "too few repeats"
        low, high = self.percent_ci95
        if low > 0:
            return "slower"
        return "faster" if high < 0 else "the same"

    def fails(self, limit_percent: float) -> bool:
        """Whether it is significantly slower, and by more than a limit."""
        return self.verdict == "slower" and self.percent > limit_percent

    def hides(self, limit_percent: float) -> bool:
        """Whether noise leaves open that it is slower by more than a limit."""
        return self.verdict == "the same" and self.percent_ci95[1] > limit_percent


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Compare what two runs have in common.

    Args:
        before: a run, as `read_run` gives it.
        after: another.

    Raises:
        BenchmarkError: they are of different machines, or measured nothing in common.
    """
    machines = [(run["machine"]["cpu"], run["machine"]["cores"]) for run in (before, after)]
    if machines[0] != machines[1]:
        raise BenchmarkError(
            f"the runs are of different machines, {_text(machines[0])} and {_text(machines[1])};"
            " compare runs of one machine"
        )
    old, new = by_key(before), by_key(after)
    common = [key for key in old if key in new]
    if not common:
        raise BenchmarkError(
            f"the runs have no measurement in common: one has {_list(old)}; the other {_list(new)}"
        )
    return [_change(key, old[key], new[key]) for key in common]


def only_in_one(before: dict[str, Any], after: dict[str, Any]) -> list[Key]:
    """Measurements that have no counterpart in the other run."""
    old, new = by_key(before), by_key(after)
    return [key for key in (*old, *new) if (key in old) != (key in new)]


def by_key(run: Mapping[str, Any]) -> dict[Key, dict[str, Any]]:
    """The results of a run by what they measured."""
    return {
        Key(**{name: result[name] for name in Key.__dataclass_fields__}): result
        for result in run["results"]
    }


def _change(key: Key, before: dict[str, Any], after: dict[str, Any]) -> Change:
    machine_percent = _machine_percent(before, after)
    # In multiples of the yardstick's time, or in milliseconds where a run has no readings of it.
    old, new = (_samples(run, by_pace=machine_percent is not None) for run in (before, after))
    # Different seeds: the two runs were drawn independently.
    ratios = bootstrap_medians(new, seed=2) / bootstrap_medians(old, seed=1)
    low, high = np.percentile(100 * (ratios - 1), (2.5, 97.5))
    percent = 100 * (np.median(np.concatenate(new)) / np.median(np.concatenate(old)) - 1)
    return Change(
        key,
        before["latency_ms"]["p50"],
        after["latency_ms"]["p50"],
        machine_percent,
        round(float(percent), 2),
        (round(float(low), 2), round(float(high), 2)),
        min(len(old), len(new)),
        (before["runs_on"], after["runs_on"]),
    )


def _machine_percent(before: dict[str, Any], after: dict[str, Any]) -> float | None:
    old_ms, new_ms = (run.get("yardsticks_ms") or [] for run in (before, after))
    if not old_ms or not new_ms:
        return None
    return round(100 * float(median(new_ms) / median(old_ms) - 1), 2)


def _samples(result: dict[str, Any], *, by_pace: bool) -> list[Samples]:
    repeats: list[Samples] = result["samples_ms"]
    return by_yardstick(repeats, result["yardsticks_ms"]) if by_pace else repeats


def _list(results: dict[Key, Any]) -> str:
    """The first results, and how many more there are: an error is one line."""
    more = f"; and {len(results) - _NAMED} more" if len(results) > _NAMED else ""
    return "; ".join(map(str, list(results)[:_NAMED])) + more or "nothing"


def _text(machine: tuple[str, int]) -> str:
    return f"{machine[0]} with {machine[1]} cores"
