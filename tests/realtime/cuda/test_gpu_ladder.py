"""The modes of a live stream on a (simulated) GPU: down under load, up again, and without it."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import pytest
from support.ladder_parts import luma
from support.live_parts import wait_until
from support.simulated_gpu import SimulatedGPU

from tapetum.gan.cpu_runtime import has_cpu_runtime
from tapetum.gan.model_kinds import Kind
from tapetum.realtime import FileSource
from tapetum.realtime.cuda import round_trip
from tapetum.realtime.cuda.least_memory import least_bytes
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.live import model_ladder
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.modes import CURVE, START

pytestmark = pytest.mark.slow

MODES = ("unet on cuda", "unet-reduced on cuda", "grid on cuda")
LARGEST_STEP = 2.0
"""Levels of mean luma from frame to frame that nobody sees."""
LATE_MS = 1e6
PQ = ColorInfo(9, 1, 9, 16)
"""BT.2020, and HDR's own curve of light."""
FRAME_S = 0.04


class Stream:
    """A stream of dark pictures through a ladder.

    Attributes:
        frames: the pictures.
        ladder: that of a model.
        notices: what it said.
        modes: the mode of each frame.
        levels: the mean luma of each enhanced frame.
    """

    def __init__(self, model: str, clip: Path) -> None:
        with FileSource(clip) as source:
            frames = list(source)
        self.frames: Iterator[Frame] = cycle([*frames, *reversed(frames)])
        self.dark = max(map(luma, frames))
        self.notices, self.modes, self.levels = list[str](), list[str](), list[float]()
        self.ladder: Ladder = ladder_for(
            model, device="cuda", budget_ms=60_000, on_notice=self.notices.append
        )
        # The governor's time is that of the stream: its patience is the same on a busy machine.
        self._now_s = time.monotonic()
        self.ladder.governor._clock = lambda: self._now_s

    def goes_on_to(self, mode: str) -> None:
        """Send frames until that mode has made four in a row."""
        wait_until(lambda: self._next() and self.modes[-4:] == [mode] * 4, seconds=120)

    def goes_on(self, frames: int) -> None:
        for _ in range(frames):
            self._next()

    def _next(self) -> bool:
        self._now_s += FRAME_S
        self.levels.append(luma(self.ladder(next(self.frames))))
        self.modes.append(self.ladder.mode)
        return True

    def is_late(self) -> None:
        """Let the governor see frames that took far too long."""
        for _ in range(2):
            self.ladder.governor.record(LATE_MS)

    @property
    def way(self) -> list[str]:
        """The modes of models that made whole pictures or looks, each once where it begins."""
        changes = [self.modes[0], *(b for a, b in pairwise(self.modes) if a != b)]
        return [mode for mode in changes if mode in {*MODES, "grid", CURVE}]

    def assert_never_seen_to_change(self) -> None:
        assert max(abs(later - sooner) for sooner, later in pairwise(self.levels)) <= LARGEST_STEP
        assert min(self.levels) > self.dark + 5


def is_in_order(way: list[str], wanted: tuple[str, ...]) -> bool:
    """Whether the one has the other in it, with others that stood in between."""
    left = iter(way)
    return all(mode in left for mode in wanted)


def test_load_on_the_gpu_leads_down_its_modes_to_the_cpu_and_rest_up_again(
    gpu: SimulatedGPU, short_clip: Path
) -> None:
    stream = Stream("unet", short_clip)
    assert stream.ladder.models == (*MODES, "grid")
    for mode in MODES:
        stream.goes_on_to(mode)
        stream.is_late()
    assert stream.ladder.note == "unet on cuda would be late now; grid on cuda runs"
    stream.goes_on_to("grid")
    begin = len(stream.modes)
    for mode in reversed(MODES):
        stream.goes_on_to(mode)
    stream.goes_on(40)
    assert is_in_order(stream.way, (*MODES, "grid", *reversed(MODES)))
    assert not any(mode.startswith("grid-") for mode in stream.modes[begin:])
    stream.assert_never_seen_to_change()
    assert stream.ladder.mode == stream.ladder.governor.wanted == MODES[0]
    assert stream.ladder.note == ""
    assert gpu.launches > 0
    stream.ladder.close()


@pytest.mark.parametrize("mode", MODES)
def test_a_gpu_that_is_lost_takes_all_its_modes_with_it_in_one_line(
    gpu: SimulatedGPU, short_clip: Path, mode: str
) -> None:
    stream = Stream("unet", short_clip)
    for better in MODES[: MODES.index(mode)]:
        stream.goes_on_to(better)
        stream.is_late()
    stream.goes_on_to(mode)
    before = len(stream.notices)
    gpu.lost = True
    stream.goes_on_to("grid")
    stream.goes_on(20)
    (line,) = stream.notices[before:]
    assert line.startswith("unet on cuda is given up: cuda:0 cannot be used: ")
    assert line.endswith("; grid runs instead")
    assert stream.ladder.note == line
    assert stream.ladder.models == ("grid",)
    stream.assert_never_seen_to_change()
    stream.ladder.close()


def test_a_model_that_finds_no_room_leaves_the_gpu_to_the_next(
    gpu: SimulatedGPU, short_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more_for_unet(kind: Kind, *given: Any, **how: Any) -> int:
        return 1 << 50 if kind == "unet" else least_bytes(kind, *given, **how)

    monkeypatch.setattr(round_trip, "least_bytes", more_for_unet)
    stream = Stream("unet", short_clip)
    stream.goes_on_to("unet-reduced on cuda")
    assert stream.notices[-1].startswith("unet on cuda is given up: cuda:0 has not enough memory")
    assert stream.notices[-1].endswith("; unet-reduced on cuda runs instead")
    stream.is_late()
    stream.goes_on_to("grid on cuda")
    stream.goes_on_to("unet-reduced on cuda")
    stream.goes_on(20)
    stream.assert_never_seen_to_change()
    assert gpu.launches > 0
    stream.ladder.close()


def test_hdr_is_for_the_cpu_which_gives_it_its_own_light(
    gpu: SimulatedGPU, short_clip: Path
) -> None:
    stream = Stream("grid", short_clip)
    stream.goes_on_to("grid on cuda")
    frames = stream.frames
    stream.frames = (replace(frame, color=PQ) for frame in frames)
    stream.goes_on_to("grid")
    assert stream.ladder.note == "HDR is for the CPU; grid runs"
    stream.frames = frames
    stream.goes_on_to("grid on cuda")
    assert gpu.launches > 0
    stream.ladder.close()


def test_a_viewer_who_chooses_the_cpu_keeps_it(gpu: SimulatedGPU, short_clip: Path) -> None:
    stream = Stream("grid", short_clip)
    stream.goes_on_to("grid on cuda")
    stream.ladder.choose_next()
    assert stream.notices[-1] == "grid is wanted"
    stream.goes_on_to("grid")
    stream.goes_on(40)
    assert set(stream.modes[-40:]) == {"grid"}
    stream.assert_never_seen_to_change()
    assert gpu.launches > 0
    stream.ladder.close()


def test_a_cpu_that_is_late_does_not_keep_the_gpu_from_its_turn(
    gpu: SimulatedGPU, short_clip: Path
) -> None:
    """It only stands in: at 4K its `grid` may be late for ever, and the GPU's is not."""
    stream = Stream("grid", short_clip)
    stream.goes_on_to("grid")
    while stream.ladder.governor.mode != "grid-curve-8-fps":
        stream.is_late()
    stream.goes_on_to("grid on cuda")
    stream.goes_on(20)
    stream.assert_never_seen_to_change()
    assert gpu.launches > 0
    stream.ladder.close()


def without_cpu_runtime(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(model_ladder, "has_cpu_runtime", lambda: False)


def test_where_nothing_runs_models_on_the_cpu_a_curve_stands_in(
    gpu: SimulatedGPU, short_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the GPU's model is there, under load, and where the GPU is lost."""
    without_cpu_runtime(monkeypatch)
    stream = Stream("grid", short_clip)
    assert stream.notices[0].startswith("nothing that runs models on the CPU is installed ")
    assert stream.ladder.models == ("grid on cuda", CURVE)
    stream.ladder.wait_for_model()
    stream.goes_on(4)
    assert stream.modes[0] == CURVE
    assert stream.ladder.running in {"a simple curve (curve)", "grid on cuda:0, simulated"}
    stream.goes_on_to("grid on cuda")
    stream.is_late()
    stream.goes_on_to(CURVE)
    stream.goes_on_to("grid on cuda")
    gpu.lost = True
    stream.goes_on_to(CURVE)
    stream.goes_on(40)
    assert START not in stream.modes
    assert stream.notices[-1].startswith("grid on cuda is given up: ")
    assert stream.notices[-1].endswith("; curve runs instead")
    stream.assert_never_seen_to_change()
    stream.ladder.close()


def test_what_runs_models_on_the_cpu_is_known() -> None:
    installed = any(importlib.util.find_spec(name) for name in ("openvino", "onnxruntime"))
    assert has_cpu_runtime() == installed
