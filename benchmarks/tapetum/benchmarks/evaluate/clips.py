"""Steadiness of an enhancer over clips: flicker, and change along the motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import flicker
from tapetum.realtime import FileSource, Frame, FrameEnhancer

Luma = npt.NDArray[np.float32]
"""(H, W) in [0, 1]."""

_FLOW_WIDTH = 480
"""Motion is estimated on frames of this width."""

_LEAST_FRAMES = 4
"""Flicker is the deviation of second differences: there must be two of them."""


@dataclass(frozen=True)
class ClipScore:
    """Figures of a clip before and after enhancing (and before encoding).

    Attributes:
        clip: file name.
        frames: how many there were.
        mean_luma: mean over the clip, 8-bit levels.
        flicker: standard deviation of the second difference of the mean luma, 8-bit levels.
        warped_error: see `warped_error`, averaged over the pairs of frames.
    """

    clip: str
    frames: int
    mean_luma: tuple[float, float]
    flicker: tuple[float, float]
    warped_error: tuple[float, float]


def score_clip(clip: Path, enhancer: FrameEnhancer) -> ClipScore:
    """Measure a clip.

    Raises:
        BenchmarkError: the clip is too short.
        MediaError: the clip cannot be read.
    """
    means: list[tuple[float, float]] = []
    errors: list[tuple[float, float]] = []
    previous: tuple[Luma, Luma] | None = None
    for dark, bright in _enhanced(clip, enhancer):
        pair = _small_luma(dark), _small_luma(bright)
        means.append((_mean_level(dark), _mean_level(bright)))
        if previous is not None:
            errors.append(_warped_errors(previous, pair))
        previous = pair
    if len(means) < _LEAST_FRAMES:
        raise BenchmarkError(
            f"{clip} has {len(means)} frames, too few to measure flicker: it takes at least "
            f"{_LEAST_FRAMES}"
        )
    before, after = np.array(means).T
    return ClipScore(
        clip=clip.name,
        frames=len(means),
        mean_luma=(round(float(before.mean()), 1), round(float(after.mean()), 1)),
        flicker=(round(flicker(before), 3), round(flicker(after), 3)),
        warped_error=_rounded_mean(errors),
    )


def warped_error(
    before: Luma, after: Luma, flow: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_]
) -> float:
    """Mean squared change of luma along the motion, times 1000.

    Lai et al., "Learning blind video temporal consistency" (2018), equation 9, on luma.

    Args:
        before: frame t - 1.
        after: frame t.
        flow: (H, W, 2), where each pixel of `after` was in `before`, relative to itself.
        seen: pixels that both frames show.
    """
    change = (after - _warped(before, flow))[seen]
    return 1000 * float(np.mean(change**2)) if change.size else 0.0


def _enhanced(clip: Path, enhancer: FrameEnhancer) -> Iterator[tuple[Frame, Frame]]:
    with FileSource(clip) as source:
        for frame in source:
            yield frame, enhancer(frame)


def _mean_level(frame: Frame) -> float:
    return float(frame.planes[0].mean()) / (1 << (frame.format.depth - 8))


def _small_luma(frame: Frame) -> Luma:
    peak = (1 << frame.format.depth) - 1
    luma = (frame.planes[0] >> frame.format.shift).astype(np.float32) / np.float32(peak)
    height = max(1, round(frame.height * _FLOW_WIDTH / frame.width))
    small = cv2.resize(luma, (_FLOW_WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)


def _warped_errors(before: tuple[Luma, Luma], after: tuple[Luma, Luma]) -> tuple[float, float]:
    """The error of the dark and of the enhanced frames, along the same motion."""
    # The enhanced frames show the motion best.
    flow, seen = _motion(before[1], after[1])
    return warped_error(before[0], after[0], flow, seen), warped_error(
        before[1], after[1], flow, seen
    )


def _motion(before: Luma, after: Luma) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Flow from `after` back to `before`, and where it agrees with the flow forth."""
    levels = [(luma * 255).astype(np.uint8) for luma in (before, after)]
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    still = np.zeros((*before.shape, 2), np.float32)
    back = np.asarray(estimator.calc(levels[1], levels[0], still.copy()), dtype=np.float32)
    forth = np.asarray(estimator.calc(levels[0], levels[1], still.copy()), dtype=np.float32)
    returned = back + _warped(forth, back)
    seen = np.hypot(returned[..., 0], returned[..., 1]) < 1
    return back, np.asarray(seen, dtype=np.bool_)


def _warped(picture: npt.NDArray[np.float32], flow: npt.NDArray[np.float32]) -> Luma:
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    place_x, place_y = columns + flow[..., 0], rows + flow[..., 1]
    warped = cv2.remap(picture, place_x, place_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, dtype=np.float32)


def _rounded_mean(errors: list[tuple[float, float]]) -> tuple[float, float]:
    before, after = np.mean(errors, axis=0)
    return round(float(before), 4), round(float(after), 4)
