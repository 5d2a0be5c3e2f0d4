"""`OpenedVideo`: the parts of a pipeline that differ from device to device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.protocols import FrameEnhancer, FrameSink, FrameSource


@dataclass(frozen=True, slots=True)
class OpenedVideo:
    """A video that is about to be enhanced on some device.

    Attributes:
        file: what reads it, and knows afterwards what was wrong with it.
        info: the stream, with the pixel format in which the device gives frames back.
        frames: yields the frames on the device.
        load: loads the model that enhances them there.
        sink_for: makes a sink for frames on the device of one for frames in main memory.
        notices: lines for the user about what runs where.
    """

    file: FileSource
    info: VideoInfo
    frames: FrameSource
    load: Callable[[], FrameEnhancer]
    sink_for: Callable[[FrameSink], FrameSink]
    notices: tuple[str, ...] = ()
