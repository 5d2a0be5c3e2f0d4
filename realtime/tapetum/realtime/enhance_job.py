"""What `enhance_file` is asked for, what it is about to do, and what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tapetum.realtime.building import Building
from tapetum.realtime.choices import LAYOUTS, Device, Layout
from tapetum.realtime.compare import Comparison
from tapetum.realtime.enhancer import checked_strength, make_enhancer
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
from tapetum.realtime.media.video_encoder import Pictures
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.progress import Progress
from tapetum.realtime.protocols import FrameEnhancer


@dataclass(frozen=True, slots=True)
class EnhanceOptions:
    """How a file is enhanced; the keyword arguments of `enhance_file`."""

    model: str | Path = "grid"
    strength: float = 1.0
    device: Device = "auto"
    start_s: float = 0.0
    duration_s: float | None = None
    compare: Layout | None = None
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        checked_strength(self.strength)
        if self.start_s < 0:
            raise ValueError(f"start is a time from 0 s; got {self.start_s:g}")
        if self.duration_s is not None and self.duration_s <= 0:
            raise ValueError(f"duration is a time over 0 s; got {self.duration_s:g}")
        if self.compare is not None and self.compare not in LAYOUTS:
            raise ValueError(f"compare is one of {', '.join(LAYOUTS)}; got {self.compare!r}")


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


@dataclass(frozen=True, slots=True)
class EnhanceResult:
    """What `enhance_file` did.

    Attributes:
        input_path: the file that was read.
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
        corrupt_packets: packets of the input that did not decode and were skipped.
        damaged_frames: frames of the input of which parts did not decode.
    """

    input_path: Path
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

    @property
    def fps(self) -> float:
        """Frames per second of wall-clock time."""
        return self.frames / self.elapsed_s

    @property
    def speed(self) -> float:
        """Play time per wall-clock time: over 1 is faster than real time."""
        return self.media_s / self.elapsed_s

    @property
    def intact(self) -> bool:
        """Whether the whole input could be read."""
        return not (self.truncated or self.corrupt_packets or self.damaged_frames)


@dataclass(frozen=True, slots=True)
class Job:
    """One call of `enhance_file`."""

    input_path: Path
    output_path: Path
    options: EnhanceOptions
    on_start: Callable[[Started], None] | None
    on_progress: Callable[[Progress], None] | None
    on_build: Callable[[Building], None] | None = None

    def started(
        self, format_text: str, total: int | None, runs: tuple[str, ...], notices: list[str]
    ) -> None:
        """Tell the caller what is about to run."""
        if self.on_start is not None:
            files = f"{self.input_path.name} {format_text} -> {self.output_path.name}"
            said = (*notices, *_first_use_notices())
            self.on_start(Started(" | ".join((files, *runs)), total, said))

    def load(self) -> FrameEnhancer:
        """Load the model."""
        options = self.options
        return make_enhancer(options.model, strength=options.strength, device=options.device)

    def open_sink(
        self, info: VideoInfo, *, codec: str | None, pictures: Pictures | None = None
    ) -> FileSink:
        """Open the output for frames as `info` says, with an encoder that may not be the user's."""
        options = self.options
        return FileSink(
            self.output_path,
            info=info,
            encoder=EncoderSettings(codec, options.crf, options.preset),
            copy_from=self.input_path,
            start_s=options.start_s,
            duration_s=options.duration_s,
            overwrite=options.overwrite,
            pictures=pictures,
        )

    def stage(
        self, enhancer: FrameEnhancer, display_matrix: tuple[int, ...] | None = None
    ) -> FrameStage:
        """What happens to each frame: the enhancer, or a comparison around it."""
        if self.options.compare is None:
            return enhancer
        return Comparison(enhancer, self.options.compare, display_matrix=display_matrix)


def _first_use_notices() -> tuple[str, ...]:
    from tapetum.realtime.cpu.compiled import is_cached

    if is_cached():
        return ()
    return ("the first run on a machine compiles the pixel kernels, which takes some seconds",)


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
        self._end_s = max(self._end_s, start_s + float(frame.duration * frame.time_base))
        if self._callback is not None:
            elapsed_s = self.elapsed_s
            self._first_frame_s = self._first_frame_s or elapsed_s
            done = Progress(self.frames, self._total, elapsed_s, self.media_s, self._first_frame_s)
            self._callback(done)
