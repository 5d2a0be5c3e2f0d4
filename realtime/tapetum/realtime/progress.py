"""What a job tells its caller: what it builds and is about to do, how far it is, what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tapetum.realtime.frame import Frame
    from tapetum.realtime.protocols import FrameEnhancer

_FIRST_USE = "the first run on a machine compiles the pixel kernels, which takes some seconds"


@dataclass(frozen=True, slots=True)
class Building:
    """The state of a build, as an `on_build` callback gets it.

    Attributes:
        description: the model; at the start also sizes, GPU and compiler.
        phase: what the compiler does, in its own words; empty at the start.
        step: steps of the phase that are done.
        steps: its steps in all.
    """

    description: str
    phase: str = ""
    step: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """What is about to run, as the `on_start` callback gets it.

    Attributes:
        description: one line: input and its format, output, what runs where, encoder.
        total_frames: frames to come as far as the container says, or None.
        notices: what the user should know about this input and output.
    """

    description: str
    total_frames: int | None
    notices: tuple[str, ...]

    @classmethod
    def of(cls, files: str, *runs: str, total_frames: int | None, notices: tuple[str, ...]) -> Self:
        """What is about to run, with a word on what the first run on a machine waits for.

        Args:
            files: input and its format, output.
            runs: what runs where; the encoder.
            total_frames: frames to come, or None.
            notices: what the user should know.
        """
        from tapetum.realtime.cpu.compiled import is_cached

        if not is_cached():
            notices = (*notices, _FIRST_USE)
        return cls(" | ".join((files, *runs)), total_frames, notices)


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a job, as its `on_progress` callback gets it after each frame.

    Attributes:
        frames: frames done.
        total_frames: frames in all as far as the container says, or None.
        elapsed_s: wall-clock time since the job began, loading included.
        media_s: play time of the frames done.
        first_frame_s: of `elapsed_s`, what went by until the first frame was done: loading above
            all, which says nothing of the frames that are left.
    """

    frames: int
    total_frames: int | None
    elapsed_s: float
    media_s: float
    first_frame_s: float = 0.0

    @property
    def fps(self) -> float:
        """Frames per second so far."""
        return self.frames / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def speed(self) -> float:
        """Play time done per second of work: over 1 is faster than real time."""
        return self.media_s / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds that are left at the pace since the first frame; None where nobody knows."""
        if self.total_frames is None or self.frames == 0:
            return None
        left = max(0, self.total_frames - self.frames)
        if left == 0:
            return 0.0
        if self.frames == 1:
            return None
        return left * (self.elapsed_s - self.first_frame_s) / (self.frames - 1)


@dataclass(frozen=True, slots=True)
class EnhanceResult:
    """What `enhance_file` did.

    Attributes:
        input_path: the file that was read; the address or series of pictures as a `str`.
        output_path: the file that was written.
        model: the model's name or file.
        enhancer: what ran where, like "grid on CPU, OpenVINO f32".
        encoder: codec and settings, or the image format's suffix.
        width: of the output, in pixels.
        height: of the output, in pixels.
        frames: frames written.
        media_s: their play time in seconds; 0 for a photo.
        elapsed_s: wall-clock time of the call, loading included.
        size_bytes: size of the output file.
        notices: what the user should know, like a stream that the container cannot hold.
        truncated: whether the input ended before its time; what there was is in the output.
        corrupt_packets: packets of the input that did not decode, or with a damaged time or length.
        damaged_frames: frames of the input of which parts did not decode, or with a damaged time.
        frames_before: of `frames`, those that a job before had done, which this one continued.
        media_before_s: their play time in seconds.
    """

    input_path: Path | str
    output_path: Path
    model: str
    enhancer: str
    encoder: str
    width: int
    height: int
    frames: int
    media_s: float
    elapsed_s: float
    size_bytes: int
    notices: tuple[str, ...] = ()
    truncated: bool = False
    corrupt_packets: int = 0
    damaged_frames: int = 0
    frames_before: int = 0
    media_before_s: float = 0.0

    @property
    def fps(self) -> float:
        """Frames per second of wall-clock time."""
        return (self.frames - self.frames_before) / self.elapsed_s

    @property
    def speed(self) -> float:
        """Play time per wall-clock time: over 1 is faster than real time."""
        return (self.media_s - self.media_before_s) / self.elapsed_s

    @property
    def intact(self) -> bool:
        """Whether the whole input could be read."""
        return not (self.truncated or self.corrupt_packets or self.damaged_frames)


class Meter:
    """Counts frames and their play time, and reports them."""

    def __init__(self, total: int | None, callback: Callable[[Progress], None] | None) -> None:
        self.begin_s = time.perf_counter()
        self.frames = 0
        self._total = total
        self._callback = callback
        self._first_s: float | None = None
        self._end_s = 0.0
        self._first_frame_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """Wall-clock time since the meter was made."""
        return time.perf_counter() - self.begin_s

    @property
    def media_s(self) -> float:
        """Play time of the frames."""
        return self._end_s - (self._first_s or 0.0)

    def __call__(self, frame: Frame) -> None:
        """Count one frame."""
        self.frames += 1
        start_s = frame.time_s or 0.0
        if self._first_s is None:
            self._first_s = start_s
        unit = frame.time_base
        lasts_s = frame.duration * unit.numerator / unit.denominator
        self._end_s = max(self._end_s, start_s + lasts_s)
        if self._callback is not None:
            elapsed_s = self.elapsed_s
            self._first_frame_s = self._first_frame_s or elapsed_s
            done = Progress(self.frames, self._total, elapsed_s, self.media_s, self._first_frame_s)
            self._callback(done)


_HARDLY = 0.05
"""A share of the effect that is hardly seen."""


def left_lit(enhancer: FrameEnhancer, strength: float) -> tuple[str, ...]:
    """A line for the user where all that an enhancer was given since the last call was well lit."""
    from tapetum.realtime.protocols import SparingEnhancer

    if strength == 0 or not isinstance(enhancer, SparingEnhancer):
        return ()
    return (LIT_NOTICE,) if is_hardly_needed(enhancer.most_needed()) else ()


LIT_NOTICE = "it is well lit, and stays as it is; --always makes it brighter all the same"


def is_hardly_needed(share: float) -> bool:
    """Whether so little of the effect is seen that the picture is what it was."""
    return share <= _HARDLY
