"""`live_frames`: a live stream as an iterator of enhanced frames, for programs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

from tapetum.realtime.choices import Device
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.ladder import ladder_for
from tapetum.realtime.live.live_source import LiveSource
from tapetum.realtime.prefetch import Prefetch

_CLOSE_TIMEOUT_S = 0.5
"""A source that hangs in a read is left to end by itself."""


def live_frames(
    source: LiveSource | str | int | Path = 0,
    *,
    model: str | Path = "grid",
    strength: float = 1.0,
    device: Device = "auto",
    latency_budget_ms: float = 50.0,
) -> Generator[Frame, None, None]:
    """Yield the newest frame of a live stream, enhanced, each time that one is asked for.

    Frames that nobody asked for in time are dropped. While the model loads, frames come as they
    are. Close the iterator, or exhaust it, to release the camera.

    Args:
        source: a camera's number or device, a URL, "screen", "lavfi:PATTERN", a file, which plays
            at its own pace, or a `LiveSource`.
        model: `grid`, `unet`, or a model file.
        strength: from 0 (the picture as it is) to 1 (the model's own output).
        device: `auto`, `cpu` or `cuda`.
        latency_budget_ms: how long a frame may be with us.

    Raises:
        MediaError: the source cannot be opened or read.
        ModelError: there is no such model, or its file cannot be used.
    """
    with ExitStack() as opened:
        ladder = ladder_for(model, strength=strength, device=device, budget_ms=latency_budget_ms)
        opened.callback(ladder.close)
        camera = source if isinstance(source, LiveSource) else LiveSource(source)
        frames = Prefetch(camera, depth=1, policy="drop_oldest")
        opened.callback(frames.close, _CLOSE_TIMEOUT_S)
        opened.callback(camera.close)
        for frame in frames:
            yield ladder(frame)


def all_frames(
    source: LiveSource, *, model: str | Path, strength: float, device: Device
) -> Generator[Frame, None, None]:
    """Yield every frame of a source that can wait, such as a file, enhanced."""
    enhancer = make_enhancer(model, strength=strength, device=device)
    with Prefetch(source) as frames, source:
        for frame in frames:
            yield enhancer(frame)
