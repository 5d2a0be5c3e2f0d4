"""One live stream's bilateral grid: when it is predicted anew, how it moves, how it is applied.

Once there is a picture it never gets darker for want of time: a frame is enhanced by the last
grid, or by its curve, whatever the network does. All looks are grids, so that a stream goes from
one to another by blending coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.cpu.grid_strength import strengthened
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.side_by_side import cores
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.live.global_curve import (
    LookUp,
    apply_curve,
    flattened,
    guessed_curve,
    look_up_by_numpy,
    node_weights,
)
from tapetum.realtime.live.kept_grid import KeptGrid, SamePicture
from tapetum.realtime.live.look_pace import LookPace, PacedLook
from tapetum.realtime.live.mixed_planes import mixed_planes
from tapetum.realtime.live.noise_pace import NoisePace
from tapetum.realtime.sample_range import sample_range
from tapetum.realtime.temporal import VIEW, FrameClock, TemporalFilter, guide_view, is_cut

_ELSEWHERE = ("", False)
"""The style of a look that was not made here, and is no curve."""
_SAMPLES = 6
"""Luma samples across and down of each of the VIEW x VIEW places at which a frame is looked."""
_SINGLE = 64
"""Rows and columns of pixels whose noise is looked at, too."""
_MEASURED = 180
"""Rows of a picture that are looked at for its mean luma, about."""
CHANGED = 0.02
"""Mean change of the guide (square root of luma) that calls for a new grid at once; two looks at
a noisy picture differ by half as much."""
STILL = CHANGED / 2
"""A picture that changed by less is still: a new grid would hardly differ, and may wait."""
_LONG_STILL = 4
"""So many looks in a row at a still picture say that it will go on to be."""
_MOST_TIMES = 2
"""So many frames in a row that bring nothing but other noise may be the one before again."""
BLEND_S = 0.5
"""In this time one look goes over into another, or in longer where that would be seen."""
LONGEST_STEP_S = 1 / 15
"""No frame goes further on such a way than in this time, however rarely frames come."""
_WEIGHTS_S = 0.5
"""Time constant of the weights by which a grid becomes one curve."""
_LONGEST_PAUSE_S = 0.5
"""A longer one counts as this where noise is taken out: what is known of a stream outlasts it."""


class ApplyGrid(Protocol):
    """Enhances a frame's planes by a grid; see `tapetum.realtime.cpu.grid_kernels.apply_grid`."""

    def __call__(
        self,
        frame: Frame,
        grid: Floats,
        *,
        seen: Frame | None = None,
        tables: GridTables | None = None,
    ) -> tuple[Plane, ...]:
        """New planes, of the frame's format, made of what is `seen` in its place."""


class Restorer(Protocol):
    """Takes noise out of a stream's frames; see `tapetum.realtime.cpu.restoring.Restorer`."""

    def __call__(self, frame: Frame, grid: Floats, share: float, *, may_rest: bool) -> Frame | None:
        """The frame restored by a share, the one before again, or None: nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """The compiled parts that a grid model comes with, see `rung.load_kernels`.

    Attributes:
        thumbnail: what the network sees of a frame.
        apply_grid: enhances a frame's planes by a grid.
        look_up: enhances a plane by a table.
        restorer: makes what takes noise out of one stream, and measures it now and then.
        tables: makes what keeps the tables of one stream's grid.
    """

    thumbnail: Callable[[Frame], Floats]
    apply_grid: ApplyGrid
    look_up: LookUp
    restorer: Callable[[Denoise], Restorer]
    tables: Callable[[], GridTables]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done for each frame.

    Attributes:
        frames: after so many frames the network looks again, after twice as many at a still one,
            and four and eight times as many where it has been still for some looks, and for more.
        seconds: after so long it does so at the latest, whatever the frame rate.
        flat: whether one curve does for the whole picture.
        restores: whether noise is taken out first.
        pause_s: from one frame to the next, at least; those between are left out.
    """

    frames: int
    seconds: float = 1.0
    flat: bool = False
    restores: bool = False
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """Who says what a picture shall look like.

    Attributes:
        name: of the model.
        grid: what it said last.
        small: the thumbnail that it was said of.
        needed: share of the model's effect, 0 to 1, that the picture needs; 0 if it is well lit.
    """

    name: str
    grid: Floats
    small: Floats
    needed: float = 1.0


@dataclass(frozen=True, slots=True)
class _AtRest:
    """What may do for the next frame, too, if that brings nothing but other noise."""

    grid: Floats
    seen: Frame
    planes: tuple[Plane, ...]
    times: int


class GridStream:
    """Makes every frame of one stream bright, with as much effort as it is told.

    Attributes:
        scene: a number that changes at every cut.
    """

    def __init__(self, aim: Aim = ALWAYS, *, denoise: Denoise = "off") -> None:
        """Start with no past.

        Args:
            aim: when pictures are made bright, and how bright, while no model says it.
            denoise: how much noise is taken out where the effort allows it.
        """
        self.scene = 0
        self._aim = aim
        self._denoise: Denoise = denoise
        self._restorer: Restorer | None = None
        self._view: Floats | None = None
        self._look: Look | None = None
        self._look_view: Floats | None = None
        self._look_guide: Floats | None = None
        self._look_time_s = 0.0
        self._frames = self._still_looks = 0
        self._look_weights: Floats | None = None
        self._weights: Floats | None = None
        self._filter = TemporalFilter()
        self._clock = FrameClock()
        self._elapsed_s = 0.0
        self._time_s = 0.0
        self._paced = PacedLook()
        self._noise = NoisePace(self._paced.pace)
        self._at_rest: _AtRest | None = None
        self._shown: tuple[Plane, ...] = ()
        self._shown_luma = 0.0
        self._kept = KeptGrid()
        self._same = SamePicture()
        self._tables: GridTables | None = None
        self._style: tuple[str, bool] | None = None
        self._way: Floats | None = None
        self._way_left = 0.0

    @property
    def pace(self) -> LookPace:
        """How far its look may move from frame to frame."""
        return self._paced.pace

    @property
    def is_leaving(self) -> bool:
        """Whether noise was taken out of the last frame only to leave that by small steps."""
        return self._noise.is_leaving

    def look_at(self, frame: Frame) -> None:
        """Take a glance at the next frame: whether it is another scene, and how much changed."""
        rows = frame.luma_rows(VIEW * _SAMPLES)
        view = _view(frame, rows)
        if self._view is not None and is_cut(self._view, view):
            self.scene += 1
            self._look = self._paced.shown = self._style = self._weights = None
        self._view = view
        self._elapsed_s = self._clock(frame.time_s)
        self._time_s += min(self._elapsed_s, _LONGEST_PAUSE_S)
        self._paced.look_at(view * view, self._elapsed_s, noisy=_single_pixels(frame, rows))
        self._frames += 1

    def is_due(self, name: str, effort: Effort, now_s: float) -> bool:
        """Whether a model shall look at this frame again.

        Args:
            name: of the model.
            effort: how much shall be done.
            now_s: the time, on a clock that never runs backward.
        """
        if self._look is None or self._look.name != name or self._look_view is None:
            return True
        change = self._change()
        frames = effort.frames
        if change <= STILL:
            frames *= 2 << min(self._still_looks // _LONG_STILL, 2)
        late = self._frames >= frames or now_s - self._look_time_s >= effort.seconds
        return late or change > CHANGED

    def change_aim(self, aim: Aim) -> None:
        """Have the next frame looked at again: pictures shall be made bright in another way."""
        if aim != self._aim:
            self.pace.follow_wish()
        self._aim, self._look_view = aim, None

    def take(self, look: Look, now_s: float) -> None:
        """Take what a model says of this frame, or of one just before it."""
        if self._look is None or self._look.name != look.name:
            self._filter.reset()
        self._still_looks = self._still_looks + 1 if self._change() <= STILL else 0
        self._look, self._look_view, self._look_time_s = look, self._view, now_s
        self._frames, self._look_weights = 0, None
        self._look_guide = guide_view(look.small)

    def continue_from(self, grid: Floats) -> None:
        """Go over from the look of a picture that was made elsewhere, given as a grid."""
        self._paced.shown, self._style = grid, _ELSEWHERE

    def enhanced(self, frame: Frame, *, effort: Effort, strength: float, kernels: Kernels) -> Frame:
        """Enhance the frame that was looked at, by what was taken last.

        Args:
            frame: in main memory.
            effort: how much shall be done.
            strength: from 0 to 2.
            kernels: the compiled parts.

        Raises:
            RuntimeError: nothing was taken in this scene.
        """
        if self._look is None or self._look_guide is None:
            raise RuntimeError("no model has looked at this scene")
        grid, guide = self._look.grid, self._look_guide
        steady = self._filter.smoothed(grid, view=guide, time_s=frame.time_s)
        if effort.flat:
            steady = flattened(steady, self._steady_weights(self._look))
        shown = self._paced.towards(
            self._on_the_way(steady, (self._look.name, effort.flat)), strength
        )
        mixed = strengthened(shown, strength)
        restores = self._noise.begins(restores=effort.restores)
        if effort.flat and shown is steady and not restores:
            return self._with(frame, apply_curve(frame, mixed, kernels.look_up))
        kept = self._kept(mixed, self._paced.shares)
        way = kept, restores
        planes = self._same.planes(frame, self._view, *way) if self._noise.rests else None
        if planes is None:
            with cores().taken():
                planes = self._made(frame, kept, kernels, restores=restores)
            self._same.keep(frame, self._view, planes, *way)
        return self._with(frame, planes)

    def _made(
        self, frame: Frame, grid: Floats, kernels: Kernels, *, restores: bool
    ) -> tuple[Plane, ...]:
        if self._tables is None:
            self._tables = kernels.tables()
        if not restores:
            return kernels.apply_grid(frame, grid, tables=self._tables)
        if self._restorer is None:
            self._restorer = kernels.restorer(self._denoise)
        return self._restored(frame, grid, kernels, self._restorer)

    def _restored(
        self, frame: Frame, grid: Floats, kernels: Kernels, restorer: Restorer
    ) -> tuple[Plane, ...]:
        """The planes without noise, or on the way there."""
        noise = self._noise
        before, self._at_rest = self._at_rest, None
        may_rest = before is not None and before.grid is grid and noise.is_settled
        timed = replace(frame, pts=round(self._time_s / frame.time_base))
        seen = restorer(timed, grid, 1.0, may_rest=may_rest)
        if before is not None and seen is before.seen:
            if before.times < _MOST_TIMES:
                self._at_rest = replace(before, times=before.times + 1)
            return before.planes
        planes = kernels.apply_grid(frame, grid, seen=seen, tables=self._tables)
        if seen is None:
            noise.find_none()
        elif noise.is_settled:
            self._at_rest = _AtRest(grid, seen, planes, 1)
        else:
            planes = self._on_noise_s_way(frame, grid, kernels, planes)
        return planes

    def _on_noise_s_way(
        self, frame: Frame, grid: Floats, kernels: Kernels, clean: tuple[Plane, ...]
    ) -> tuple[Plane, ...]:
        """The planes without noise, mixed with those that have it, as far as that is seen."""
        noisy: tuple[Plane, ...] | None = None
        if self._noise.part == 1:  # and will be, as a rule: its mean luma does
            few = _measured(frame)
            before = _mean_luma(few, kernels.apply_grid(few, grid))
        else:
            noisy = kernels.apply_grid(frame, grid, tables=self._tables)
            before = _mean_luma(frame, noisy)
        part = self._noise.go_on(_mean_luma(frame, clean) - before)
        if part == 1:
            return clean
        if noisy is None:
            noisy = kernels.apply_grid(frame, grid, tables=self._tables)
        return mixed_planes(noisy, clean, part)

    def _with(self, frame: Frame, planes: tuple[Plane, ...]) -> Frame:
        """The frame as it is shown; where that has led is measured, for the steps to come."""
        if planes is not self._shown:
            self._shown, self._shown_luma = planes, _mean_luma(frame, planes)
        self.pace.position = self._shown_luma
        return frame.with_planes(planes)

    def guessed(self, frame: Frame, *, strength: float) -> Frame:
        """Enhance the frame that was looked at with nothing but NumPy, while all else loads.

        By the curve of what was shown before, or else by one that its luma suggests.
        """
        shown = self._flattened()
        return self._by_curve(
            frame, guessed_curve(self._luma(), self._aim) if shown is None else shown, strength
        )

    def curved(self, frame: Frame, *, strength: float) -> Frame:
        """Enhance the frame that was looked at by the curve that its luma suggests.

        What was shown before goes over into that at its pace.
        """
        self._paced.shown = self._flattened()
        return self._by_curve(frame, guessed_curve(self._luma(), self._aim), strength)

    def _flattened(self) -> Floats | None:
        """What was shown, as a curve that is as bright; None if nothing was in this scene."""
        shown = self._paced.shown
        if shown is not None and self._style is not None:
            shown = self._paced.as_bright(flattened(shown, node_weights(self._luma())))
        self._style = None
        return shown

    def _by_curve(self, frame: Frame, curve: Floats, strength: float) -> Frame:
        mixed = strengthened(self._paced.towards(curve, strength), strength)
        return self._with(frame, apply_curve(frame, mixed, look_up_by_numpy))

    def _luma(self) -> Floats:
        view = self._view
        luma: Floats = np.zeros((VIEW, VIEW), np.float32) if view is None else view * view
        return luma

    def _change(self) -> float:
        """Mean change of the guide since the last look."""
        if self._view is None or self._look_view is None:
            return 1.0
        return float(np.abs(self._view - self._look_view).mean())

    def _steady_weights(self, look: Look) -> Floats:
        """How many pixels each node stands for, smoothed: a new look must not make a step."""
        if self._look_weights is None:
            self._look_weights = node_weights(np.tensordot(_LUMA, look.small[0, :, ::4, ::4], 1))
        if self._weights is None or self._style != (look.name, True):
            self._weights = self._look_weights
        share = np.float32(min(self._elapsed_s, LONGEST_STEP_S) / _WEIGHTS_S)
        self._weights = self._weights + share * (self._look_weights - self._weights)
        return self._weights

    def _on_the_way(self, wanted: Floats, style: tuple[str, bool]) -> Floats:
        """The wanted grid, or in the time after a change of style one that is nearer and nearer."""
        if style != self._style:
            self._way = None if self._paced.shown is None else self._paced.shown - wanted
            self._style, self._way_left = style, 1.0
        if self._way is None:
            return wanted
        self._way_left -= min(self._elapsed_s, LONGEST_STEP_S) / BLEND_S
        if self._way_left > 0:
            return wanted + np.float32(self._way_left) * self._way
        self._way = None
        return wanted


def _measured(frame: Frame) -> Frame:
    """Of a frame the rows by which `_mean_luma` goes."""
    step = _measured_step(frame.height)
    planes: Any = tuple(np.ascontiguousarray(plane[::step]) for plane in frame.planes)
    return replace(frame, planes=planes, alpha=None)


def _measured_step(height: int) -> int:
    return max(1, height // _MEASURED)


def _mean_luma(frame: Frame, planes: tuple[Plane, ...]) -> float:
    """Mean luma of planes of a frame's format, in levels of 255, by some of their samples."""
    rows = planes[0][:: _measured_step(len(planes[0]))]
    mean = float(rows.sum(dtype=np.uint32 if rows.itemsize == 1 else np.uint64)) / rows.size
    levels = sample_range(frame)
    return 255 * (mean / (1 << frame.format.shift) - levels.black) / levels.luma_span


_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def _view(frame: Frame, rows: Plane) -> Floats:
    """The guide, square root of luma, at VIEW x VIEW places, from few samples of each."""
    count = VIEW * _SAMPLES
    columns = np.arange(count) * frame.width // count
    # Rows before columns, in numbers no wider than they must be: several times quicker in NumPy.
    wide = np.uint16 if rows.itemsize == 1 else np.uint32
    bands = rows.reshape(VIEW, _SAMPLES, -1).sum(1, dtype=wide)
    sums = bands.take(columns, 1).reshape(VIEW, VIEW, _SAMPLES).sum(2, dtype=np.uint32)
    means = sums / np.float32(_SAMPLES * _SAMPLES << frame.format.shift)
    view: Floats = np.sqrt(np.clip(_luma_of(frame, means), 0, 1))
    return view


def _single_pixels(frame: Frame, rows: Plane) -> Floats:
    """Luma of 64 pixels of each of 64 rows, about 0 to 1: what noise takes below black is below."""
    columns = np.arange(_SINGLE) * frame.width // _SINGLE
    pixels = rows[:: len(rows) // _SINGLE, columns] >> frame.format.shift
    return _luma_of(frame, pixels.astype(np.float32))


def _luma_of(frame: Frame, levels: Floats) -> Floats:
    own = sample_range(frame)
    return (levels - np.float32(own.black)) / np.float32(own.luma_span)
