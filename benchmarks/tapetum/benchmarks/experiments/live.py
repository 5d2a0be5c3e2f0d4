"""How long a live frame is with us, and how soon a rate is held that the machine cannot hold."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tapetum.benchmarks.measure.machine import load_average
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.realtime import LiveSource, MemorySink, SinkPlace, enhance_live
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.live_run import LiveRun
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.modes import START
from tapetum.realtime.live.outputs import NullSink

SIZE = "640x360"
TARGET_ADDED_P95_MS = 10.0
"""On an unloaded machine with two cores."""


SIZES = {"720p30": "1280x720", "1080p30": "1920x1080"}
TARGETS_MS = {"720p30": {"p50": 6.0, "p99": 15.0}, "1080p30": {"p50": 12.0, "p99": 25.0}}
"""What an unloaded machine with two cores shall reach, with no frame dropped."""


class LastFrameSink(MemorySink):
    """Keeps the last frame only, so that a long run takes no more memory than a short one."""

    def write(self, frame: Frame) -> None:
        """Keep one frame instead of the one before."""
        self.frames[:] = [frame]


def live_latency(
    size: str, *, model: str = "grid", duration_s: float = 20.0, latency_budget_ms: float = 50.0
) -> dict[str, object]:
    """Added latency, age, drops and modes of a 30 fps test pattern; the load before and after.

    The first frames are made by a curve while the model loads, and count as all others do: `modes`
    says how many they were.
    """
    source = f"lavfi:testsrc2=s={size}:r=30"
    load_before = load_average()[0]
    summary = enhance_live(
        source,
        [SinkPlace("memory", LastFrameSink())],
        model=model,
        duration_s=duration_s,
        latency_budget_ms=latency_budget_ms,
    )
    return {
        "source": source,
        "model": model,
        "latency_budget_ms": latency_budget_ms,
        "load_average": {"before": round(load_before, 2), "after": round(load_average()[0], 2)},
        **dataclasses.asdict(summary),
    }


TARGET_S = 2.0
"""Within this time after the choice a mode that holds 30 fps shall be reached."""
RATE = 30
HELD_S = 2.0
"""A rate that was kept for so long is held."""


@dataclass(frozen=True)
class Shown:
    """One frame that went out.

    Attributes:
        time_s: when, on a clock that never runs backward.
        latency_ms: since the source had handed it over.
        mode: what had made it.
    """

    time_s: float
    latency_ms: float
    mode: str


def held_after_s(
    shown: Sequence[Shown], since_s: float, budget_ms: float, *, enhanced: bool = False
) -> float | None:
    """Seconds from `since_s` until frames were in time, and stayed so for `HELD_S`.

    A frame is late if it took more than the budget, or came more than two and a half frame
    intervals after the one before. With `enhanced`, frames that passed through count as late.
    None if it never was so, or not for long enough.
    """
    begin_s, previous_s = None, since_s
    for frame in shown:
        if frame.time_s < since_s:
            continue
        late = frame.latency_ms > budget_ms or frame.time_s - previous_s > 2.5 / RATE
        previous_s = frame.time_s
        if late or (enhanced and frame.mode == START):
            begin_s = None
        elif begin_s is None:
            begin_s = frame.time_s
        if begin_s is not None and frame.time_s - begin_s >= HELD_S:
            return round(begin_s - since_s, 3)
    return None


def governor_settling(
    model: Path | None = None,
    *,
    size: str = "1280x720",
    duration_s: float = 20.0,
    latency_budget_ms: float = 50.0,
) -> dict[str, object]:
    """Run a 30 fps test pattern with a `unet` model, and choose it once more halfway.

    Args:
        model: a `unet` file; None makes one of random weights, which takes as long.
        size: of the pattern.
        duration_s: of the run.
        latency_budget_ms: how long a frame may be with us.

    Returns:
        `from_start` and `from_choice`, the seconds until 30 fps were held, and until they were held
        with enhanced frames, see `held_after_s`; how many frames went out, in which
        modes, and how many of them were late; the load before and after.
    """
    load_before, source = load_average()[0], f"lavfi:testsrc2=s={size}:r={RATE}"
    with scratch_folder("bench") as folder:
        file = model or _random_unet(folder / "unet.onnx")
        watch = _Watch(ladder_for(file, budget_ms=latency_budget_ms), file.stem, duration_s / 2)
        place = SinkPlace("null", NullSink())
        run = LiveRun(LiveSource(source), watch.ladder, [place], on_frame=watch)
        summary = run.run(duration_s=duration_s)
    late = sum(frame.latency_ms > latency_budget_ms for frame in watch.shown)
    return {
        "target_s": TARGET_S,
        "source": source,
        "model": "unet, random weights" if model is None else model.name,
        "latency_budget_ms": latency_budget_ms,
        "load_average": {"before": round(load_before, 2), "after": round(load_average()[0], 2)},
        "from_start": _held(watch.shown, watch.start_s, latency_budget_ms),
        "from_choice": _held(watch.shown, watch.choice_s, latency_budget_ms),
        "late_percent": round(100 * late / max(1, len(watch.shown)), 2),
        "frames": summary.frames,
        "dropped": summary.dropped,
        "fps": summary.fps,
        "latency_ms": summary.latency_ms,
        "modes": summary.modes,
    }


def _held(shown: Sequence[Shown], since_s: float, budget_ms: float) -> dict[str, float | None]:
    return {
        "held_s": held_after_s(shown, since_s, budget_ms),
        "held_enhanced_s": held_after_s(shown, since_s, budget_ms, enhanced=True),
    }


class _Watch:
    """Notes every frame that goes out, and chooses the model again when its time has come."""

    def __init__(self, ladder: Ladder, model: str, choose_after_s: float) -> None:
        self.ladder = ladder
        self.shown: list[Shown] = []
        self.start_s = time.monotonic()
        self.choice_s = self.start_s + choose_after_s
        self._model = model
        self._chosen = False

    def __call__(self, frame: Frame) -> None:
        now_s = time.monotonic()
        latency_ms = 1000 * (now_s - (frame.arrival_time_s or now_s))
        self.shown.append(Shown(now_s, latency_ms, self.ladder.mode))
        if now_s >= self.choice_s and not self._chosen:
            self._chosen = True
            self.ladder.governor.choose(self._model)


def _random_unet(path: Path) -> Path:
    import torch

    from tapetum.gan.checkpoint import build_generator
    from tapetum.gan.export import export_onnx

    torch.manual_seed(0)
    export_onnx(build_generator("unet").eval(), path)
    return path
