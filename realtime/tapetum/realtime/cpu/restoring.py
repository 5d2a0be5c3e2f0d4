"""The restoring stage: takes noise out of a stream's frames before they are brightened.

Causal, in the frames' own YUV: averaged over time where the picture rests (`restoring_time`),
smoothed over space where it does not (`restoring_space`), both by the noise that is measured in
the pictures themselves (`noise_level`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import GRID_SHAPE, LEVELS
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.camera_motion import CameraMotion
from tapetum.realtime.cpu.fixed_point import (
    FIXED_BITS,
    TABLE_SIZE,
    Fixed,
    Samples,
    fixed_samples,
    frame_samples,
    halve,
)
from tapetum.realtime.cpu.grid_axis import Floats, level_axis
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.noise_level import MeasuredFrames, NoiseLevel
from tapetum.realtime.cpu.restored_plane import (
    NOTHING,
    RestoredPlane,
    still_tolerance_factors,
    tolerance_factors,
)
from tapetum.realtime.cpu.restoring_light import new_light, relight, relight_cells
from tapetum.realtime.cpu.restoring_space import (
    WHOLE,
    Cells,
    FineChroma,
    describe_cells,
)
from tapetum.realtime.cpu.restoring_time import (
    ONE_FRAME,
    Evidence,
    binomial_lean,
    learn,
    weigh_evidence,
    wide_lean,
)
from tapetum.realtime.cpu.shifted_plane import shift_evidence
from tapetum.realtime.cpu.side_by_side import cores
from tapetum.realtime.cpu.still_noise import StillNoise, still_noise
from tapetum.realtime.cpu.wide_changes import WIDE, compare_wide, texture_told
from tapetum.realtime.frame import Frame
from tapetum.realtime.sample_range import sample_range

_FINE_TOLERANCE = 6.0
"""In deviations of the noise, of chroma finer than the frame's, which is averaged with nothing."""
_FADE_FROM, _FADE_TO = 1.05, 1.35
"""Slopes of the brightening curve up to which nothing, and from which all is restored."""
_AROUND = 7
"""Steps of 256 of luma below and above that noise goes over."""
_LONGEST_S = 1.0
"""After a longer pause, or a step back in time, a frame has nothing to do with those before."""
_LEAST_SEEN = 0.03
"""Share of the picture that must be restored for any of it to be."""
_SOON = 30
"""Frames for which what is known is kept up where there is no noise: it may come again."""
_SIDE, _SELDOM, _MOVING = 8, 8, 32
"""Cells across and down, frames that a cell must rest on, and cells that rest on fewer from which a
block moves. Noise alone leaves up to 26 of 64."""
LEAST_DEPTH = 10
"""Bits of a restored level: with fewer the averaging of frames would be rounded away."""
_UNLIKE = -1
"""No sample is like this."""


class Restorer:
    """Takes the noise out of one stream's frames.

    Example:
        restorer = Restorer()
        for frame, grid in stream:
            planes = apply_grid(frame, grid, seen=restorer(frame, grid))
    """

    def __init__(self, denoise: Denoise = "off", *, sparing: bool = False) -> None:
        """Start with no past.

        Args:
            denoise: `auto`: all noise that two frames show where the picture is brightened, and
                nothing where it is not; a number from 0 to 1: this share of it everywhere, by what
                one picture shows too; `off`: nothing.
            sparing: whether noise that stays the same is measured in few frames, and a result is
                kept for `may_rest`: for live video, where time is short. In files noise is measured
                in all: 0.1 dB nearer to the truth.
        """
        self.denoise = denoise
        self._sparing = sparing
        self._state: _State | None = None
        self._looked_at: Frame | None = None
        self._slopes = GridTables()

    def __call__(
        self, frame: Frame, grid: Floats, share: float = 1.0, *, may_rest: bool = False
    ) -> Frame | None:
        """Restore the next frame.

        Args:
            frame: in main memory; any size and format.
            grid: (8, 8, 16, 16) what will brighten it; not written to any more.
            share: of what is restored in the result, from 0 to 1.
            may_rest: whether the frame before may do for this one, where nothing but noise is new:
                most of the work is spared then, and all is learnt from the frame as ever. For a
                sparing restorer alone.

        Returns:
            The frame in planar YUV of at least 10 bits, its levels shifted up by those that are
            more and hold their fractions, for `apply_grid`'s `seen`: until the next call, which
            writes to the same memory. None where there is nothing to do: a picture that is not
            brightened, or has no noise, or HDR. Where it rests, the very object that was returned
            before.

        Raises:
            DeviceError: the frame is not in main memory.
        """
        slope = self._slope(frame, grid)
        weights = self._weights(slope)
        if frame.color.is_hdr or not weights.any():
            self.reset()
            return None
        if self._looked_at is not frame:
            self.look_at(frame)
        self._looked_at = None  # it belongs to who made it
        if self._state is None:
            careful = self.denoise == "auto"
            self._state = _State(frame, careful=careful, sparing=self._sparing)
            self._state.look_at(frame)
        return self._state.restored(frame, weights, slope, share, may_rest=may_rest)

    def look_at(self, frame: Frame) -> None:
        """Do what of the next call needs no grid, while that is predicted.

        Args:
            frame: that of the next call, which else does this itself.

        Raises:
            DeviceError: the frame is not in main memory.
        """
        if self._state is not None and not self._state.is_followed_by(frame):
            self._state = None
        if self._state is not None:
            self._state.look_at(frame)
        self._looked_at = frame

    def follow(self, shift: npt.NDArray[np.float64]) -> None:
        """Move what is known of the stream by (2,) rows and columns of pixels."""
        if self._state is not None:
            self._state.follow(shift)

    @property
    def is_first(self) -> bool:
        """Whether the last frame was a stream's first, of which nothing else was known."""
        return self._state is not None and self._state.is_first

    @property
    def fine_chroma(self) -> FineChroma:
        """What noise there is in the chroma that 4:2:0 leaves out, in the frame restored last."""
        if self._state is None:
            raise ValueError("no frame was restored")
        return self._state.fine_chroma

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        self._state = self._looked_at = None

    def _slope(self, frame: Frame, grid: Floats) -> Floats:
        kind = frame.format_name, frame.full_range
        return self._slopes("slope", grid, kind, lambda: curve_slope(frame, grid))

    def _weights(self, slope: Floats) -> Fixed:
        """(256,) the share of a restored sample in the result, by luma."""
        if self.denoise != "auto":
            all_alike = 0 if self.denoise == "off" else float(self.denoise)
            return np.full(TABLE_SIZE, round(all_alike * WHOLE), np.int16)
        share = np.clip((slope - _FADE_FROM) / (_FADE_TO - _FADE_FROM), 0, 1)
        weights: Fixed = np.rint(share * WHOLE).astype(np.int16)
        return weights


def warm_up(frame: Frame) -> None:
    """Use what is compiled to restore and then to brighten, on noise in the format of a frame."""
    rng = np.random.default_rng(0)
    layout = frame.format
    side, level = 64, 1 << (layout.depth - 8 + layout.shift)
    identity = np.zeros(GRID_SHAPE, np.float32)
    restorer = Restorer(1.0)
    for low in (40, 40, 40, 60):  # the last is brighter
        shapes = [plane[:side, :side].shape for plane in frame.planes]
        shapes[1:] = [(-(-shapes[0][0] >> layout.chroma_y), columns) for _, columns in shapes[1:]]
        values = (rng.integers(low, low + 16, shape) * level for shape in shapes)
        planes: Any = tuple(plane.astype(frame.planes[0].dtype) for plane in values)
        noisy = replace(frame, planes=planes, pts=None, alpha=None)
        restored = restorer(noisy, identity)
        if restored is not None:
            apply_grid(noisy, identity, seen=restored)
    restorer.follow(np.ones(2))  # no camera is seen to move in so small a picture


def curve_slope(frame: Frame, grid: Floats) -> Floats:
    """(256,) how much steeper than the picture a grid makes noise, by luma: the mean of all cells.

    Noise goes over some levels, so that where the curve is flat in a few of them, it is as steep to
    noise as around.
    """
    levels = sample_range(frame)
    step = (1 << frame.format.depth) // TABLE_SIZE
    by_coefficient = _slopes(levels.black // step, levels.luma_span // step)
    slope = by_coefficient @ grid[:2].mean(axis=(2, 3)).reshape(-1)
    around = np.pad(np.abs(slope), _AROUND, mode="edge")
    means = np.convolve(around, np.full(2 * _AROUND + 1, 1 / (2 * _AROUND + 1)), mode="valid")
    steepest: Floats = np.maximum(slope, means).astype(np.float32)
    return steepest


@lru_cache(maxsize=16)
def _slopes(black: int, span: int) -> Floats:
    """(256, 2 LEVELS) how steep each luma becomes by each level's gain and offset."""
    axis = level_axis(TABLE_SIZE, black, span)
    place = np.repeat(np.arange(LEVELS - 1), np.diff(axis.starts))
    luma, weight = axis.luma[:, np.newaxis], axis.weight[:, np.newaxis]
    levels = np.eye(LEVELS)
    share = levels[place] * (1 - weight) + levels[place + 1] * weight
    bright = np.concatenate([share * luma, share], axis=1)
    slopes: Floats = np.gradient(bright, axis.luma, axis=0).astype(np.float32)
    return slopes


def moves(evidence: Evidence) -> bool:
    """Whether a thing of 16x16 pixels or more, by the evidence of its cells, moves in a picture.

    Noise alone looks like motion in some cells, but in few of any 8x8, as blocks of both grids,
    one of them moved by half a block, show.

    Args:
        evidence: (h, w).
    """
    seldom_seen = (evidence < _SELDOM * ONE_FRAME).view(np.uint8)
    return any(_most_in_blocks(seldom_seen[at:, at:]) > _MOVING for at in (0, _SIDE // 2))


def _most_in_blocks(cells: Evidence) -> int:
    rows, columns = (side // _SIDE for side in cells.shape)
    if not rows or not columns:
        return _SIDE * _SIDE  # too small to tell
    whole = cells[: rows * _SIDE, : columns * _SIDE]
    bands = whole.reshape(rows, _SIDE, -1).sum(axis=1, dtype=np.uint8)
    # The highest byte of this product is the sum of all eight: many times quicker than their sums.
    eights = bands.reshape(-1).view(np.uint64) * np.uint64(0x0101010101010101)
    return int(eights.max() >> np.uint64(56))


class _State:
    """What is known of a stream, for frames of one size and format; all is allocated once."""

    def __init__(self, frame: Frame, *, careful: bool, sparing: bool) -> None:
        layout = frame.format
        height, width = -(-frame.height // 2), -(-frame.width // 2)
        self._kind = _kind(frame)
        self._time_s = frame.time_s
        self._is_new = True
        self._is_changed = False
        self._result: Frame | None = None
        self._careful, self._sparing = careful, sparing
        self._measuring = MeasuredFrames(sparing=sparing)
        self._noise = NoiseLevel(sample_range(frame), layout.depth)
        self._camera = CameraMotion((height, width))
        self._evidence, self._spare = np.full((2, height, width), ONE_FRAME, np.uint8)
        self._share: Fixed = np.full((height, width), (1 << FIXED_BITS) - 1, np.int16)
        self._cells = Cells(*(np.empty((height, width), np.int16) for _ in Cells._fields))
        self._half, self._last = ([*np.empty((3, height, width), np.int16)] for _ in "ab")
        self._relit = np.empty((2, height, width), np.int16)
        self._grey: Fixed = np.full((height, width), 1 << (FIXED_BITS - 1), np.int16)
        self._black = float(sample_range(frame).black << (FIXED_BITS - layout.depth))
        self._frames = self._idle = 0
        blocks = -(-height // WIDE), -(-width // WIDE)
        self._wide, self._flatness = (np.ones(blocks, np.float32) for _ in "ab")
        chroma_shape = -(-frame.height >> layout.chroma_y), -(-frame.width >> layout.chroma_x)
        chroma_cell = 1 - layout.chroma_y, 1 - layout.chroma_x
        self._planes = (
            RestoredPlane((frame.height, frame.width), (1, 1)),
            RestoredPlane(chroma_shape, chroma_cell),
            RestoredPlane(chroma_shape, chroma_cell),
        )
        self._depth = max(layout.depth, LEAST_DEPTH)
        infix = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}[layout.chroma_x, layout.chroma_y]
        self._format_name = f"yuv{infix}p{self._depth}le"
        self._top = ((1 << layout.depth) - 1) << (FIXED_BITS - layout.depth)

    @property
    def is_first(self) -> bool:
        """Whether one frame is known."""
        return self._frames == 1

    @property
    def fine_chroma(self) -> FineChroma:
        """What noise there is in finer chroma than that of the frame restored last."""
        factor = _FINE_TOLERANCE * max(self._noise.fineness, 0.5)
        u, v = (factor * float(own) for own in self._noise.chroma)
        return FineChroma(self._cells.weight, (u, v))

    def is_followed_by(self, frame: Frame) -> bool:
        """Whether a frame goes on with the stream."""
        last_s, self._time_s = self._time_s, frame.time_s
        return _kind(frame) == self._kind and follows(last_s, frame.time_s)

    def look_at(self, frame: Frame) -> None:
        """Measure the noise of the next frame, and bring what is known into its light and place."""
        sources = frame_samples(frame)
        self._half, self._last = self._last, self._half
        for source, plane, half in zip(sources, self._planes, self._half, strict=True):
            halve(source, plane.across, plane.down, half)
        last: Fixed | None = None
        if self._frames:
            last = self._last[0] if self._is_new else self._in_new_light()
        self._frames += 1
        if self._measuring(self._noise):
            in_same_light = last is self._last[0]
            chroma = self._last[1:] if in_same_light and self._measuring.in_a_row else ()
            self._noise.measure(sources[0], self._half, last, chroma)
        if not self._is_new:
            self._follow_camera()

    def restored(
        self,
        frame: Frame,
        weights: Fixed,
        slope: Floats,
        part: float,
        *,
        may_rest: bool,
    ) -> Frame | None:
        """Learn from a frame that was looked at, and restore a part of it; None without noise."""
        sources = frame_samples(frame)
        noise: NoiseLevel | StillNoise = self._noise
        if self._frames == 1:
            self._learn(sources)
            noise = self._still_noise(frame)
        share = noise.share(slope, careful=self._careful)
        weights = np.rint(weights * share).astype(np.int16)
        is_seen = float((weights * noise.seen).sum()) > _LEAST_SEEN * WHOLE
        self._idle = 0 if is_seen else self._idle + 1
        if self._idle > _SOON or (self._idle and self._is_new):
            self._is_new, self._result = True, None
            return None
        self._weigh_evidence(self._noise.deviation(slope, over_time=True))
        may_rest = may_rest and not self._is_new and not self._is_changed
        self._is_changed = False
        self._is_new = False
        if isinstance(noise, StillNoise):
            smoothed, tolerances = noise.luma, self._still_tolerances(noise)
        else:
            self._learn(sources)
            if may_rest and self._result is not None and not moves(self._evidence):
                return self._result
            smoothed, tolerances = self._noise.deviation(slope) * share, self._tolerances()
        weights = np.rint(weights * part).astype(np.int16)
        known, flatness = self._planes[0].known, self._flatness
        describe_cells(known, flatness, self._evidence, smoothed, weights, self._cells)
        made_of = self._cells.weight, self._top, self._depth
        luma, *chroma = (
            partial(plane.restored, source, tolerance, *made_of)
            for source, plane, tolerance in zip(sources, self._planes, tolerances, strict=True)
        )
        y, (u, v) = cores().side_by_side(luma, lambda: [plane() for plane in chroma])
        restored = replace(frame, planes=(y, u, v), format_name=self._format_name)
        self._result = restored if self._sparing else None  # no frame belongs to what files keep
        return restored

    def _learn(self, sources: tuple[Samples, Samples, Samples]) -> None:
        """Move the estimates towards a frame."""
        luma, *chroma = zip(sources, self._planes, strict=True)

        def learn_chroma() -> None:
            for own in chroma:
                self._learn_plane(*own)

        cores().side_by_side(lambda: self._learn_plane(*luma), learn_chroma)

    def _learn_plane(self, source: Samples, plane: RestoredPlane) -> None:
        at_once = plane.across and plane.down
        half = plane.known if at_once else NOTHING
        learn(source, self._share, plane.across, plane.down, plane.estimate, half)
        if plane.known is not plane.estimate and not at_once:
            halve(fixed_samples(plane.estimate), plane.across, plane.down, plane.known)

    def _still_noise(self, frame: Frame) -> StillNoise:
        """What the first frame, just learnt, shows by itself."""
        full = [plane.estimate for plane in self._planes]
        levels, depth = sample_range(frame), frame.format.depth
        return still_noise(full, self._half, levels, depth, careful=self._careful)

    def _in_new_light(self) -> Fixed:
        """Bring what is known into the light of the new frame; and the frame before, returned."""
        luma, *chroma = self._planes
        light = new_light(self._half[0], luma.known, self._black)
        self._is_changed |= light is not None
        if light is None:
            last: Fixed = self._last[0]
            return last
        relit, gains = self._relit
        relight_cells(luma.known, light, relit, gains)
        relight(luma.estimate, luma.known, relit, gains, luma.across, luma.down)
        luma.known[...] = relit
        for plane in chroma:
            relight(plane.estimate, self._grey, self._grey, gains, plane.across, plane.down)
            if plane.known is not plane.estimate:
                relight(plane.known, self._grey, self._grey, gains, 0, 0)
        relight_cells(self._last[0], light, relit, gains)
        lit: Fixed = relit
        return lit

    def _follow_camera(self) -> None:
        noise = float(self._noise.luma @ self._noise.seen)
        shift = self._camera(self._half[0], self._planes[0].known, noise)
        if shift is not None:
            self.follow(shift)

    def follow(self, shift: npt.NDArray[np.float64]) -> None:
        """Move what is known by (2,) rows and columns of pixels."""
        self._is_changed = True
        for plane in self._planes:
            plane.follow(shift)
        rows, columns = np.rint(shift / 2).astype(int)
        shift_evidence(self._evidence, int(rows), int(columns), self._spare)
        self._evidence, self._spare = self._spare, self._evidence
        self._last[0].fill(_UNLIKE)  # all of the picture is new

    def _weigh_evidence(self, deviation: Floats) -> None:
        if self._is_new:
            self._evidence[:] = ONE_FRAME
            self._flatness[:] = 1
            self._share[:] = (1 << FIXED_BITS) - 1
            return
        noise = self._noise
        leans = (
            np.float32(binomial_lean(noise.whiteness)),
            np.float32(wide_lean(noise.whiteness)),
        )
        known = [plane.known for plane in self._planes]
        told = np.float32(texture_told(noise.width))
        wide = self._wide, self._flatness
        compare_wide(self._half[0], known[0], deviation, noise.luma, leans[1], told, *wide)
        weigh = partial(
            weigh_evidence,
            (self._half[0], self._half[1], self._half[2]),
            (known[0], known[1], known[2]),
            self._last[0],
            self._wide,
            deviation,
            noise.resting_chroma,
            leans,
            self._evidence,
            self._share,
        )
        cores().side_by_side(*(partial(weigh, rows) for rows in halves(len(self._share))))

    def _tolerances(self) -> list[tuple[Fixed, list[float]]]:
        """For each plane: what tolerance depends on by cell, and a factor for each scale."""
        cells = self._cells.deviation, self._cells.remains, self._cells.remains
        return list(zip(cells, tolerance_factors(self._noise), strict=True))

    def _still_tolerances(self, noise: StillNoise) -> list[tuple[Fixed, list[float]]]:
        """The same for a first frame."""
        return [(self._cells.deviation, factors) for factors in still_tolerance_factors(noise)]


def halves(rows: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and the last rows of cells, so many blocks each."""
    middle = rows // (2 * WIDE) * WIDE
    return (0, middle), (middle, rows)


def follows(last_s: float | None, time_s: float | None) -> bool:
    """Whether a frame of one time goes on with what a frame of another showed."""
    return last_s is None or time_s is None or 0 <= time_s - last_s <= _LONGEST_S


def _kind(frame: Frame) -> tuple[str, tuple[int, ...], bool]:
    return frame.format_name, frame.planes[0].shape, frame.full_range
