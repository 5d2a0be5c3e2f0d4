"""Time a frame takes to enhance, without decoding and encoding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av

from tapetum.benchmarks.timing import duration_s, percentiles_ms
from tapetum.realtime import make_enhancer
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import from_av

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}


def scaled_frames(clip: Path, size: tuple[int, int], count: int) -> Iterator[Frame]:
    """The first frames of a clip at another size, as 8-bit 4:2:0."""
    with av.open(str(clip)) as reader:
        for frame in islice(reader.decode(video=0), count):
            scaled = frame.reformat(*size, format="yuv420p")
            yield from_av(scaled, pts=frame.pts, time_base=frame.time_base or Fraction(1, 1000))


def frame_latency(
    clip: Path, size: tuple[int, int], *, model: str | Path = "grid", rounds: int = 100
) -> dict[str, object]:
    """Time and CPU time a frame, thumbnail and network included, over different real frames."""
    enhancer = make_enhancer(model)
    frames = list(scaled_frames(clip, size, 8))
    for frame in frames[:3]:
        enhancer(frame)
    cpu_s = time.process_time()
    times = [
        duration_s(lambda frame=frame: enhancer(frame))  # type: ignore[misc]
        for frame in islice(cycle(frames), rounds)
    ]
    cpu_ms = (time.process_time() - cpu_s) * 1000 / rounds
    return {
        "model": Path(model).name,
        "size": f"{size[0]}x{size[1]}",
        "runs_on": enhancer.description,
        "latency_ms": percentiles_ms(times),
        "cpu_ms": round(cpu_ms, 3),
    }
