"""`OpenedVideo`: the parts of `enhance_file`'s pipeline that differ from device to device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Protocol

from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
from tapetum.realtime.media.file_source import FileSource, VideoFile
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.progress import Building
from tapetum.realtime.protocols import FrameEnhancer, FrameSink, FrameSource


class VideoOutput(Protocol):
    """A file that is written: a `FileSink`, or one of several that take its place in turn."""

    @property
    def description(self) -> str:
        """Encoder, quality and speed, like "libx264 crf 20 veryfast"."""

    @property
    def notices(self) -> Sequence[str]:
        """Lines for the user about what is changed or cannot be kept, so far."""

    @property
    def damaged_packets(self) -> int:
        """Packets of the copied streams, so far, that could not be copied as they are."""

    def discard(self) -> None:
        """Give up: remove what was written; once it is whole this does nothing."""


class OpenedOutput(NamedTuple):
    """A file that is written from a device.

    Attributes:
        file: the output, which knows its encoder.
        frames: takes frames on the device for it; `file` itself where that takes frames as they
            are.
        notices: lines for the user about what encodes where.
    """

    file: VideoOutput
    frames: FrameSink
    notices: tuple[str, ...] = ()


class OpenedVideo(Protocol):
    """A video that is about to be enhanced on some device: `CpuVideo`, or `CudaVideo`."""

    @property
    def file(self) -> VideoFile:
        """What reads it, and knows afterwards what was wrong with it."""

    @property
    def info(self) -> VideoInfo:
        """The stream, with the pixel format in which the device gives frames back."""

    @property
    def frames(self) -> FrameSource:
        """Yields the frames on the device."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines for the user about what runs where."""

    def load_enhancer(
        self,
        model: str | Path,
        *,
        strength: float = 1.0,
        aim: Aim = Aim(),  # noqa: B008 - it is immutable
        denoise: Denoise = "off",
        on_build: Callable[[Building], None] | None = None,
    ) -> FrameEnhancer:
        """Load a model for the video's frames on the device."""

    def open_output(
        self, path: Path, info: VideoInfo, *, encoder: EncoderSettings, overwrite: bool = False
    ) -> OpenedOutput:
        """Open an output for frames on the device that are as `info` says."""

    def close(self) -> None:
        """Release the file, and what was kept for it on the device; again does nothing."""

    def finished(self, stage: FrameStage) -> FrameStage:
        """A stage that returns frames when they are done, however it works on their arrays."""


_LIGHT_LEVEL = (
    "the input's light levels (MaxCLL, MaxFALL) are not written: the picture is brighter now"
)


def shown_as(info: VideoInfo, *, strength: float) -> tuple[VideoInfo, tuple[str, ...]]:
    """What a stream is when it is enhanced, with what the user should know of it."""
    hdr = info.hdr
    if hdr is None or hdr.light_level is None or strength == 0:
        return info, ()
    return replace(info, hdr=hdr._replace(light_level=None)), (_LIGHT_LEVEL,)


class CpuVideo:
    """A video whose frames are in main memory from beginning to end."""

    notices: tuple[str, ...] = ()

    def __init__(
        self,
        path: str | Path,
        *,
        start_s: float = 0.0,
        duration_s: float | None = None,
        rate: Fraction | None = None,
        deinterlace: bool = False,
    ) -> None:
        """Open a file; see `FileSource`."""
        self.file = FileSource(
            path, start_s=start_s, duration_s=duration_s, rate=rate, deinterlace=deinterlace
        )
        self.info = self.file.info
        self.frames = self.file
        self._span = start_s, duration_s

    def load_enhancer(
        self,
        model: str | Path,
        *,
        strength: float = 1.0,
        aim: Aim = Aim(),  # noqa: B008 - it is immutable
        denoise: Denoise = "off",
        on_build: Callable[[Building], None] | None = None,  # noqa: ARG002 - nothing is built
    ) -> FrameEnhancer:
        """Load a model on the CPU; see `make_enhancer`."""
        return make_enhancer(model, strength=strength, aim=aim, denoise=denoise)

    def open_output(
        self, path: Path, info: VideoInfo, *, encoder: EncoderSettings, overwrite: bool = False
    ) -> OpenedOutput:
        """Open an output for frames in main memory; see `FileSink`."""
        sink = self.open_file(path, info, encoder=encoder, overwrite=overwrite)
        return OpenedOutput(sink, sink)

    def open_file(
        self, path: Path, info: VideoInfo, *, encoder: EncoderSettings, overwrite: bool = False
    ) -> FileSink:
        """The same, as what it is."""
        start_s, duration_s = self._span
        return FileSink(
            path,
            info=info,
            encoder=encoder,
            copy_from=self.file.path,
            start_s=start_s,
            duration_s=duration_s,
            overwrite=overwrite,
        )

    def close(self) -> None:
        """Release the file."""
        self.file.close()

    def finished(self, stage: FrameStage) -> FrameStage:
        """The stage itself: array operations in main memory are done when they return."""
        return stage
