"""The targets of `tapetum bench` itself: how long it takes, and how far two runs are apart."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from tapetum.benchmarks.bench.comparison import by_key, compare
from tapetum.benchmarks.bench.subjects import EMPTY
from tapetum.benchmarks.bench.yardstick import unsteady_percent
from tapetum.benchmarks.markdown_table import target_row

Run = Mapping[str, Any]

LONGEST_S = {"tapetum bench": 300.0, "tapetum bench --quick": 40.0}
"""Wall-clock time that a command may take on two cores."""
MOST_PERCENT = 5.0
"""Between the medians of two runs of one command."""


def harness_rows(runs: Sequence[Run]) -> Iterator[list[str]]:
    """A row for each target, with the worst that the runs show; runs that were stopped do not."""
    whole = [run for run in runs if run["complete"]]
    for command, limit_s in LONGEST_S.items():
        times_s = [run.get("wall_s") for run in whole if bare_command(run) == command]
        known_s = [time_s for time_s in times_s if time_s is not None]
        yield target_row(f"`{command}`", limit_s, "s", max(known_s, default=None))
    pairs = [(one, other) for one, other in combinations(whole, 2) if _alike(one) == _alike(other)]
    for label, percents in _repeatability(pairs).items():
        yield target_row(label, MOST_PERCENT, "%", max(percents, default=None))


def _repeatability(pairs: Sequence[tuple[Run, Run]]) -> dict[str, list[float]]:
    """How far two runs of one command are apart, and whether the machine was to blame."""
    own = (unsteady_percent(run["results"]) for pair in pairs for run in pair)
    return {
        "medians of two runs of one command, the most that they differ": [
            percent for pair in pairs for percent in _apart_percent(*pair)
        ],
        "the same where one core works, without what the machine's own pace explains": [
            percent for pair in pairs for percent in _steady_percent(*pair)
        ],
        "the machine's own pace in those runs, fastest to slowest tenth; an idle one's": [
            percent for percent in own if percent is not None
        ],
    }


def _alike(run: Run) -> tuple[object, ...]:
    """What two runs must have in common for their medians to be held against each other."""
    return bare_command(run), run["machine"]["cpu"], run["machine"]["cores"]


def bare_command(run: Run) -> str:
    """The command of a run without the files that it wrote."""
    words = shlex.split(run["command"])
    files = {place + step for place, word in enumerate(words) for step in (0, 1) if word in _FILES}
    return shlex.join(word for place, word in enumerate(words) if place not in files)


_FILES = ("--json", "--csv")


def _apart_percent(one: Run, other: Run) -> Iterator[float]:
    """Of each measurement that both runs have; nothing at all is not worth comparing."""
    first, second = by_key(one), by_key(other)
    for key in first.keys() & second.keys():
        if key.subject != EMPTY:
            medians = [results[key]["latency_ms"]["p50"] for results in (first, second)]
            yield 100 * (max(medians) / min(medians) - 1)


def _steady_percent(one: Run, other: Run) -> Iterator[float]:
    """The same by `compare`, of what has readings of the yardstick."""
    for change in compare(one, other):
        if change.machine_percent is not None and change.key.subject != EMPTY:
            ratio = 1 + change.percent / 100
            yield 100 * (max(ratio, 1 / ratio) - 1)
