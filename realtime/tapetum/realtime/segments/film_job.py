"""`FilmJob`: one long film, begun or continued."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from tapetum.gan.model import find_model
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.media_input import InputPlace
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.segments.job_folder import JobFolder, input_identity
from tapetum.realtime.segments.segmented_sink import SEGMENT_S, SegmentedSink

_DECIDING = ("tapetum", "av", "openvino", "numba", "numpy")
"""Packages whose versions may change what comes out."""


def is_long(place: InputPlace, info: VideoInfo) -> bool:
    """Whether a video is worth being done in segments: a file that lasts for two of them or more.

    One with alpha is not: encoders keep that beside the packets.
    """
    lasts_s = info.duration_s or 0.0
    return isinstance(place, Path) and lasts_s >= 2 * SEGMENT_S and not info.alpha


class FilmJob:
    """A film on its way through segments.

    Args:
        source: the input, of which nothing was read; it begins where the job goes on.
        film: the output, opened.
        output: its name.
        model: the model's name or file.
        options: all else that decides what comes out.

    Attributes:
        sink: takes the frames.
        frames_before: frames that jobs before this one have finished.
        media_before_s: their play time in seconds.
        notices: lines for the user about what was found of a job before.

    Raises:
        MediaError: another process makes this output, or the disk is full or read-only.
        ModelError: the model's file cannot be read.
    """

    def __init__(
        self,
        source: FileSource,
        film: FileSink,
        output: Path,
        *,
        model: str | Path,
        options: Mapping[str, object],
    ) -> None:
        path = Path(source.path)
        with media_errors("cannot open", path):
            identity = input_identity(path)
        folder = JobFolder(
            output,
            {
                **identity,
                "weights": find_model(model).sha256,
                **options,
                "stream": repr(source.info),
                "encoder": film.description,
                **{f"version of {name}": version(name) for name in _DECIDING},
            },
        )
        self.sink = SegmentedSink(
            film,
            folder,
            time_base=source.info.time_base,
            damage=lambda: (source.corrupt_packets, source.damaged_frames),
        )
        self.notices = tuple(folder.notices)
        self.frames_before = self.sink.frames_before
        self.media_before_s = 0.0
        if self.sink.done is not None and self.sink.begin_pts is not None:
            self.media_before_s = float(self.sink.done.end_pts * source.info.time_base)
            self.notices += (f"continued at {self.media_before_s:.3f} s of {output.name}",)
            source.resume_at(self.sink.begin_pts)

    def frames_left(self, total: int | None) -> int | None:
        """Of the frames to expect, those that are not finished."""
        return None if total is None else max(0, total - self.frames_before)

    def new_frames(self, count: Callable[[Frame], None]) -> Callable[[Frame], None]:
        """Have only frames counted that are not finished already."""

        def count_new(frame: Frame) -> None:
            if not self.sink.has(frame):
                count(frame)

        return count_new
