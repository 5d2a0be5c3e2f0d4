"""The enhancers taken apart: the same public parts in the same order, with a clock between them.

A staged enhancer must give the same pixels as the one that it stands for; `checks` holds it to
that, so that the times of the stages are those of the real thing.
"""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np
import numpy.typing as npt

from tapetum.realtime import Frame
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.cpu.unet_enhancer import NetworkModel, UNetEnhancer
from tapetum.realtime.protocols import Engine
from tapetum.realtime.temporal import TemporalFilter

Floats = npt.NDArray[np.float32]


class StageClock:
    """Durations of stages in milliseconds, by name."""

    def __init__(self) -> None:
        self.durations_ms: dict[str, list[float]] = defaultdict(list)
        self._last_ns = 0

    def start(self) -> None:
        """The first stage of a frame begins now."""
        self._last_ns = time.perf_counter_ns()

    def end(self, stage: str) -> None:
        """A stage ends now, and the next one begins."""
        now_ns = time.perf_counter_ns()
        self.durations_ms[stage].append((now_ns - self._last_ns) / 1e6)
        self._last_ns = now_ns


class StagedGrid:
    """`GridEnhancer` at strength 1 in its parts.

    Attributes:
        clock: durations of the stages.
        grid: the coefficients (8, 8, 16, 16) that the last frame was enhanced by.
    """

    def __init__(self, engine: Engine) -> None:
        self.clock = StageClock()
        self.grid: Floats = np.zeros(0, np.float32)
        self._engine = engine
        self._filter = TemporalFilter()

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        self.clock.start()
        small = thumbnail(frame)
        self.clock.end("thumbnail")
        predicted = self._engine(small)[0]
        self.clock.end("engine")
        self.grid = self._filter(predicted, thumbnail=small, time_s=frame.time_s)
        self.clock.end("temporal filter")
        enhanced = frame.with_planes(apply_grid(frame, self.grid))
        self.clock.end("apply")
        return enhanced


class StagedUNet:
    """`UNetEnhancer` at strength 1, with a clock around its engine.

    Attributes:
        clock: durations of the stages. With several tiles, cutting and blending count as
            conversion.
    """

    def __init__(self, model: NetworkModel) -> None:
        self.clock = StageClock()
        self._model = _ClockedModel(model)
        self._enhancer = UNetEnhancer(self._model)

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        began_ns = time.perf_counter_ns()
        self._model.spent_ns = 0
        enhanced = self._enhancer(frame)
        whole_ms = (time.perf_counter_ns() - began_ns) / 1e6
        engine_ms = self._model.spent_ns / 1e6
        self.clock.durations_ms["engine"].append(engine_ms)
        self.clock.durations_ms["convert"].append(whole_ms - engine_ms)
        return enhanced


class _ClockedModel:
    """A network model whose engines add up the time that they take."""

    def __init__(self, model: NetworkModel) -> None:
        self.spent_ns = 0
        self._model = model

    @property
    def description(self) -> str:
        return self._model.description

    def compile(
        self, input_shape: tuple[int, ...], output_shape: tuple[int, ...] | None = None
    ) -> Engine:
        return _ClockedEngine(self._model.compile(input_shape, output_shape), self)


class _ClockedEngine:
    def __init__(self, engine: Engine, total: _ClockedModel) -> None:
        self._engine = engine
        self._total = total

    @property
    def description(self) -> str:
        return self._engine.description

    def __call__(self, batch: Floats) -> Floats:
        began_ns = time.perf_counter_ns()
        result = self._engine(batch)
        self._total.spent_ns += time.perf_counter_ns() - began_ns
        return result
