"""The pipeline: source -> enhancer -> sink, with the source and the sink in their own threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext

from tapetum.gan.machine import thread_limit
from tapetum.realtime.cpu.side_by_side import cores
from tapetum.realtime.frame import Frame
from tapetum.realtime.prefetch import DEPTH, Prefetch, WriteBehind
from tapetum.realtime.protocols import FrameSink, FrameSource

FrameStage = Callable[[Frame], Frame]
"""What happens to each frame: a `FrameEnhancer`, or a `Comparison` around one."""


def run(
    source: FrameSource,
    stage: FrameStage,
    sink: FrameSink,
    *,
    depth: int = DEPTH,
    on_frame: Callable[[Frame], None] | None = None,
) -> int:
    """Send every frame of `source` through `stage` to `sink`, in order, and close both.

    Reading, the stage and writing overlap; at most `depth` frames wait between two of them. If
    anything fails, or the caller is interrupted, the sink is discarded and no thread is left. In a
    process that is limited to one thread they take turns instead.

    Args:
        source: where the frames come from.
        stage: what happens to each, in the calling thread.
        sink: where they go.
        depth: frames that may wait between two stages.
        on_frame: called with each frame that was handed to the sink.

    Returns:
        The number of frames written.

    Raises:
        TapetumError: whatever a part raised; the first error wins.
    """
    alone = thread_limit() == 1
    writer = sink if alone else WriteBehind(sink, depth=depth)
    try:
        with (
            nullcontext(source) if alone else Prefetch(source, depth=depth) as frames,
            cores().taken(),  # by those that read and write meanwhile
        ):
            count = _pump(frames, stage, writer, on_frame)
        writer.close()
    except BaseException:
        writer.discard()
        raise
    finally:
        source.close()
    return count


def _pump(
    frames: Iterable[Frame],
    stage: FrameStage,
    sink: FrameSink,
    on_frame: Callable[[Frame], None] | None,
) -> int:
    count = 0
    for count, frame in enumerate(frames, start=1):  # noqa: B007 - the count outlives the loop
        enhanced = stage(frame)
        sink.write(enhanced)
        if on_frame is not None:
            on_frame(enhanced)
    return count
