"""What a live picture costs in processor time while nothing in it moves, as in a call."""

from __future__ import annotations

import time
from itertools import pairwise

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.machine import load_average
from tapetum.realtime import LiveSource, SinkPlace
from tapetum.realtime.choices import Denoise
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.live_run import LiveRun
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.outputs import NullSink

SIZE, RATE = "1280x720", 30
TARGET_PERCENT = 15.0
"""Of a core, on an idle machine."""
_WINDOW = 2 * RATE
_SETTLED = 5 * RATE
"""Frames that are not counted at the beginning: models load, and kernels compile."""
_BUDGET_MS = 5000.0
"""So that a busy machine does no less for a frame than an idle one."""
_KINDS: dict[str, tuple[float, Denoise]] = {
    "the source alone": (0.0, "off"),
    "noise left in": (1.0, "off"),
    "noise taken out": (1.0, "auto"),
}


def live_cost(*, size: str = SIZE, duration_s: float = 25.0) -> dict[str, object]:
    """Processor time of this process for a still, dark and noisy pattern at 30 frames a second.

    Args:
        size: of the pattern.
        duration_s: of each of three runs: as it is, and enhanced without and with noise taken out.

    Returns:
        `percent_of_a_core` of each run, the least of windows of two seconds, in which other
        processes disturbed least; the frames that each mode made; the load before and after.

    Raises:
        BenchmarkError: a run was too short for one window.
    """
    load_before = load_average()[0]
    source = f"lavfi:color=c=0x262626:s={size}:r={RATE},noise=alls=8:allf=t"
    percent, modes = dict[str, float](), dict[str, dict[str, int]]()
    for name, (strength, denoise) in _KINDS.items():
        percent[name], modes[name] = _cost(source, strength, denoise, duration_s)
    return {
        "target_percent": TARGET_PERCENT,
        "source": source,
        "percent_of_a_core": percent,
        "modes": modes,
        "load_average": {"before": round(load_before, 2), "after": round(load_average()[0], 2)},
    }


def _cost(
    source: str, strength: float, denoise: Denoise, duration_s: float
) -> tuple[float, dict[str, int]]:
    spent_s = list[float]()

    def note(_frame: Frame) -> None:
        spent_s.append(time.process_time())

    ladder = ladder_for(strength=strength, denoise=denoise, budget_ms=_BUDGET_MS)
    ladder.wait_for_model()
    sinks = [SinkPlace("null", NullSink())]
    summary = LiveRun(LiveSource(source), ladder, sinks, on_frame=note).run(duration_s=duration_s)
    windows = [later - sooner for sooner, later in pairwise(spent_s[_SETTLED::_WINDOW])]
    if not windows:
        raise BenchmarkError(f"{len(spent_s)} frames in {duration_s:g} s are too few to count")
    return round(100 * RATE * min(windows) / _WINDOW, 1), summary.modes
