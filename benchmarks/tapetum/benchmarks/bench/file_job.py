"""A file job of `offline`: decoder, enhancer and encoder, as `tapetum enhance` opens them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.realtime import EncoderSettings, FileSink, FileSource, FrameSink
from tapetum.realtime.protocols import FrameSource

CRF, PRESET = 20, "veryfast"
"""Of libx264, by which everything on the CPU is encoded."""
LONGEST_S = 10.0
"""Of a longer clip, the beginning."""


class FileJob(NamedTuple):
    """The parts of the pipeline.

    Attributes:
        source: decodes.
        enhance: what happens to each frame, where the source leaves it.
        sink: encodes.
        notices: lines for the reader about what decodes and encodes where.
    """

    source: FrameSource
    enhance: Enhance
    sink: FrameSink
    notices: tuple[str, ...] = ()


def open_file_job(subject: Subject, clip: Path, target: Path) -> FileJob:
    """Open a clip and an output that is written anew.

    Raises:
        MediaError: the clip cannot be read.
        DeviceError: the GPU cannot be used.
    """
    if subject.open_video is not None:
        return _as_enhance_does(subject, clip, target)
    source = FileSource(clip, duration_s=LONGEST_S)
    encoder = EncoderSettings("libx264", CRF, PRESET)
    sink = FileSink(target, info=source.info, encoder=encoder, overwrite=True)
    return FileJob(source, subject.make(), sink)


def _as_enhance_does(subject: Subject, clip: Path, target: Path) -> FileJob:
    """With the decoder and the encoder that the device has."""
    assert subject.open_video is not None
    video = subject.open_video(clip, LONGEST_S)
    output = video.open_output(target, video.info, encoder=EncoderSettings(), overwrite=True)
    enhance = video.load_enhancer(subject.model)
    return FileJob(video.frames, enhance, output.frames, (*video.notices, *output.notices))
