"""The frames of `tapetum bench` in GPU memory, as many as no cache holds."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, islice
from typing import Any, Literal

import numpy as np

from tapetum.benchmarks.bench.frames import synthetic_frames
from tapetum.realtime import Frame
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.transfer import semi_planar

FormatName = Literal["nv12", "p010le"]

_TO_P010 = 8
"""Left shift from an 8-bit level to a word of P010."""
_TIMES_CACHE = 4
_LEAST = 8
DIFFERENT = 8
"""Pictures that differ; more are copies of these, at addresses of their own."""


def host_frames(name: FormatName, width: int, height: int) -> list[Frame]:
    """Frames of a dark scene with motion and noise, in main memory."""
    frames = [semi_planar(frame) for frame in synthetic_frames(width, height, count=DIFFERENT)]
    return frames if name == "nv12" else [_deep(frame) for frame in frames]


def _deep(frame: Frame) -> Frame:
    planes: Any = tuple(np.left_shift(plane, _TO_P010, dtype=np.uint16) for plane in frame.planes)
    return replace(frame, planes=planes, format_name="p010le")


def rotation(call_bytes: int, cache_bytes: int) -> int:
    """How many inputs to rotate among, so that what a call reads is no longer in the cache."""
    return max(_LEAST, -(-_TIMES_CACHE * cache_bytes // call_bytes))


def device_frames(device: ComputeDevice, frames: list[Frame], count: int) -> list[Frame]:
    """So many frames in a device's memory."""
    return [_uploaded(device, frame) for frame in islice(cycle(frames), count)]


def _uploaded(device: ComputeDevice, frame: Frame) -> Frame:
    planes: Any = tuple(device.put(plane) for plane in frame.planes)
    return frame.with_planes(planes)
