"""The live loop: the newest frame wins, whatever stalls, and every sink is finished."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.live_parts import PATTERN, free_udp_port, live_process, memory, quit_when

from tapetum.realtime import (
    LiveSource,
    MemorySink,
    SinkPlace,
    SyntheticSource,
    enhance_live,
    live_frames,
)
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.live_run import LiveRun
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.summary import LiveStatus
from tapetum.realtime.prefetch import Channel

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_thread_stays")]


def test_a_pattern_goes_through_the_model_to_the_sink(gain_model: Path) -> None:
    sink, controls = MemorySink(), Controls()
    summary = enhance_live(
        "lavfi:color=c=0x101010:s=96x64:r=30",
        [memory(sink)],
        model=gain_model,
        controls=controls,
        on_status=quit_when(lambda status: status.mode == "gain", controls),
        duration_s=60,
    )
    assert summary.frames == len(sink.frames)
    assert summary.frames <= 30 * summary.duration_s + 2
    assert summary.modes["gain"] > 0
    assert sum(summary.modes.values()) >= summary.frames
    # From the first one on: three times 30, counted from black, which is 16.
    assert min(frame.planes[0].mean() for frame in sink.frames) >= 58
    assert list(summary.latency_ms) == ["p50", "p90", "p95", "p99", "max"]
    assert 0 < summary.latency_ms["p50"] <= summary.age_ms["p50"] <= summary.age_ms["max"]
    times = [frame.pts for frame in sink.frames if frame.pts is not None]
    assert times == sorted(set(times))


def test_a_recording_never_replaces_the_file_that_is_played(
    short_clip: Path, tmp_path: Path
) -> None:
    clip, link = tmp_path / "clip.mp4", tmp_path / "link.mp4"
    clip.write_bytes(short_clip.read_bytes())
    link.symlink_to(clip)
    for output in (clip, link):
        with pytest.raises(MediaError, match="is the input itself"):
            enhance_live(clip, [str(output)], overwrite=True, duration_s=1.0)
    assert clip.read_bytes() == short_clip.read_bytes()


def test_a_source_that_falls_silent_has_its_last_picture_held() -> None:
    url = f"udp://127.0.0.1:{free_udp_port()}"
    sink, controls, notices = MemorySink(), Controls(), list[str]()

    def quit_when_held(status: LiveStatus) -> None:
        if len(sink.frames) > 20:
            sender.kill()
        controls.quit = status.held and len(notices) > 0

    with live_process("--source", PATTERN, "--sink", url, "--quiet") as sender:
        summary = enhance_live(
            url,
            [memory(sink)],
            controls=controls,
            on_status=quit_when_held,
            on_notice=notices.append,
            duration_s=60,
        )
    assert summary.held >= 2
    assert summary.frames == len(sink.frames) - summary.held
    assert "the last picture is held" in notices[0]
    shown, held = sink.frames[-2:]
    assert all(np.array_equal(a, b) for a, b in zip(shown.planes, held.planes, strict=True))
    assert (held.pts or 0) > (shown.pts or 0)


def test_the_viewer_quits_records_and_chooses_the_model(
    gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    controls, notices = Controls(), list[str]()
    states: list[LiveStatus] = []

    def press(status: LiveStatus) -> None:
        states.append(status)
        keys = {1: "rs", 2: "m", 5: "r", 6: "q"}
        for key in keys.get(len(states), ""):
            controls.press(key)

    enhance_live(
        PATTERN,
        ["null"],
        model=gain_model,
        controls=controls,
        on_status=press,
        on_notice=notices.append,
        duration_s=30,
    )
    assert "gain is the only model" in notices
    (video,) = tmp_path.glob("tapetum-recording-*.mkv")
    (picture,) = tmp_path.glob("tapetum-snapshot-*.png")
    with av.open(str(video)) as container:
        assert len(list(container.decode(video=0))) > 3
    with av.open(str(picture)) as container:
        assert container.streams.video[0].width == 96
    firsts = [notice.split()[0] for notice in notices]
    assert firsts == ["recording", "saved", "gain", "recorded"]


def test_a_recording_that_the_end_of_the_stream_ends_is_told_of(
    gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    notices = list[str]()
    enhance_live(
        f"{PATTERN}:d=2",
        ["null"],
        model=gain_model,
        controls=Controls(recording=True),
        on_notice=notices.append,
    )
    (video,) = tmp_path.glob("tapetum-recording-*.mkv")
    said = [line for line in notices if "record" in line]
    assert said == [f"recording to {video.name}", f"recorded {video.name}"]


class LateSource:
    """Ten pictures a second, after half a second in which none comes, as from a camera."""

    def __iter__(self) -> Iterator[Frame]:
        time.sleep(0.5)
        for number in range(100):
            (frame,) = SyntheticSource(96, 64, frames=1)
            yield replace(frame, pts=90_000 + number, time_base=Fraction(1, 10))
            time.sleep(0.02)

    def close(self) -> None:
        """Change nothing: the last pictures come soon."""


def test_a_duration_is_that_of_the_video_from_its_first_frame() -> None:
    sink = MemorySink()
    place = SinkPlace("memory", sink, waits=True, in_caller=True)
    LiveRun(LateSource(), ladder_for(), [place]).run(duration_s=1.2)
    assert [frame.pts for frame in sink.frames] == [90_000 + number for number in range(12)]


class HangingSource:
    """Gives one frame, then hangs in a read that nothing ends."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        yield from SyntheticSource(96, 64, frames=1)
        self.released.wait(60)

    def close(self) -> None:
        """Change nothing: the read goes on."""


def test_a_source_that_hangs_in_a_read_does_not_delay_the_end() -> None:
    source, sink = HangingSource(), MemorySink()
    summary = LiveRun(source, ladder_for(), [memory(sink)]).run(duration_s=0.3)
    assert len(sink.frames) == 1
    assert sink.closed
    assert summary.duration_s < 30  # and not the minute that the read would take
    source.released.set()


def test_a_run_needs_a_sink() -> None:
    with pytest.raises(ValueError, match="at least one sink"):
        enhance_live(PATTERN, [])


def test_live_frames_yield_the_newest_to_a_slow_reader(gain_model: Path) -> None:
    source = LiveSource(PATTERN)
    frames = live_frames(source, model=gain_model)
    next(frames)
    time.sleep(1)
    waiting, newest = next(frames), next(frames)
    frames.close()
    assert (waiting.time_s or 0) > 0.5
    assert (newest.time_s or 0) > (waiting.time_s or 0)
    assert np.isfinite(newest.planes[0].mean())


def test_taking_from_a_channel_has_an_end() -> None:
    channel: Channel[int] = Channel()
    with pytest.raises(TimeoutError):
        channel.take(0.01)
    channel.put(1)
    channel.end()
    assert channel.take(0.01) == 1
    with pytest.raises(StopIteration):
        channel.take(0.01)
