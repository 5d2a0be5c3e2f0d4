"""`OpenedVideo`: the parts of a pipeline that differ from device to device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.protocols import FrameEnhancer, FrameSink, FrameSource


class OpenedOutput(NamedTuple):
    """A file that is written from a device.

    Attributes:
        file: the output, which knows its encoder.
        frames: takes frames on the device for it.
        notices: lines for the user about what encodes where.
    """

    file: FileSink
    frames: FrameSink
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedVideo:
    """A video that is about to be enhanced on some device.

    Attributes:
        file: what reads it, and knows afterwards what was wrong with it.
        info: the stream, with the pixel format in which the device gives frames back.
        frames: yields the frames on the device.
        load: loads the model that enhances them there.
        open_output: opens the output for frames on the device that are as a stream says.
        stage_on: runs a stage that is written for arrays of any kind on the device.
        notices: lines for the user about what runs where.
    """

    file: FileSource
    info: VideoInfo
    frames: FrameSource
    load: Callable[[], FrameEnhancer]
    open_output: Callable[[VideoInfo], OpenedOutput]
    stage_on: Callable[[FrameStage], FrameStage]
    notices: tuple[str, ...] = ()
