"""What `python -m tapetum.benchmarks ab-trials` recorded: false alarms, and slowness seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tapetum.benchmarks.documents.markdown import MISSING, table
from tapetum.benchmarks.measure.files import Figures, recorded_figures


def ab_table(results: Path) -> str:
    """How many comparisons of `tapetum bench ab` told the truth, from ab.json."""
    found = recorded_figures(results / "ab.json")
    same, slowed = found.get("same", []), found.get("slowed", [])
    if not same and not slowed:
        return MISSING
    alarms = sum(set(_verdicts(trial)) != {"none seen"} for trial in same)
    seen = sum("slower" in _verdicts(trial, "grid ") for trial in slowed)
    shares = sorted({f"{trial['slowed_percent']:g} %" for trial in slowed})
    rows = [
        ["one version against itself: comparisons", "", str(len(same))],
        ["of these, a difference was seen in any figure", "at most 1 in 20", str(alarms)],
        [f"against one slowed by {' or '.join(shares)}: comparisons", "", str(len(slowed))],
        ["of these, its frames were seen to be slower", "9 in 10", str(seen)],
    ]
    return "\n\n".join([table(("what", "target", "measured"), rows), _rounds([*same, *slowed])])


def _verdicts(trial: Figures, begin: str = "") -> list[str]:
    """What was said of each figure whose name begins so; those of frames begin with the model."""
    found = trial["differences"]
    return [each["verdict"] for name, each in found.items() if name.startswith(begin)]


def _rounds(trials: Sequence[Figures]) -> str:
    rounds = sorted({trial["rounds"] for trial in trials})
    loads = sorted(trial["load_average"][0] for trial in trials)
    return (
        f"Of {' or '.join(map(str, rounds))} rounds each; load average before them"
        f" {loads[0]:.1f} to {loads[-1]:.1f}."
    )
