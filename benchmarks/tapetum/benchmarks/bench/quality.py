"""How good the pictures are, next to how fast: a well-lit clip is darkened and enhanced again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.bench.subjects import Subject
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import clip_frames
from tapetum.benchmarks.measure.quality import flicker
from tapetum.realtime import Frame
from tapetum.realtime.media.av_frame import from_av, to_av

Rgb = npt.NDArray[np.uint8]
"""(H, W, 3)."""

FRAMES = 24
EXPOSURE = 1 / 12
"""Share of the light that is left, in linear light."""
_SHOT_NOISE, _READ_NOISE = 1e-4, 1e-3
_GAMMA = 2.2


@cache
def quality(subject: Subject, truth: Path, seed: int = 0) -> dict[str, float]:
    """Measure the pictures of a subject against a well-lit clip.

    Returns:
        `psnr_db` over RGB, the mean over the frames; `niqe` of the last frame; `flicker_levels`,
        see `measure.quality.flicker`; and `truth_niqe`, `truth_flicker_levels` of the clip itself.

    Raises:
        BenchmarkError: OpenCV is missing, or the clip is too short or too small.
        MediaError: the clip cannot be read.
    """
    lit = well_lit(truth)
    from tapetum.gan.metrics import psnr_db
    from tapetum.gan.niqe import luma_of, niqe

    enhance = subject.make()
    enhanced = [enhance(frame) for frame in darkened(lit, seed=seed)]
    pictures = [(_rgb(bright), _rgb(wanted)) for bright, wanted in zip(enhanced, lit, strict=True)]
    return {
        "psnr_db": round(float(np.mean([psnr_db(*pair) for pair in pictures])), 2),
        "niqe": round(niqe(luma_of(pictures[-1][0])), 3),
        "truth_niqe": round(niqe(luma_of(pictures[-1][1])), 3),
        "flicker_levels": round(flicker(_means(enhanced)), 3),
        "truth_flicker_levels": round(flicker(_means(lit)), 3),
    }


@cache
def well_lit(truth: Path) -> tuple[Frame, ...]:
    """The frames of a clip that subjects are measured against.

    Raises:
        BenchmarkError: OpenCV is missing, or the clip is too short or too small.
        MediaError: it cannot be read.
    """
    try:
        from tapetum.gan.niqe import TOO_SMALL, large_enough
    except ImportError as error:
        raise BenchmarkError(f"--truth needs {error.name}: pip install 'tapetum[bench]'") from error
    frames = clip_frames(truth, count=FRAMES)
    if not large_enough(frames[0].height, frames[0].width):
        raise BenchmarkError(f"{truth} {TOO_SMALL}")
    return frames


def darkened(frames: Sequence[Frame], *, seed: int = 0) -> list[Frame]:
    """The frames as a camera with a twelfth of the light would have taken them, as 8-bit 4:2:0.

    Poisson-Gaussian noise in linear light, as in `tapetum.gan.darken`, which needs PyTorch.
    """
    rng = np.random.default_rng(seed)
    return [_darkened(frame, rng) for frame in frames]


def _darkened(frame: Frame, rng: np.random.Generator) -> Frame:
    light = (_rgb(frame).astype(np.float32) / 255) ** _GAMMA * np.float32(EXPOSURE)
    noise = rng.standard_normal(light.shape, np.float32)
    light += noise * np.sqrt(np.float32(_SHOT_NOISE) * light + np.float32(_READ_NOISE**2))
    dark = np.rint(255 * np.clip(light, 0, 1) ** (1 / _GAMMA)).astype(np.uint8)
    picture = av.VideoFrame.from_ndarray(dark, "rgb24").reformat(
        threads=1, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    return from_av(picture, pts=frame.pts, time_base=frame.time_base, duration=frame.duration)


def _rgb(frame: Frame) -> Rgb:
    return np.asarray(to_av(frame).to_ndarray(format="rgb24"), np.uint8)


def _means(frames: Sequence[Frame]) -> npt.NDArray[np.float64]:
    """Mean luma of each frame, in 8-bit levels."""
    scale = 1 << (frames[0].format.depth + frames[0].format.shift - 8)
    return np.array([frame.planes[0].mean() / scale for frame in frames])
