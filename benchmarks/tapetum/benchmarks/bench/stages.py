"""The enhancers taken apart: the same public parts in the same order, with a clock between them.

A staged enhancer must give the same pixels as the one that it stands for; `checks` holds it to
that, so that the times of the stages are those of the real thing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.measure.clocks import StageClock, nbytes
from tapetum.realtime import Frame
from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.grid_strength import strengthened
from tapetum.realtime.cpu.hdr_light import shown_thumbnail
from tapetum.realtime.cpu.picture_of_frame import Picture, PictureFinder
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.cpu.unet_enhancer import Light, NetworkModel, UNetEnhancer
from tapetum.realtime.exposure import cell_luma, darkness_by_cell
from tapetum.realtime.frame import Plane
from tapetum.realtime.protocols import Engine
from tapetum.realtime.temporal import TemporalFilter

Floats = npt.NDArray[np.float32]


class Staged(Protocol):
    """An enhancer in its parts.

    Attributes:
        clock: what its stages took.
    """

    clock: StageClock

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""


class StagedWhole:
    """An enhancer that nobody takes apart: one stage.

    Attributes:
        clock: what it took.
    """

    def __init__(self, enhance: Callable[[Frame], Frame]) -> None:
        self.clock = StageClock()
        self._enhance = enhance

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        self.clock.start()
        enhanced = self._enhance(frame)
        self.clock.end("enhance", nbytes(*frame.planes, *enhanced.planes))
        return enhanced


class StagedGrid:
    """`GridEnhancer` at strength 1, which leaves what is well lit, in its parts.

    Args:
        engine: maps a thumbnail to a grid.
        denoise: how much noise is taken out first.

    Attributes:
        clock: what the stages took.
        grid: the coefficients (8, 8, 16, 16) that the last frame was enhanced by.
    """

    def __init__(self, engine: Engine, denoise: Denoise = "off") -> None:
        self.clock = StageClock()
        self.grid: Floats = np.zeros(0, np.float32)
        self._engine = engine
        self._picture = PictureFinder()
        self._filter = TemporalFilter()
        self._restorer = Restorer(denoise)

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        self.clock.start()
        picture = self._picture(frame)
        small = shown_thumbnail(picture.seen, frame.color)
        self.clock.end("thumbnail", nbytes(*frame.planes, small))
        predicted = self._engine(small)[0]
        self.clock.end("engine", nbytes(small, predicted))
        aimed = strengthened(predicted, darkness_by_cell(cell_luma(small)))
        self.clock.end("darkness", nbytes(small, predicted, aimed))
        self.grid = self._filter(aimed, thumbnail=small, time_s=frame.time_s)
        self.clock.end("temporal filter", nbytes(small, aimed, self.grid))
        restored = None
        if self._restorer.denoise != "off":
            restored = self._restorer(picture.frame, self.grid)
            planes = restored.planes if restored is not None else ()
            self.clock.end("denoise", nbytes(*frame.planes, *planes))
        enhanced = picture.replaced_in(frame, apply_grid(picture.frame, self.grid, seen=restored))
        self.clock.end("apply", nbytes(*frame.planes, self.grid, *enhanced.planes))
        return enhanced


class StagedUNet:
    """`UNetEnhancer` at strength 1, with a clock around its engine.

    Attributes:
        clock: what the stages took. With several tiles, cutting and blending count as
            conversion.
    """

    def __init__(self, model: NetworkModel, light: Light | None = None) -> None:
        self.clock = StageClock()
        self._model = _ClockedModel(model)
        self._light = None if light is None else _ClockedLight(light)
        self._enhancer = UNetEnhancer(self._model, aim=Aim(), light=self._light)

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        model = self._model
        model.spent_ns = model.spent_cpu_ns = model.moved_bytes = 0
        began_ns, began_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        enhanced = self._enhancer(frame)
        cpu_ns = time.process_time_ns() - began_cpu_ns - model.spent_cpu_ns
        wall_ns = time.perf_counter_ns() - began_ns - model.spent_ns
        if self._light is not None:
            light_ns, light_cpu_ns = self._light.taken()
            cpu_ns, wall_ns = cpu_ns - light_cpu_ns, wall_ns - light_ns
            self.clock.add("light", light_ns, light_cpu_ns, 2 * nbytes(*frame.planes))
        self.clock.add("engine", model.spent_ns, model.spent_cpu_ns, model.moved_bytes)
        self.clock.add("convert", wall_ns, cpu_ns, nbytes(*frame.planes, *enhanced.planes))
        return enhanced


class _ClockedLight:
    """A light that adds up what it takes."""

    def __init__(self, light: Light) -> None:
        self._light = light
        self._spent_ns = self._spent_cpu_ns = 0

    @property
    def memory(self) -> object:
        return self._light.memory

    @memory.setter
    def memory(self, memory: object) -> None:
        self._light.memory = memory

    def enhance_picture(self, picture: Picture) -> tuple[Plane, ...] | None:
        began_ns, began_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        planes = self._light.enhance_picture(picture)
        self._spent_ns += time.perf_counter_ns() - began_ns
        self._spent_cpu_ns += time.process_time_ns() - began_cpu_ns
        return planes

    def reset(self) -> None:
        self._light.reset()

    def taken(self) -> tuple[int, int]:
        """Nanoseconds since the last call, on the wall and of processors."""
        taken = self._spent_ns, self._spent_cpu_ns
        self._spent_ns = self._spent_cpu_ns = 0
        return taken


class _ClockedModel:
    """A network model whose engines add up what they take."""

    def __init__(self, model: NetworkModel) -> None:
        self.spent_ns = self.spent_cpu_ns = self.moved_bytes = 0
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
        began_ns, began_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        result = self._engine(batch)
        self._total.spent_ns += time.perf_counter_ns() - began_ns
        self._total.spent_cpu_ns += time.process_time_ns() - began_cpu_ns
        self._total.moved_bytes += nbytes(batch, result)
        return result
