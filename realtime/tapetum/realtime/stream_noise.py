"""The noise of one stream, measured in main memory, for a device that restores its frames itself.

It is measured by the CPU path's own code, so that a device takes out the same: of the first frames,
and then of every fourth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.fixed_point import FIXED_BITS, TABLE_SIZE, Fixed, frame_samples, halve
from tapetum.realtime.cpu.noise_level import MeasuredFrames, NoiseLevel
from tapetum.realtime.cpu.restored_plane import still_tolerance_factors, tolerance_factors
from tapetum.realtime.cpu.restoring import follows
from tapetum.realtime.cpu.restoring_light import new_light, relight_cells, samples_every
from tapetum.realtime.cpu.restoring_time import binomial_lean, wide_lean
from tapetum.realtime.cpu.still_noise import StillNoise, still_noise
from tapetum.realtime.cpu.wide_changes import texture_told
from tapetum.realtime.frame import Frame
from tapetum.realtime.sample_range import sample_range


class NoiseOfFrame(NamedTuple):
    """What restoring a frame goes by; deviations are in the fixed-point units of `fixed_point`.

    Attributes:
        luma: (256,) deviation at half size, by luma.
        seen: (256,) share of the picture of each luma.
        chroma: (2,) of U and of V where they rest; see `NoiseLevel.resting_chroma`.
        floor: what rounding makes, which is no noise.
        blocked: 1 where a codec left nothing but blocks, 0 where it left all.
        coded: 1 where blocks differ by what a codec left of noise, 0 where by a sensor's.
        smoothness: 0 for white noise, 1 for noise as smooth as a codec leaves it.
        leans: of `binomial_lean` and `wide_lean`.
        told: of `texture_told`.
        factors: (3, 4) of the tolerances of Y, U and V, at full size and each half of it.
        still: whether one frame alone was measured, by itself; all factors are then of
            `Cells.deviation`.
        sure: whether noise was ever measured over time.
    """

    luma: npt.NDArray[np.float32]
    seen: npt.NDArray[np.float64]
    chroma: npt.NDArray[np.float32]
    floor: float
    blocked: float
    coded: float
    smoothness: float
    leans: tuple[float, float]
    told: float
    factors: list[list[float]]
    still: bool
    sure: bool


NO_NOISE = NoiseOfFrame(
    luma=np.ones(TABLE_SIZE, np.float32),
    seen=np.zeros(TABLE_SIZE),
    chroma=np.zeros(2, np.float32),
    floor=1.0,
    blocked=0.0,
    coded=0.0,
    smoothness=0.0,
    leans=(0.0, 0.0),
    told=0.0,
    factors=[[0.0] * 4] * 3,
    still=False,
    sure=False,
)
"""Of a frame that stays as it is."""


class StreamNoise:
    """The noise of one stream of frames of one format and range."""

    def __init__(self, frame: Frame, denoise: Denoise) -> None:
        """Start with no past.

        Args:
            frame: the first, in any memory.
            denoise: as for `Restorer`; not `off`.
        """
        self._kind = _kind(frame)
        self._time_s = frame.time_s
        self._careful = denoise == "auto"
        self._noise = NoiseLevel(sample_range(frame), frame.format.depth)
        self._is_measured = MeasuredFrames(sparing=True)
        self._is_first = True
        self._chroma: list[Fixed] = []

    def is_followed_by(self, frame: Frame) -> bool:
        """Whether a frame goes on with the stream."""
        last_s, self._time_s = self._time_s, frame.time_s
        return _kind(frame) == self._kind and follows(last_s, frame.time_s)

    def step(self, fetch: Callable[[], Frame], last: Callable[[], Fixed]) -> NoiseOfFrame:
        """Go on to the next frame, and measure it, where that is due.

        Args:
            fetch: gives the frame in main memory.
            last: gives (h, w) luma of the frame before at half size, fixed-point.
        """
        is_first, self._is_first = self._is_first, False
        if self._is_measured(self._noise):
            frame = fetch()
            half = _halved(frame)
            before = None if is_first else last()
            known = None if before is None else _in_light(before, half[0], frame)
            in_same_light = known is before
            chroma = self._chroma if in_same_light and self._is_measured.in_a_row else []
            self._noise.measure(frame_samples(frame)[0], half, known, chroma)
            self._chroma = half[1:]
            if is_first:
                return self._told(_noise_by_itself(frame, half, careful=self._careful))
        return self._told(None)

    def _told(self, still: StillNoise | None) -> NoiseOfFrame:
        noise = self._noise
        measured = noise if still is None else still
        factors = tolerance_factors(noise) if still is None else still_tolerance_factors(still)
        return NoiseOfFrame(
            measured.luma,
            measured.seen,
            noise.resting_chroma,
            noise.floor,
            noise.blocked,
            noise.coded,
            1 - noise.whiteness,
            (binomial_lean(noise.whiteness), wide_lean(noise.whiteness)),
            texture_told(noise.width),
            factors,
            still is not None,
            noise.sure,
        )


def light_samples(width: int, height: int) -> tuple[int, int]:
    """Of how many means of a picture one is compared where its light changes; and how many."""
    return samples_every((-(-height // 2), -(-width // 2)))


def compile_noise() -> None:
    """Use what measures noise once, on noise: it is compiled then, in seconds, once a machine."""
    rng = np.random.default_rng(0)
    planes: Any = (
        rng.integers(40, 56, (128, 128)).astype(np.uint8),
        rng.integers(120, 136, (64, 128)).astype(np.uint8),
    )
    frame = Frame(planes, "nv12")
    stream, same = StreamNoise(frame, "auto"), _halved(frame)[0]
    darker = (same - np.int16(640)).astype(np.int16)
    for _ in range(2):
        stream.step(lambda: frame, lambda: same)
    stream.step(lambda: frame, lambda: darker)


def _kind(frame: Frame) -> tuple[str, bool]:
    return frame.format_name, frame.full_range


def _halved(frame: Frame) -> list[Fixed]:
    """Y, U and V of a 4:2:0 frame at half the size of Y."""
    down, across = -(-frame.height // 2), -(-frame.width // 2)
    half = [np.empty((down, across), np.int16) for _ in range(3)]
    for source, out, by in zip(frame_samples(frame), half, (1, 0, 0), strict=True):
        halve(source, by, by, out)
    return half


def _in_light(last: Fixed, half: Fixed, frame: Frame) -> Fixed:
    """Luma of the frame before in the light of this one."""
    black = float(sample_range(frame).black << (FIXED_BITS - frame.format.depth))
    light = new_light(half, last, black)
    if light is None:
        return last
    lit: Fixed = np.empty_like(last)
    relight_cells(last, light, lit, np.empty_like(last))
    return lit


def _noise_by_itself(frame: Frame, half: list[Fixed], *, careful: bool) -> StillNoise:
    """What one frame shows."""
    full = [np.empty((frame.height, frame.width), np.int16), *half[1:]]
    halve(frame_samples(frame)[0], 0, 0, full[0])
    return still_noise(full, half, sample_range(frame), frame.format.depth, careful=careful)
