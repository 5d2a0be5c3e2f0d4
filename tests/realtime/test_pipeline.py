"""Source, stage and sink together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tapetum.realtime import FrameSink, FrameSource, MemorySink, SyntheticSource, run
from tapetum.realtime.errors import EngineError, MediaError
from tapetum.realtime.frame import Frame

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def inverted(frame: Frame) -> Frame:
    return frame.with_planes(tuple(np.invert(plane) for plane in frame.planes))


def test_the_synthetic_parts_are_a_source_and_a_sink() -> None:
    assert isinstance(SyntheticSource(), FrameSource)
    assert isinstance(MemorySink(), FrameSink)


@pytest.mark.parametrize("depth", [1, 4])
def test_every_frame_goes_through_the_stage_in_order(depth: int) -> None:
    source, sink = SyntheticSource(32, 18, frames=20), MemorySink()
    seen: list[int | None] = []
    count = run(source, inverted, sink, depth=depth, on_frame=lambda frame: seen.append(frame.pts))
    assert count == 20
    assert seen == [frame.pts for frame in sink.frames] == list(range(20))
    for before, after in zip(SyntheticSource(32, 18, frames=20), sink.frames, strict=True):
        np.testing.assert_array_equal(np.invert(before.planes[0]), after.planes[0])


def test_source_and_sink_are_closed_at_the_end() -> None:
    source, sink = SyntheticSource(frames=3), MemorySink()
    run(source, inverted, sink)
    assert source.closed
    assert sink.closed
    assert len(sink.frames) == 3


def test_no_frames_make_an_empty_output() -> None:
    assert run(SyntheticSource(frames=0), inverted, MemorySink()) == 0


def failing(frame: Frame) -> Frame:
    if frame.pts == 5:
        raise EngineError("the network failed")
    return frame


def test_a_failing_stage_discards_the_output_and_closes_the_source() -> None:
    source, sink = SyntheticSource(frames=None), MemorySink()
    with pytest.raises(EngineError, match="network failed"):
        run(source, failing, sink)
    assert source.closed
    assert sink.closed
    assert sink.frames == []


class BrokenSource(SyntheticSource):
    """Breaks after its frames."""

    def __iter__(self) -> Iterator[Frame]:
        yield from super().__iter__()
        raise MediaError("the camera is gone")


def test_a_failing_source_discards_the_output() -> None:
    sink = MemorySink()
    with pytest.raises(MediaError, match="camera is gone"):
        run(BrokenSource(frames=3), inverted, sink)
    assert sink.closed
    assert sink.frames == []


class RefusingSink(MemorySink):
    """Takes all frames and cannot be finished."""

    def close(self) -> None:
        raise MediaError("the index cannot be written")


def test_a_sink_that_cannot_be_finished_is_discarded() -> None:
    sink = RefusingSink()
    with pytest.raises(MediaError, match="index"):
        run(SyntheticSource(frames=3), inverted, sink)
    assert sink.frames == []


def test_an_interrupt_discards_the_output() -> None:
    def interrupt(frame: Frame) -> None:
        if frame.pts == 2:
            raise KeyboardInterrupt

    source, sink = SyntheticSource(frames=None), MemorySink()
    with pytest.raises(KeyboardInterrupt):
        run(source, inverted, sink, on_frame=interrupt)
    assert source.closed
    assert sink.frames == []
