"""How near each way of taking noise out comes to the truth, on the same frames in one run.

A well-lit clip is darkened with and without noise (`recordings`). Each way restores the noisy one;
then one and the same grid, predicted from the noisy frames, brightens all of them, and the truth.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from tapetum.benchmarks.evaluate.recordings import (
    CONDITIONS,
    FRAMES,
    Recording,
    encoded,
    record,
)
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.metrics import ssim
from tapetum.realtime import Frame, make_enhancer
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.frame import Plane as FramePlane

Plane = npt.NDArray[np.float32]
"""(H, W), 8-bit levels with fractions."""
Grid = npt.NDArray[np.float32]

_WARM_UP = 12
"""Frames that are not measured: what averages over time needs some."""
_MOVES = 2.0
"""Change of the bright truth, in levels and softened, from which a place moves."""
_PAST = 3
"""A trail is looked for in what the truth was so many frames before."""
_MEAN_SQUARE_PEAK = 255.0**2
_DEEP = "yuv420p10le"

FILTERS = {
    "hqdn3d": ("hqdn3d=4", "hqdn3d=8", "hqdn3d=16"),
    "atadenoise": ("atadenoise", "atadenoise=0a=.06:0b=.12:1a=.06:1b=.12:2a=.06:2b=.12"),
    "nlmeans": ("nlmeans=s=3:r=9", "nlmeans=s=6:r=9"),
    "bm3d": ("bm3d=sigma=3", "bm3d=sigma=6"),
}
"""Of the ffmpeg program, each with some strengths, of which that with the least error counts."""
NOTHING, TAPETUM = "nothing", "tapetum"


@dataclass(frozen=True)
class RestoringScore:
    """Figures of one way on one recording, after brightening; levels are of 8 bits.

    Attributes:
        clip: file name.
        conditions: name of what it was recorded under.
        way: `nothing`, `tapetum`, or the filter.
        psnr_db: of luma against the truth.
        chroma_psnr_db: of both chroma planes.
        ssim: of luma.
        moving_psnr_db: of luma where the truth moves; None where nothing does.
        static_psnr_db: of luma where it does not.
        temporal_noise: deviation over time of the error where nothing moves, levels.
        ghosting: share of the picture of three frames before that is left where it moves, percent.
        kilobytes: of a frame as H.264 of one quality.
    """

    clip: str
    conditions: str
    way: str
    psnr_db: float
    chroma_psnr_db: float
    ssim: float
    moving_psnr_db: float | None
    static_psnr_db: float | None
    temporal_noise: float
    ghosting: float
    kilobytes: float


class _Bright(NamedTuple):
    """A clip made bright: frames of 10 bits, and their luma and chroma as levels of 8."""

    frames: list[Frame]
    luma: list[Plane]
    chroma: list[tuple[Plane, Plane]]


def score_restoring(
    clip: Path, model: str, on_progress: Callable[[str, int, int], None] = lambda *_: None
) -> list[RestoringScore]:
    """Measure all ways on all recordings of a well-lit clip.

    Args:
        clip: well-lit, 8-bit 4:2:0.
        model: a grid model that brightens.
        on_progress: told what is measured, how many are done, and of how many.

    Raises:
        BenchmarkError: the clip is too short, the model has no grid, or there is no ffmpeg program.
        MediaError: the clip cannot be read.
        ModelError: there is no such model.
    """
    if shutil.which("ffmpeg") is None:
        raise BenchmarkError("no ffmpeg program is found, whose filters are compared; install it")
    scores: list[RestoringScore] = []
    total = len(CONDITIONS) * (2 + len(FILTERS))
    for conditions in CONDITIONS:
        recording = record(clip, conditions)
        grids = grids_of(recording.noisy, model)
        truth = brightened(recording.noisy, recording.truth, grids)
        for way in (NOTHING, TAPETUM, *FILTERS):
            variants = [
                _score(brightened(recording.noisy, seen, grids), truth)
                for seen in restored(recording, grids, way)
            ]
            best = max(variants, key=lambda score: score.psnr_db)
            scores.append(replace(best, clip=clip.name, conditions=conditions.name, way=way))
            on_progress("noise", len(scores), total)
    return scores


def grids_of(frames: Sequence[Frame], model: str) -> list[Grid]:
    """What a model brightens each frame by.

    Raises:
        BenchmarkError: the model has no grid.
        ModelError: there is no such model.
    """
    enhancer = make_enhancer(model)
    if not isinstance(enhancer, GridEnhancer):
        raise BenchmarkError(f"{model} has no grid; noise is taken out before one")
    return [enhancer.steady_grid(thumbnail(frame), time_s=frame.time_s) for frame in frames]


def restored(
    recording: Recording, grids: Sequence[Grid], way: str
) -> Iterator[Sequence[Frame | None]]:
    """The frames restored in one way, once for each of its strengths; None for a frame's own."""
    if way == NOTHING:
        yield [None] * FRAMES
    elif way == TAPETUM:
        restorer = Restorer("auto")
        yield [
            None if seen is None else _copied(seen)
            for seen in map(restorer, recording.noisy, grids)
        ]
    else:
        for description in FILTERS[way]:
            yield filtered(recording.noisy, description)


def _copied(frame: Frame) -> Frame:
    planes = tuple(plane.copy() for plane in frame.planes)
    return replace(frame, planes=planes)


def filtered(frames: Sequence[Frame], description: str) -> list[Frame]:
    """8-bit 4:2:0 frames through a filter of the ffmpeg program, at 10 bits where it can.

    Raises:
        BenchmarkError: ffmpeg failed, or gave another number of frames.
    """
    size = f"{frames[0].width}x{frames[0].height}"
    layout = ("-f", "rawvideo", "-s", size, "-r", "30", "-color_range", "tv")
    command = ("ffmpeg", "-v", "error", *layout, "-pix_fmt", _DEEP, "-i", "-")
    result = subprocess.run(
        [*command, "-vf", description, "-f", "rawvideo", "-pix_fmt", _DEEP, "-"],
        input=b"".join(plane.tobytes() for frame in frames for plane in _deep(frame).planes),
        capture_output=True,
        check=False,
    )
    if result.returncode:
        raise BenchmarkError(f"ffmpeg -vf {description}: {result.stderr.decode(errors='replace')}")
    samples = np.frombuffer(result.stdout, np.uint16)
    shapes = [plane.shape for plane in frames[0].planes]
    count = sum(rows * columns for rows, columns in shapes)
    if samples.size != count * len(frames):
        raise BenchmarkError(f"ffmpeg -vf {description} gave another number of frames")
    made = []
    for frame, own in zip(frames, samples.reshape(len(frames), count), strict=True):
        ends = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
        parts = zip(np.split(own, ends), shapes, strict=True)
        planes = tuple(part.reshape(shape) for part, shape in parts)
        made.append(replace(frame, planes=planes, format_name=_DEEP))
    return made


def _deep(frame: Frame) -> Frame:
    """An 8-bit frame with 10 bits."""
    planes = tuple((plane.astype(np.uint16) << 2).astype(np.uint16) for plane in frame.planes)
    return replace(frame, planes=planes, format_name=_DEEP)


def brightened(
    frames: Sequence[Frame], seen: Sequence[Frame | None], grids: Sequence[Grid]
) -> _Bright:
    """Make frames bright, by what was seen or restored of each; None for a frame's own."""
    made = []
    for frame, own, grid in zip(frames, seen, grids, strict=True):
        deep = _deep(frame)
        made.append(deep.with_planes(apply_grid(deep, grid, seen=own)))
    luma = [_levels(frame.planes[0]) for frame in made]
    chroma = [(_levels(frame.planes[1]), _levels(frame.planes[2])) for frame in made]
    return _Bright(made, luma, chroma)


def _levels(plane: FramePlane) -> Plane:
    """Samples of 10 bits as levels of 8."""
    levels: Plane = plane.astype(np.float32) / np.float32(4)
    return levels


def _score(result: _Bright, truth: _Bright) -> RestoringScore:
    """The figures of the frames after the warm-up."""
    measured = range(_WARM_UP, len(truth.luma))
    errors = {at: result.luma[at] - truth.luma[at] for at in range(_WARM_UP - 1, len(truth.luma))}
    moving = {at: where_it_moves(truth.luma, at) for at in measured}
    squares = np.array([np.square(errors[at]) for at in measured])
    where = np.array([moving[at] for at in measured])
    chroma = [
        np.mean(np.square(ours - own))
        for at in measured
        for ours, own in zip(result.chroma[at], truth.chroma[at], strict=True)
    ]
    steps = [np.square(errors[at] - errors[at - 1])[~moving[at]] for at in measured]
    return RestoringScore(
        *("", "", ""),
        psnr_db=_db(squares),
        chroma_psnr_db=_db(np.array(chroma)),
        ssim=round(float(np.mean([_luma_ssim(result, truth, at) for at in measured])), 4),
        moving_psnr_db=_db(squares[where]) if where.any() else None,
        static_psnr_db=_db(squares[~where]) if not where.all() else None,
        temporal_noise=round(float(np.sqrt(np.mean(np.concatenate(steps)) / 2)), 3),
        ghosting=round(100 * _ghosting(errors, truth.luma, moving), 2),
        kilobytes=round(_kilobytes(result.frames), 2),
    )


def _db(squares: npt.NDArray[np.floating]) -> float:
    return round(float(10 * np.log10(_MEAN_SQUARE_PEAK / max(np.mean(squares), 1e-6))), 3)


def where_it_moves(luma: Sequence[Plane], at: int) -> npt.NDArray[np.bool_]:
    """Where the truth changed within the last frames."""
    change = np.zeros_like(luma[at])
    for before in range(1, _PAST + 1):
        change = np.maximum(change, np.abs(luma[at] - luma[at - before]))
    soft = cv2.blur(change, (5, 5))
    moves: npt.NDArray[np.bool_] = soft > _MOVES
    return moves


def _ghosting(
    errors: dict[int, Plane], truth: Sequence[Plane], moving: dict[int, npt.NDArray[np.bool_]]
) -> float:
    """How much of the way back to the past the error goes, where the picture moves."""
    along = past = 0.0
    for at, where in moving.items():
        way = (truth[at - _PAST] - truth[at])[where].astype(np.float64)
        along += float(way @ errors[at][where])
        past += float(way @ way)
    return along / past if past else 0.0


def _luma_ssim(result: _Bright, truth: _Bright, at: int) -> float:
    pair = (
        np.rint(plane).clip(0, 255).astype(np.uint8) for plane in (result.luma[at], truth.luma[at])
    )
    return ssim(*(np.repeat(plane[..., np.newaxis], 3, axis=2) for plane in pair))


def _kilobytes(frames: Sequence[Frame]) -> float:
    """Of one frame, on average, as H.264."""
    eight = [
        replace(
            frame,
            planes=tuple(
                ((plane + 2) >> 2).clip(0, 255).astype(np.uint8) for plane in frame.planes
            ),
            format_name="yuv420p",
        )
        for frame in frames[_WARM_UP:]
    ]
    return len(encoded(eight, {"crf": "20", "preset": "veryfast"})) / len(eight) / 1000


def restoring_tables(scores: Sequence[RestoringScore]) -> list[Table]:
    """All figures, a table for each recording."""
    names = ("PSNR", "chroma", "SSIM", "moves", "rests", "noise", "trails", "kB")
    tables = list[Table]()
    for row in scores:
        title = f"{row.clip}, {row.conditions}"
        if not tables or str(tables[-1].title) != title:
            right = (Column(name, justify="right", no_wrap=True) for name in names)
            tables.append(Table(Column("way", no_wrap=True), *right, box=SIMPLE, title=Text(title)))
        figures = (row.psnr_db, row.chroma_psnr_db, row.ssim, row.moving_psnr_db)
        more = row.static_psnr_db, row.temporal_noise
        texts = ("" if figure is None else f"{figure:.2f}" for figure in (*figures, *more))
        tables[-1].add_row(row.way, *texts, f"{row.ghosting:.1f} %", f"{row.kilobytes:.1f}")
    return tables
