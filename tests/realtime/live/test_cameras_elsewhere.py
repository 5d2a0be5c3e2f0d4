"""Cameras of Windows and macOS, by what FFmpeg documents that it says of them there."""

from __future__ import annotations

import sys
from fractions import Fraction

import av
import pytest
from av.device import DeviceInfo

from tapetum.realtime.errors import MediaError
from tapetum.realtime.live import address
from tapetum.realtime.live.address import Address, camera_ways, parse_source
from tapetum.realtime.live.cameras import (
    Camera,
    avfoundation_cameras,
    avfoundation_videos,
    camera_system,
    directshow_cameras,
    find_camera,
    list_cameras,
)
from tapetum.realtime.live.open_address import open_best, why_not
from tapetum.realtime.live.sinks.virtual_camera_sink import remedy

AVFOUNDATION = """
AVFoundation video devices:
[0] FaceTime HD Camera
[1] Logitech BRIO
[2] Capture screen 0
AVFoundation audio devices:
[0] MacBook Pro Microphone
""".strip().splitlines()
WEBCAM = r"@device_pnp_\\?\usb#vid_046d&pid_0825#{65e8773d}\global"


def test_directshow_has_cameras_by_names_that_no_two_share() -> None:
    listed = [
        DeviceInfo(WEBCAM, "HD Webcam", is_default=True, media_types=["video"]),
        DeviceInfo("@device_cm_x", "Microphone", is_default=False, media_types=["audio"]),
        DeviceInfo("OBS Virtual Camera", "", is_default=False, media_types=["video"]),
    ]
    assert directshow_cameras(listed) == [
        Camera(f"video={WEBCAM}", "HD Webcam"),
        Camera("video=OBS Virtual Camera", "OBS Virtual Camera"),
    ]


def test_avfoundation_has_cameras_and_screens_but_no_microphones_among_them() -> None:
    assert avfoundation_cameras(AVFOUNDATION) == [
        Camera("0:none", "FaceTime HD Camera"),
        Camera("1:none", "Logitech BRIO"),
    ]
    marked = [f"[AVFoundation indev @ 0x7f80]  {line}" for line in AVFOUNDATION]
    assert avfoundation_videos(marked)[2] == Camera("2:none", "Capture screen 0")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("0", "FaceTime HD Camera"),
        ("1", "Logitech BRIO"),
        ("2", None),
        ("logitech brio", "Logitech BRIO"),
        ("facetime", "FaceTime HD Camera"),
        ("1:none", "Logitech BRIO"),
        ("i", None),
        ("nothing", None),
    ],
)
def test_a_camera_has_a_number_and_a_name_or_a_part_of_it(wanted: str, found: str | None) -> None:
    camera = find_camera(wanted, avfoundation_cameras(AVFOUNDATION))
    assert (camera.name if camera else None) == found


def test_each_system_opens_cameras_by_its_own() -> None:
    systems = {name: camera_system(name) for name in ("linux", "win32", "darwin", "freebsd14")}
    assert systems == {
        "linux": "v4l2",
        "win32": "dshow",
        "darwin": "avfoundation",
        "freebsd14": "v4l2",
    }


def test_directshow_is_asked_for_uncompressed_pictures_where_they_are_small() -> None:
    camera = Camera(f"video={WEBCAM}", "HD Webcam")
    small = list(camera_ways(camera, "dshow", (640, 480), Fraction(30)))
    assert [way.options.get("pixel_format") for way in small[:3]] == ["nv12", "yuyv422", "uyvy422"]
    (large,) = camera_ways(camera, "dshow", (1280, 720), Fraction(30000, 1001))
    assert large == Address(
        "HD Webcam",
        f"video={WEBCAM}",
        "dshow",
        {"video_size": "1280x720", "framerate": "30000/1001"},
    )


def test_avfoundation_is_always_asked_for_a_rate_that_cameras_have() -> None:
    """Without one it takes 29.97, which most of them refuse."""
    ways = list(camera_ways(Camera("0:none", "FaceTime"), "avfoundation", (1280, 720), None))
    assert [way.options.get("framerate") for way in ways[:9:4]] == ["30", "25", "15"]
    assert all(way.format_name == "avfoundation" and way.url == "0:none" for way in ways)
    asked = list(camera_ways(Camera("0:none", "x"), "avfoundation", None, Fraction(60)))
    assert asked[0].options == {"framerate": "60", "pixel_format": "nv12"}
    assert asked[4].options["framerate"] == "30"


def test_the_first_way_that_opens_at_the_size_is_taken() -> None:
    """With test patterns in the camera's place: one way fails, one is too small, one is right."""
    ways = (
        Address("cam", "no-such-pattern", "lavfi"),
        Address("cam", "testsrc2=s=64x48", "lavfi"),
        Address("cam", "testsrc2=s=96x64", "lavfi"),
        Address("cam", "testsrc2=s=32x16", "lavfi"),
    )
    taken, container = open_best(ways, (96, 64))
    container.close()
    assert taken is ways[2]


def test_a_camera_that_is_not_there_is_said_on_any_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform in ("win32", "darwin"):
        assert list_cameras(camera_system(platform)) == []  # FFmpeg here has neither
    monkeypatch.setattr(address, "list_cameras", list)
    with pytest.raises(MediaError, match="there is no camera HD Webcam"):
        parse_source("camera:HD Webcam")


def test_a_camera_is_opened_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = avfoundation_cameras(AVFOUNDATION)
    monkeypatch.setattr(address, "list_cameras", lambda: listed)
    monkeypatch.setattr(address, "camera_system", lambda: "avfoundation")
    for source in ("camera:brio", 1, "1"):
        first = parse_source(source)[0]
        assert (first.name, first.url) == ("Logitech BRIO", "1:none")


def test_a_refusal_is_said_in_plain_words() -> None:
    with pytest.raises(av.error.FFmpegError) as refused:
        av.error.err_check(-5)
    for system in ("dshow", "avfoundation"):
        assert "another program uses it" in why_not(Address("x", "x", system), refused.value)


def test_a_virtual_camera_comes_from_what_the_system_has() -> None:
    assert "OBS Studio" in remedy("win32")
    assert "OBS Studio" in remedy("darwin")
    assert "v4l2loopback" in remedy("linux")
    assert remedy() == remedy(sys.platform)
