"""The live loop when an output is refused, stalls or fails: the others go on, and it is said."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import av
import pytest
from support.live_parts import PATTERN, StallingSink, memory, quit_when, wait_until

from tapetum.realtime import LiveSource, MemorySink, SinkPlace, SyntheticSource, enhance_live
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.live_run import LiveRun
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.outputs import MeteredSink
from tapetum.realtime.live.summary import LiveStatus, LiveSummary
from tapetum.realtime.prefetch import WriteBehind

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_thread_stays")]


class RefusingSink(MemorySink):
    """Takes three frames."""

    def write(self, frame: Frame) -> None:
        super().write(frame)
        if len(self.frames) == 3:
            raise MediaError("the disk is full")


def test_a_sink_that_is_refused_ends_the_process_of_the_one_before(tmp_path: Path) -> None:
    def children() -> list[str]:
        return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()

    before = children()
    with pytest.raises(MediaError, match=r"has \.avi; use one of"):
        enhance_live(PATTERN, ["udp://127.0.0.1:9", str(tmp_path / "out.avi")])
    assert children() == before


def test_no_frame_is_made_for_a_recording_that_cannot_take_it(gain_model: Path) -> None:
    """On a full machine enhancing would take the encoder's time, for frames that are dropped."""
    stalled = StallingSink()
    source = LiveSource(PATTERN)
    ladder = ladder_for(gain_model)
    run = LiveRun(source, ladder, [SinkPlace("recording", stalled, depth=4)])
    stopping = threading.Timer(2.5, stalled.release.set)
    stopping.start()
    summary = run.run(duration_s=2)
    made = sum(ladder.frames_by_mode.values())
    assert source.frames >= 10
    assert 5 <= made <= 6  # those that wait, the one that is written, and one between
    assert summary.sinks["recording"]["dropped"] <= 1
    assert summary.dropped >= source.frames - made - 2


def test_fewer_frames_wait_for_a_recording_that_is_slow_and_more_when_it_is_quick_again() -> None:
    meter = MeteredSink(MemorySink(), depth=15)
    (frame,) = SyntheticSource(16, 16, frames=1)
    rooms = []
    for waited_s, count in ((3.0, 20), (0.7, 5), (3.0, 20), (0.1, 8)):
        for _ in range(count):
            meter.write(replace(frame, arrival_time_s=time.monotonic() - waited_s))
        rooms.append(meter.room)
    assert rooms == [5.0, 5.0, 1.0, 5.0]


def test_a_stalled_sink_stalls_neither_the_source_nor_the_other_sinks(gain_model: Path) -> None:
    stalled, fluent = StallingSink(), MemorySink()
    source = LiveSource(PATTERN)
    places = [SinkPlace("stalled", stalled), SinkPlace("fluent", fluent)]
    ladder = ladder_for(gain_model)

    def release_at_the_end(_frame: Frame) -> None:
        if source.frames >= 60:
            stalled.release.set()
            controls.quit = source.frames >= 75

    controls = Controls()
    run = LiveRun(source, ladder, places, controls=controls, on_frame=release_at_the_end)
    summary = run.run(duration_s=30)
    assert source.frames >= 75
    assert len(fluent.frames) >= 0.2 * source.frames
    assert summary.sinks["stalled"]["dropped"] >= 0.2 * 55
    assert summary.dropped >= summary.sinks["stalled"]["dropped"]
    assert summary.frames + summary.dropped <= source.frames
    # After the stall the sink got the newest frame, not the 60 that had come meanwhile.
    gap = (stalled.frames[1].pts or 0) - (stalled.frames[0].pts or 0)
    assert gap / 90_000 > 1.0


def test_a_sink_that_fails_is_closed_and_the_others_go_on(tmp_path: Path) -> None:
    failing, controls, notices = RefusingSink(), Controls(), list[str]()
    path, states = tmp_path / "kept.mkv", list[LiveStatus]()

    def goes_on(status: LiveStatus) -> bool:
        states.extend([status] if notices else [])
        return len(states) > 2

    summary = enhance_live(
        PATTERN,
        [memory(failing), str(path)],
        controls=controls,
        on_notice=notices.append,
        on_status=quit_when(goes_on, controls),
        duration_s=60,
    )
    assert failing.closed
    assert summary.failed == {"memory": "the disk is full"}
    assert notices == ["memory is closed, the other outputs go on: the disk is full"]
    assert summary.frames == 3
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == summary.sinks[str(path)]["frames"] > 3


def test_the_last_sink_that_fails_ends_the_run() -> None:
    ends: list[LiveSummary] = []
    with pytest.raises(MediaError, match="disk is full"):
        enhance_live(PATTERN, [memory(RefusingSink())], on_end=ends.append)
    assert len(ends) == 1


class UnfinishableSink(MemorySink):
    """Takes all, and cannot write its end."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def close(self) -> None:
        super().close()
        raise MediaError(f"cannot finish {self._name}")


@pytest.mark.parametrize("stopped", [False, True])
def test_every_sink_that_cannot_be_finished_is_told_of(stopped: bool) -> None:
    """The first by the error of the run, unless that has another one."""

    def stop(_status: LiveStatus) -> None:
        if stopped:
            raise KeyboardInterrupt

    notices = list[str]()
    with pytest.raises(KeyboardInterrupt if stopped else MediaError) as error:
        enhance_live(
            f"{PATTERN}:d=0.5",
            [SinkPlace(name, UnfinishableSink(name)) for name in ("one", "two")],
            on_notice=notices.append,
            on_status=stop,
        )
    told = [line for line in notices if line.startswith("cannot finish")]
    assert [*([] if stopped else [str(error.value)]), *told] == [
        "cannot finish one",
        "cannot finish two",
    ]


def test_what_cannot_be_recorded_is_said_and_the_stream_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    controls, notices = Controls(recording=True, snapshots=1), list[str]()
    sink = MemorySink()
    summary = enhance_live(
        PATTERN,
        [memory(sink)],
        controls=controls,
        on_notice=notices.append,
        on_status=quit_when(lambda _: len(notices) == 3 and not controls.recording, controls),
        duration_s=60,
    )
    assert len(sink.frames) > 1
    said = sorted(notices)
    assert said[0].startswith("no snapshot was saved: ")
    assert re.match(r"recording to tapetum-recording-.*\.mkv", said[1])
    assert re.match(r"tapetum-recording-.* is closed, .* go on: cannot write", said[2])
    assert list(summary.failed) == [said[1].removeprefix("recording to ")]


def test_closing_behind_a_stuck_sink_is_an_error_and_no_wait() -> None:
    sink = StallingSink()
    behind = WriteBehind(sink, depth=1, policy="drop_oldest", name="out.mkv")
    for frame in LiveSource("lavfi:testsrc2=s=96x64:r=30:d=0.3"):
        behind.write(frame)
    wait_until(lambda: len(sink.frames) == 1)
    assert behind.dropped >= 6
    with pytest.raises(MediaError, match=r"^out\.mkv has taken nothing"):
        behind.close(0.05)
    sink.release.set()
    behind.discard()
    assert sink.closed
