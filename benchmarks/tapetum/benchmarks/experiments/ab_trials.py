"""Can `tapetum bench ab` be believed here: one version against itself, and against a slower one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tapetum.benchmarks.bench.ab import PARTS, Side, differences, figures, observe, side
from tapetum.benchmarks.measure.machine import load_average

_SIZE = 1280, 720
_SLOW = '''

def _slowed(make, share):
    """Enhancers that take this much longer a frame, by a loop that keeps the core busy."""
    from time import perf_counter

    def made(*arguments, **options):
        enhance = make(*arguments, **options)

        def slow(frame):
            began_s = perf_counter()
            bright = enhance(frame)
            end_s = perf_counter() + share * (perf_counter() - began_s)
            while perf_counter() < end_s:
                pass
            return bright

        return slow

    return made


make_enhancer = _slowed(make_enhancer, {share})
'''


def same_version(checkout: Path, *, rounds: int) -> dict[str, Any]:
    """One comparison of a checkout with itself; each difference that it sees is a false alarm."""
    one = side(checkout)
    return _compare(one, one, rounds)


def slowed_version(checkout: Path, *, rounds: int, share: float) -> dict[str, Any]:
    """One comparison of a checkout with a copy that takes a share longer a frame."""
    with slowed_copy(checkout, share) as copy:
        return _compare(side(checkout), side(copy), rounds) | {"slowed_percent": 100 * share}


def _compare(old: Side, new: Side, rounds: int) -> dict[str, Any]:
    load = load_average()
    wanted = figures("grid", [_SIZE], None)
    found = differences(observe(old, new, wanted, model="grid", rounds=rounds))
    return {
        "rounds": rounds,
        "load_average": load,
        "differences": {
            each.figure: {
                "percent": each.percent,
                "p": round(each.p, 5),
                "floor_percent": each.floor_percent,
                "verdict": each.verdict,
            }
            for each in found
        },
    }


@contextmanager
def slowed_copy(checkout: Path, share: float) -> Iterator[Path]:
    """A version that is gone afterwards, of a checkout, slower by a share a frame."""
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in PARTS:
            shutil.copytree(
                checkout / part, copy / part, ignore=shutil.ignore_patterns("results", "*.pyc")
            )
        enhancer = copy / "realtime" / "tapetum" / "realtime" / "enhancer.py"
        enhancer.write_text(enhancer.read_text() + _SLOW.replace("{share}", repr(share)))
        environment = checkout / ".venv"
        if environment.is_dir():
            (copy / ".venv").symlink_to(environment.absolute())
        yield copy
