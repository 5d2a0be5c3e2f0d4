"""Live sources: their own pace, times on every frame, and streams that vanish and return."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pytest
from support.live_parts import PATTERN, free_udp_port, live_process, wait_until
from support.media import Clip, make_clip, make_resized_clip, scribble

from tapetum.realtime import LiveSource
from tapetum.realtime.errors import MediaError
from tapetum.realtime.live.address import parse_source
from tapetum.realtime.live.live_source import Pacer
from tapetum.realtime.prefetch import Prefetch

pytestmark = pytest.mark.slow


def test_a_pattern_comes_at_its_own_pace_with_times_on_every_frame() -> None:
    begin_s = time.monotonic()
    frames = list(LiveSource("lavfi:testsrc2=s=96x64:r=20:d=0.5"))
    assert time.monotonic() - begin_s >= 0.45
    assert [round(float(frame.pts * frame.time_base), 3) for frame in frames if frame.pts] == [
        round(index / 20, 3) for index in range(1, 10)
    ]
    for frame in frames:
        assert frame.capture_time_s is not None
        assert frame.arrival_time_s is not None
        assert begin_s < frame.capture_time_s <= frame.arrival_time_s < time.monotonic()


def test_a_file_keeps_its_times_paced_or_not(short_clip: Path) -> None:
    source = LiveSource(short_clip, paced=False)
    assert source.ends
    assert (source.size, source.rate) == ((96, 64), Fraction(25))
    assert source.description == f"{short_clip} 96x64 h264 25 fps"
    times = [frame.time_s for frame in source]
    assert times == pytest.approx([index / 25 for index in range(12)], abs=1e-4)


def test_a_file_is_played_over_and_over_with_times_that_go_on(short_clip: Path) -> None:
    source = LiveSource(short_clip, paced=False, loop=True)
    times = [frame.time_s for frame in islice(source, 30)]  # of a file of 12 frames
    assert times == pytest.approx([index / 25 for index in range(30)], abs=1e-3)
    source.close()


def test_pictures_are_paced_and_not_packets(tmp_path: Path) -> None:
    """Packets lie in the order of decoding: paced by them, B-frames come in bursts."""
    clip = Clip(frames=10, rate=15, options={"bf": "3", "b-adapt": "0"})
    source = LiveSource(make_clip(tmp_path / "in.mp4", clip))
    frames = list(source)
    first = frames[0]
    assert len(frames) == 10
    for frame in frames:
        played_s = (frame.time_s or 0) - (first.time_s or 0)
        assert (frame.capture_time_s or 0) - (first.capture_time_s or 0) >= played_s - 1e-3


def test_a_file_without_a_picture_is_one_line(tmp_path: Path) -> None:
    path = scribble(make_clip(tmp_path / "in.mkv", Clip(frames=5)), 0.5, 1.0)
    with pytest.raises(MediaError, match=r"no frame of .*bad_in\.mkv can be decoded"):
        LiveSource(path)


def test_what_is_beside_the_pictures_is_left_out_and_said(tmp_path: Path) -> None:
    told = list[str]()
    path = make_clip(tmp_path / "in.mkv", Clip(audio=["aac", "aac"], subtitles="subrip"))
    LiveSource(path, on_notice=told.append).close()
    assert told == [f"only the pictures of {path} are taken, not its sound and subtitles"]


def test_a_change_of_size_is_scaled_and_said(tmp_path: Path) -> None:
    told = list[str]()
    with LiveSource(make_resized_clip(tmp_path), paced=False, on_notice=told.append) as source:
        assert {(frame.width, frame.height) for frame in source} == {(64, 48)}
    assert told == ["the picture size changes; all is scaled to 64x48"]


def test_closing_ends_the_wait_for_a_frame() -> None:
    source = LiveSource("lavfi:testsrc2=s=96x64:r=1/30")
    with Prefetch(source) as frames:
        assert next(frames).pts == 0
        begin_s = time.monotonic()
        source.close()
        assert next(frames, None) is None
        assert time.monotonic() - begin_s < 15  # the next frame is due after 30 s


def test_closing_before_the_first_frame_releases_the_source() -> None:
    source = LiveSource(PATTERN)
    source.close()
    source.close()
    assert list(source) == []


def test_a_lost_stream_is_reopened_until_it_is_back() -> None:
    url = f"udp://127.0.0.1:{free_udp_port()}"
    sending = ["--source", PATTERN, "--sink", url, "--quiet"]
    notices: list[str] = []
    with live_process(*sending):
        source = LiveSource(url, on_notice=notices.append)
        frames = Prefetch(source, depth=1, policy="drop_oldest")
        first = frames.take(20)
    assert not source.ends
    wait_until(lambda: len(notices) == 1)
    assert "is lost" in notices[0]
    count = source.frames
    with live_process(*sending):
        wait_until(lambda: source.frames > count + 5)
        last = frames.take(20)
    assert notices[1] == f"{url} is back"
    assert (last.width, last.height) == (first.width, first.height)
    assert (last.pts or 0) > (first.pts or 0)
    source.close()
    frames.close()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.mp4", "source nowhere.mp4 does not exist; give a camera"),
        ("/dev/video77", "camera /dev/video77 does not exist; tapetum live --list-cameras"),
        (77, "camera /dev/video77 does not exist"),
        ("lavfi:", "write lavfi:PATTERN"),
        ("screen::77", "cannot open source screen::77: there is no such X display"),
        ("rtsp://127.0.0.1:99999/x", "is no address: Port out of range"),
        ("rtsp://no.such.host.invalid/x", "nothing was received; check the host's name"),
        ("nosuch://x", "cannot open source nosuch://x: FFmpeg does not know"),
        (__file__, "it is no video that FFmpeg can read"),
        ("lavfi:nosuchfilter", "cannot open source lavfi:nosuchfilter"),
        ("lavfi:anullsrc", "source lavfi:anullsrc has no video"),
        ("http://127.0.0.1:9/none", "cannot open source http://127.0.0.1:9/none"),
        (f"{300 * 'n'}.mp4", "does not exist; give a camera"),
        ("/dev", "source /dev is no file; give a camera"),
    ],
)
def test_what_cannot_be_opened_is_one_clear_line(source: str | int, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        LiveSource(source)


def test_a_pattern_may_be_longer_than_a_file_s_name() -> None:
    with LiveSource(f"{PATTERN},{60 * 'null,'}null", paced=False) as source:
        assert next(iter(source)).width == 96


def test_urls_and_screens_are_opened_for_low_delay_and_at_the_wanted_size() -> None:
    (stream,) = parse_source("rtsp://host/stream")
    assert stream.options["rtsp_transport"] == "tcp"
    assert stream.options["fflags"] == "nobuffer"
    (shouted,) = parse_source("RTSP://Host/Stream")  # FFmpeg knows no such name
    assert (shouted.url, shouted.name) == ("rtsp://Host/Stream", "RTSP://Host/Stream")
    assert shouted.options == stream.options
    (screen,) = parse_source("screen::1", size=(640, 480), rate=Fraction(30))
    assert (screen.url, screen.format_name) == (":1", "x11grab")
    assert screen.options == {"video_size": "640x480", "framerate": "30"}


def test_a_pacer_that_is_late_starts_anew_instead_of_hurrying() -> None:
    pacer = Pacer(threading.Event())
    pacer.wait(0.0)
    time.sleep(0.3)  # as after a suspended process
    begin_s = time.monotonic()
    for index in range(1, 5):
        pacer.wait(index / 20)
    assert time.monotonic() - begin_s >= 3 / 20
