"""V4L2 cameras as far as they can be tested without one: devices, options, plain refusals."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from fractions import Fraction
from pathlib import Path

import av
import pytest
from support.command_line import tapetum

from tapetum.realtime import LiveSource
from tapetum.realtime.errors import MediaError
from tapetum.realtime.live import cameras
from tapetum.realtime.live.address import Address, parse_source
from tapetum.realtime.live.open_address import why_not

pytestmark = pytest.mark.slow

FIND_IN_CLASS = 2
"""AV_OPT_SEARCH_FAKE_OBJ of FFmpeg's opt.h."""
ABSENT_CAMERA = os.makedev(81, 250)


class InputFormat(ctypes.Structure):
    """The beginning of FFmpeg's AVInputFormat."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("long_name", ctypes.c_char_p),
        ("flags", ctypes.c_int),
        ("extensions", ctypes.c_char_p),
        ("codec_tag", ctypes.c_void_p),
        ("priv_class", ctypes.c_void_p),
    )


def loaded(name: str) -> ctypes.CDLL:
    """One of FFmpeg's libraries, the one that PyAV has loaded; OpenCV may have loaded its own."""
    of_av = Path(av.__file__).parents[1] / "av.libs"
    mapped = map(Path, Path("/proc/self/maps").read_text().split())
    return ctypes.CDLL(
        str(next(path for path in mapped if path.parent == of_av and path.name.startswith(name)))
    )


def demuxer_has_option(demuxer: str, option: str) -> bool:
    av.open("color=s=16x16:d=0.1", format="lavfi").close()  # loads the devices
    find_format = loaded("libavformat").av_find_input_format
    find_format.restype = ctypes.POINTER(InputFormat)
    find_option = loaded("libavutil").av_opt_find
    find_option.restype = ctypes.c_void_p
    options = ctypes.byref(ctypes.c_void_p(find_format(demuxer.encode()).contents.priv_class))
    return bool(find_option(options, option.encode(), None, 0, FIND_IN_CLASS))


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """A camera's device whose driver finds no camera."""
    device = tmp_path / "video"
    try:
        os.mknod(device, 0o600 | stat.S_IFCHR, ABSENT_CAMERA)
        os.close(os.open(device, os.O_RDWR))
    except PermissionError:
        pytest.skip("only root can make a device")
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.ENODEV):
            raise
    return device


def test_a_camera_is_asked_for_its_formats_the_best_first(camera: Path) -> None:
    large = parse_source(camera, size=(1280, 720), rate=Fraction(30))
    small = parse_source(camera, size=(640, 480))
    assert [way.options.get("input_format") for way in large] == ["mjpeg", "yuyv422", "nv12", None]
    assert [way.options.get("input_format") for way in small] == ["yuyv422", "nv12", "mjpeg", None]
    for way in large:
        assert (way.format_name, way.url) == ("v4l2", str(camera))
        assert way.options["video_size"] == "1280x720"
        assert way.options["framerate"] == "30"


def test_what_a_camera_is_asked_for_are_options_of_ffmpeg_s(camera: Path) -> None:
    """FFmpeg leaves out options that it does not know without a word."""
    ways = parse_source(camera, size=(1280, 720), rate=Fraction(30000, 1001))
    asked = {name for way in ways for name in way.options}
    assert asked == {"input_format", "video_size", "framerate"}
    for option in asked:
        assert demuxer_has_option("v4l2", option)
    assert not demuxer_has_option("v4l2", "input_formats")


def test_a_camera_without_a_device_behind_it_is_one_clear_line(camera: Path) -> None:
    with pytest.raises(MediaError, match=rf"cannot open source {camera}: its driver finds no"):
        LiveSource(camera)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EBUSY, "another program uses it"),
        (errno.EACCES, "sudo usermod -aG video"),
        (errno.ENODEV, "is it plugged in"),
        (errno.ENOTTY, "the second is for metadata"),
        (errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_why_a_camera_does_not_open_is_said_in_plain_words(number: int, words: str) -> None:
    """With the errors that PyAV makes of the kernel's numbers."""
    address = Address("/dev/video0", "/dev/video0", "v4l2")
    with pytest.raises(av.error.FFmpegError) as refused:
        av.error.err_check(-number)
    assert words in why_not(address, refused.value)


def test_other_devices_and_files_are_no_cameras(tmp_path: Path) -> None:
    for device in ("/dev/null", "/dev/zero"):
        assert not cameras.is_camera(Path(device))
        with pytest.raises(MediaError, match=rf"{device} is no camera"):
            LiveSource(device)
    assert not cameras.is_camera(tmp_path)
    answer = tapetum("live", "--camera", "clip.mp4", "--sink", "null")
    assert answer.returncode == 1
    assert "there is no camera clip.mp4, or several have it in their names" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_cameras_are_listed_with_whether_they_may_be_used() -> None:
    listed = [camera.device for camera in cameras.list_cameras()]
    assert set(listed) == {str(path) for path in Path("/dev").glob("video*")}


def test_what_was_got_is_told_where_it_is_not_what_was_asked_for(tmp_path: Path) -> None:
    """An uncompressed source is described by its pixel format."""
    path = tmp_path / "clip.y4m"
    with av.open(str(path), "w", format="yuv4mpegpipe") as output:
        stream = output.add_stream("wrapped_avframe", 25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        output.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
    notices = list[str]()
    source = LiveSource(path, size=(1280, 720), rate=Fraction(30), on_notice=notices.append)
    source.close()
    assert source.description == f"{path} 96x64 yuv420p 25 fps"
    assert notices == [
        f"{path} gives 96x64 instead of 1280x720, 25 instead of 30 frames per second"
    ]
