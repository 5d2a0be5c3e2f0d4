"""What live sinks write, read back by FFmpeg."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tapetum.realtime import SyntheticSource
from tapetum.realtime.errors import DeviceError, MediaError
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.outputs import open_sink
from tapetum.realtime.live.sinks.bgr import BgrConverter
from tapetum.realtime.live.sinks.pipe_sinks import RawVideoSink, Y4mSink
from tapetum.realtime.live.sinks.recording_sink import RecordingSink
from tapetum.realtime.media.av_frame import frame_planes, to_av
from tapetum.realtime.media.frame_conversion import SCALER_THREADS

RATE = Fraction(30)


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize(
    ("format_name", "read_back"),
    [
        ("yuv420p", "yuv420p"),
        ("nv12", "yuv420p"),
        ("yuv422p", "yuv422p"),
        ("yuv444p", "yuv444p"),
        ("yuv420p10le", "yuv420p10le"),
        ("p010le", "yuv420p10le"),
        ("yuvj420p", "yuv420p"),
    ],
)
@pytest.mark.parametrize("size", [(96, 64), (35, 27)])
def test_y4m_is_read_back_bit_for_bit(
    format_name: str, read_back: str, size: tuple[int, int]
) -> None:
    frames = list(SyntheticSource(*size, frames=3, format_name=format_name))
    pipe = io.BytesIO()
    sink = Y4mSink(pipe, rate=RATE)
    for frame in frames:
        sink.write(frame)
    pipe.seek(0)
    with av.open(pipe, "r", format="yuv4mpegpipe") as container:
        assert container.streams.video[0].average_rate == 30
        pictures = list(container.decode(video=0))
    assert [picture.format.name for picture in pictures] == [read_back] * 3
    for frame, picture in zip(frames, pictures, strict=True):
        expected = to_av(frame).reformat(format=read_back, threads=SCALER_THREADS)
        for got, wanted in zip(frame_planes(picture), frame_planes(expected), strict=True):
            assert np.array_equal(got, wanted)
        assert picture.color_range == (2 if frame.full_range else 1)


def test_y4m_refuses_another_size_and_a_pipe_that_nobody_reads() -> None:
    (small,), (large,) = SyntheticSource(32, 32, frames=1), SyntheticSource(64, 32, frames=1)
    sink = Y4mSink(io.BytesIO())
    sink.write(small)
    with pytest.raises(MediaError, match="cannot change their size"):
        sink.write(large)
    with (
        Path("/dev/full").open("wb", 0) as full,
        pytest.raises(MediaError, match="cannot write frames"),
    ):
        Y4mSink(full).write(small)


@pytest.mark.parametrize(
    ("format_name", "written"),
    [("yuv422p", "yuv422p"), ("nv12", "yuv420p"), ("p010le", "yuv420p10le")],
)
def test_raw_video_is_the_planes_alone(format_name: str, written: str) -> None:
    frames = list(SyntheticSource(35, 27, frames=2, format_name=format_name))
    pipe, said = io.BytesIO(), list[str]()
    sink = RawVideoSink(pipe, rate=Fraction(30000, 1001), on_start=said.append)
    for frame in frames:
        sink.write(frame)
    pictures = [to_av(frame).reformat(format=written, threads=SCALER_THREADS) for frame in frames]
    planes = [plane for picture in pictures for plane in frame_planes(picture)]
    assert pipe.getvalue() == b"".join(np.ascontiguousarray(plane).tobytes() for plane in planes)
    (line,) = said
    assert f"-pixel_format {written} -video_size 35x27 -framerate 30000/1001 " in line
    with pytest.raises(MediaError, match="cannot change their size"):
        sink.write(next(iter(SyntheticSource(64, 32, frames=1, format_name=format_name))))


@pytest.mark.parametrize("began_s", [0.0, 37.3])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_a_recording_keeps_every_frame_and_its_time(
    suffix: str, began_s: float, tmp_path: Path
) -> None:
    """From its own beginning on, whenever the stream has begun."""
    path = tmp_path / f"recording{suffix}"
    times_s = [0.0, 0.04, 0.1, 0.5, 0.533]
    sink = RecordingSink(path, rate=RATE)
    for frame, time_s in zip(SyntheticSource(96, 64, frames=5), times_s, strict=True):
        pts = round((began_s + time_s) * 90_000)
        sink.write(replace(frame, pts=pts, time_base=Fraction(1, 90_000)))
    sink.close()
    sink.close()
    pictures = decoded(path)
    assert [picture.time for picture in pictures] == pytest.approx(times_s, abs=0.001)


def test_a_recording_can_be_played_at_any_moment(tmp_path: Path) -> None:
    """A copy of the unfinished file is what a killed process would leave."""
    for suffix in (".mp4", ".mkv"):
        path, copy = tmp_path / f"whole{suffix}", tmp_path / f"killed{suffix}"
        sink = RecordingSink(path, rate=RATE)
        for frame in SyntheticSource(96, 64, frames=150):
            sink.write(frame)
        copy.write_bytes(path.read_bytes())
        sink.close()
        assert len(decoded(copy)) >= 105  # all but the last second and a half
        assert len(decoded(path)) == 150


def test_frames_whose_times_do_not_rise_are_recorded_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "held.mkv"
    sink = RecordingSink(path)
    for frame in SyntheticSource(96, 64, frames=4):
        sink.write(replace(frame, pts=min(frame.pts or 0, 1), time_base=Fraction(1, 90_000)))
    sink.close()
    assert len(decoded(path)) == 4


def test_a_recording_replaces_nothing_unless_it_may(tmp_path: Path) -> None:
    path = tmp_path / "there.mkv"
    path.write_bytes(b"precious")
    with pytest.raises(MediaError, match="exists; pass --overwrite"):
        RecordingSink(path)
    with pytest.raises(MediaError, match=r"\.avi"):
        RecordingSink(tmp_path / "other.avi")
    assert path.read_bytes() == b"precious"


def flat(y: int, u: int, v: int, color: ColorInfo) -> Frame:
    planes = tuple(
        np.full(shape, value, np.uint8)
        for shape, value in zip(((32, 48), (16, 24), (16, 24)), (y, u, v), strict=True)
    )
    return Frame(planes, "yuv420p", color=color)


@pytest.mark.parametrize(
    ("frame", "bgr"),
    [
        (flat(16, 128, 128, ColorInfo(range=1)), (0, 0, 0)),
        (flat(235, 128, 128, ColorInfo(range=1)), (255, 255, 255)),
        (flat(128, 128, 128, ColorInfo(range=2)), (128, 128, 128)),
        (flat(81, 90, 240, ColorInfo(matrix=6, range=1)), (0, 0, 255)),  # BT.601 red
        (flat(63, 102, 240, ColorInfo(matrix=1, range=1)), (0, 0, 255)),  # BT.709 red
    ],
)
def test_bgr_images_follow_matrix_and_range(frame: Frame, bgr: tuple[int, int, int]) -> None:
    image = BgrConverter()(frame)
    assert image.shape == (32, 48, 3)
    assert np.abs(image.astype(int) - bgr).max() <= 3


def sink_named(name: str) -> object:
    return open_sink(name, controls=Controls(), caption=str, rate=RATE).sink


@pytest.mark.parametrize(
    ("display", "message"),
    [
        ("", "needs an X display: set DISPLAY, or choose"),
        (":987", "no display at DISPLAY=:987; choose"),
        ("127.0.0.1:987.0", "no display at DISPLAY=127.0.0.1:987.0; choose"),
        ("nonsense", "no display at DISPLAY=nonsense; choose"),
    ],
)
def test_a_window_without_a_display_says_what_to_do(
    display: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qt would end the process."""
    pytest.importorskip("cv2")
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(MediaError, match=message):
        sink_named("window")


def test_a_virtual_camera_that_cannot_be_says_what_to_do() -> None:
    with pytest.raises(DeviceError, match=r"pip install|v4l2loopback"):
        sink_named("virtual").write(next(iter(SyntheticSource())))  # type: ignore[attr-defined]


def test_keys_change_the_view_the_strength_and_more() -> None:
    controls = Controls()
    for key in "  w++---mrsxq":
        controls.press(key)
    assert controls == Controls(
        view="wipe", strength=0.9, next_model=1, recording=True, snapshots=1, quit=True
    )
    controls.press("w")
    assert controls.view == "after"
    for _ in range(20):
        controls.press("+")
    assert controls.strength == 2


def test_views_show_the_original_the_enhanced_or_both() -> None:
    original = flat(20, 128, 128, ColorInfo(range=1))
    enhanced = flat(90, 128, 128, ColorInfo(range=1))
    controls = Controls(divider=0.5)
    assert controls.show(original, enhanced) is enhanced
    controls.toggle("before")
    assert controls.show(original, enhanced) is original
    controls.toggle("wipe")
    luma = controls.show(original, enhanced).planes[0]
    assert (luma[:, 0] == 20).all()
    assert (luma[:, -1] == 90).all()


@pytest.mark.parametrize("kind", [Y4mSink, RawVideoSink])
def test_a_reader_at_a_fixed_rate_keeps_the_time(kind: type[Y4mSink | RawVideoSink]) -> None:
    frames = list(SyntheticSource(16, 16, frames=30, rate=RATE))
    missing = {0, 3, 4, 5, 17, 29}
    pipe = io.BytesIO()
    sink = kind(pipe, rate=RATE)
    for index, frame in enumerate(frames):
        if index not in missing:
            sink.write(frame)
    size = 16 * 16 * 3 // 2
    payload = pipe.getvalue()
    if kind is Y4mSink:
        payload = payload.partition(b"\n")[2].replace(b"FRAME\n", b"")
    shown = [payload[at : at + size] for at in range(0, len(payload), size)]
    source = [b"".join(plane.tobytes() for plane in frame.planes) for frame in frames]
    places = [*range(1, 3), 2, 2, 2, *range(6, 17), 16, *range(18, 29)]
    assert shown == [source[place] for place in places]


@pytest.mark.parametrize(
    ("times", "written"),
    [
        ([0, 1, 2], [0, 1, 2]),
        ([0, 1.4, 1.7, 3.3, 4], [0, 1, 2, 3, 4]),
        ([0, 0.4, 0.8, 1.2, 1.6, 2], [0, 1, 3]),
        ([0, 2.9, 3, 4], [0, 0, 1, 2, 3]),
        ([0, 1, 100_000, 100_001], [0, 1, 2, 3]),
    ],
    ids=["exact", "uneven", "too many", "one missing", "asleep"],
)
def test_frames_that_come_unevenly_are_neither_doubled_nor_left_out(
    times: list[float], written: list[int]
) -> None:
    frames = list(SyntheticSource(16, 16, frames=len(times), rate=RATE))
    source = [b"".join(plane.tobytes() for plane in frame.planes) for frame in frames]
    pipe = io.BytesIO()
    sink = RawVideoSink(pipe, rate=RATE)
    for frame, time in zip(frames, times, strict=True):
        sink.write(replace(frame, pts=round(3000 * time), time_base=Fraction(1, 90_000)))
    size = len(source[0])
    shown = [pipe.getvalue()[at : at + size] for at in range(0, len(pipe.getvalue()), size)]
    assert [source.index(picture) for picture in shown] == written


def test_each_frame_is_written_once_where_that_is_wished() -> None:
    frames = list(SyntheticSource(16, 16, frames=9, rate=RATE))
    pipe = io.BytesIO()
    sink = RawVideoSink(pipe, rate=RATE, sync="drop")
    for frame in frames[::4]:
        sink.write(frame)
    assert len(pipe.getvalue()) == 3 * 16 * 16 * 3 // 2
