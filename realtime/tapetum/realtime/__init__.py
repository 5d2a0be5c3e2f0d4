"""Real-time low-light video enhancement: files, frames and NumPy images.

    from tapetum.realtime import Enhancer, enhance_file

    enhance_file("dark.mp4", "bright.mp4")
    bright = Enhancer()(dark)  # (H, W, 3) uint8 RGB

Importing this package is cheap: a part is loaded when its name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapetum.realtime.building import Building
    from tapetum.realtime.compare import Comparison
    from tapetum.realtime.enhance_media import EnhanceResult, Started, enhance_file
    from tapetum.realtime.enhancer import Enhancer, make_enhancer
    from tapetum.realtime.errors import (
        DeviceError,
        EngineError,
        MediaError,
        ModelError,
        TapetumError,
    )
    from tapetum.realtime.frame import ColorInfo, Frame
    from tapetum.realtime.live.capture import Capture
    from tapetum.realtime.live.enhance_live import enhance_live
    from tapetum.realtime.live.live_frames import live_frames
    from tapetum.realtime.live.live_source import LiveSource
    from tapetum.realtime.live.outputs import SinkPlace
    from tapetum.realtime.live.summary import LiveStatus, LiveSummary
    from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
    from tapetum.realtime.media.file_source import FileSource
    from tapetum.realtime.media.images import read_image, write_image
    from tapetum.realtime.media.video_info import VideoInfo
    from tapetum.realtime.memory_sink import MemorySink
    from tapetum.realtime.pipeline import run
    from tapetum.realtime.prefetch import Prefetch, WriteBehind
    from tapetum.realtime.progress import Progress
    from tapetum.realtime.protocols import FrameEnhancer, FrameSink, FrameSource
    from tapetum.realtime.synthetic_source import SyntheticSource

_MODULES = {
    "building": ("Building",),
    "compare": ("Comparison",),
    "enhance_media": ("EnhanceResult", "Started", "enhance_file"),
    "enhancer": ("Enhancer", "make_enhancer"),
    "errors": ("DeviceError", "EngineError", "MediaError", "ModelError", "TapetumError"),
    "media.file_sink": ("EncoderSettings", "FileSink"),
    "media.file_source": ("FileSource",),
    "frame": ("ColorInfo", "Frame"),
    "live.capture": ("Capture",),
    "live.enhance_live": ("enhance_live",),
    "live.live_frames": ("live_frames",),
    "live.live_source": ("LiveSource",),
    "live.outputs": ("SinkPlace",),
    "live.summary": ("LiveStatus", "LiveSummary"),
    "media.images": ("read_image", "write_image"),
    "memory_sink": ("MemorySink",),
    "pipeline": ("run",),
    "prefetch": ("Prefetch", "WriteBehind"),
    "progress": ("Progress",),
    "protocols": ("FrameEnhancer", "FrameSink", "FrameSource"),
    "synthetic_source": ("SyntheticSource",),
    "media.video_info": ("VideoInfo",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Building",
    "Capture",
    "ColorInfo",
    "Comparison",
    "DeviceError",
    "EncoderSettings",
    "EngineError",
    "EnhanceResult",
    "Enhancer",
    "FileSink",
    "FileSource",
    "Frame",
    "FrameEnhancer",
    "FrameSink",
    "FrameSource",
    "LiveSource",
    "LiveStatus",
    "LiveSummary",
    "MediaError",
    "MemorySink",
    "ModelError",
    "Prefetch",
    "Progress",
    "SinkPlace",
    "Started",
    "SyntheticSource",
    "TapetumError",
    "VideoInfo",
    "WriteBehind",
    "enhance_file",
    "enhance_live",
    "live_frames",
    "make_enhancer",
    "read_image",
    "run",
    "write_image",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
