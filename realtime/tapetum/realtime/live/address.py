"""From what a user calls a source to how FFmpeg opens it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from tapetum.realtime.errors import MediaError
from tapetum.realtime.live.cameras import (
    Camera,
    camera_system,
    find_camera,
    first_screen,
    is_camera,
    list_cameras,
)
from tapetum.realtime.live.standard_input import STDIN, StandardInput, is_redirected_file
from tapetum.realtime.media.media_input import with_known_scheme

_CAMERA_FORMATS = ("mjpeg", "yuyv422", "nv12")
"""What a camera is asked for. Large pictures fit through USB 2 only as MJPG; small ones are
better uncompressed."""
_PIXEL_FORMATS = ("nv12", "yuyv422", "uyvy422")
"""What a camera of DirectShow or AVFoundation is asked for, before it may choose."""
_RATES = ("30", "25", "15")
"""What AVFoundation is asked for: it opens nothing at a rate that a camera does not name."""
_LARGE_PIXELS = 640 * 480
_LIST = "tapetum live --list-cameras lists them"

_LOW_DELAY = {"fflags": "nobuffer", "flags": "low_delay", "probesize": "500000"}


@dataclass(frozen=True, slots=True)
class Address:
    """One way to open a source.

    Attributes:
        name: what the user called it, for messages.
        url: what FFmpeg opens.
        format_name: FFmpeg's name of the device or demuxer; None lets FFmpeg find out.
        options: for FFmpeg.
        paced: whether frames come faster than real time if nobody slows them down.
        stamps_capture: whether packet times are the monotonic clock at capture.
        pipe: what FFmpeg reads instead of `url`.
    """

    name: str
    url: str
    format_name: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    paced: bool = False
    stamps_capture: bool = False
    pipe: StandardInput | None = None

    @property
    def is_url(self) -> bool:
        """Whether it is in the network."""
        return self.format_name is None and "://" in self.url

    @property
    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.url.startswith("file:")

    def interrupt(self) -> None:
        """Let a read that waits for a pipe return; others have time limits."""
        if self.pipe is not None:
            self.pipe.interrupt()


def parse_source(
    source: str | int | Path,
    *,
    size: tuple[int, int] | None = None,
    rate: Fraction | None = None,
) -> tuple[Address, ...]:
    """Ways to open a source, the best first.

    Args:
        source: a camera's number or device (0, "/dev/video0", "/dev/v4l/by-id/...") or its name
            ("camera:HD Webcam"), a URL ("rtsp://..."), "screen" or "screen::1" for the screen, of
            an X display where there are several, a test pattern ("lavfi:testsrc2"), a file, or
            "-" for standard input.
        size: width and height in pixels to ask a camera or the screen for.
        rate: frames per second to ask it for.

    Raises:
        MediaError: it is a file or camera that does not exist, an address that cannot, or a
            standard input that is closed or a terminal.
    """
    name = str(source)
    if name == STDIN:
        return (_standard_input(),)
    if ways := tuple(_ways_of_camera(name, size, rate)):
        return ways
    kind, _, rest = name.partition(":")
    if kind == "screen":
        return (_screen(name, rest, _wanted(size, rate)),)
    if kind == "lavfi":
        return (_pattern(rest),)
    if rest.startswith("//"):
        check_url(name)
        options = _LOW_DELAY | _transport(kind.lower())
        return (Address(name, with_known_scheme(name), options=options),)
    if not is_file(name):
        wrong = "is no file" if os.path.exists(name) else "does not exist"  # noqa: PTH110
        raise MediaError(
            f"source {name} {wrong}; give a camera, a URL, a file, screen or lavfi:PATTERN"
        )
    return (Address(name, f"file:{name}", paced=True),)


def _pattern(pattern: str) -> Address:
    if not pattern:
        raise MediaError("lavfi: has no pattern; write lavfi:PATTERN, like lavfi:testsrc2")
    return Address(f"lavfi:{pattern}", pattern, "lavfi", paced=True)


def _standard_input() -> Address:
    name = "standard input"
    if is_redirected_file():
        return Address(name, "file:/dev/stdin", paced=True)
    return Address(name, STDIN, pipe=StandardInput())


def is_file(source: str) -> bool:
    """Whether a source is a file; a URL or pattern may be longer than a file's name can be."""
    return os.path.isfile(source)  # noqa: PTH113 - which takes names of any length


def check_url(url: str) -> None:
    """Check the parts of a URL that FFmpeg takes without a word.

    Raises:
        MediaError: its port is none.
    """
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise MediaError(f"{url} is no address: {error}") from None


def _is_char_device(name: str) -> bool:
    return os.path.exists(name) and Path(name).is_char_device()  # noqa: PTH110 - as `is_file`


def _ways_of_camera(
    name: str, size: tuple[int, int] | None, rate: Fraction | None
) -> Iterator[Address]:
    """Ways to open a camera; none where the source is none."""
    system = camera_system()
    if name.startswith("camera:") or (name.isdecimal() and system != "v4l2"):
        yield from camera_ways(_found_camera(name.removeprefix("camera:")), system, size, rate)
    elif name.isdecimal():
        yield from _camera(f"/dev/video{name}", size, rate)
    elif name.startswith(("/dev/video", "/dev/v4l/")) or _is_char_device(name):
        yield from _camera(name, size, rate)


def _found_camera(wanted: str) -> Camera:
    cameras = list_cameras()
    camera = find_camera(wanted, cameras)
    if camera is None:
        raise MediaError(f"there is no camera {wanted}, or several have it in their names; {_LIST}")
    return camera


def camera_ways(
    camera: Camera, system: str, size: tuple[int, int] | None, rate: Fraction | None
) -> Iterator[Address]:
    """Ways to open a camera that was found in the list, the best first.

    Args:
        camera: what to open.
        system: `v4l2`, `dshow` or `avfoundation`.
        size: width and height in pixels to ask for.
        rate: frames per second to ask for.
    """
    if system == "v4l2":
        yield from _camera(camera.device, size, rate)
        return
    wanted = _wanted(size, rate)
    plain = Address(camera.name, camera.device, system, wanted)
    if system == "avfoundation":
        rates = [str(rate), *_RATES] if rate is not None else _RATES
        for text in dict.fromkeys(rates):
            yield from _formats(replace(plain, options=wanted | {"framerate": text}))
    elif size is None or size[0] * size[1] <= _LARGE_PIXELS:
        yield from _formats(plain)
    # Large pictures fit through USB 2 only as MJPG, which DirectShow chooses by size and rate.
    yield plain


def _formats(address: Address) -> Iterator[Address]:
    for name in _PIXEL_FORMATS:
        yield replace(address, options=address.options | {"pixel_format": name})
    yield address


def _screen(name: str, display: str, wanted: dict[str, str]) -> Address:
    system = camera_system()
    if system == "dshow":
        return Address(name, "desktop", "gdigrab", wanted)
    if system == "avfoundation":
        screen = first_screen()
        if screen is None:
            raise MediaError("no screen can be recorded; allow it in the system's settings")
        return Address(name, screen.device, "avfoundation", {"framerate": "30"} | wanted)
    return Address(name, display or _display(), "x11grab", wanted)


def _camera(device: str, size: tuple[int, int] | None, rate: Fraction | None) -> Iterator[Address]:
    if not Path(device).exists():
        raise MediaError(f"camera {device} does not exist; {_LIST}")
    if not is_camera(Path(device)):
        raise MediaError(f"{device} is no camera; {_LIST}")
    wanted = _wanted(size, rate)
    plain = Address(device, device, "v4l2", wanted, stamps_capture=True)
    large = size is not None and size[0] * size[1] > _LARGE_PIXELS
    formats = _CAMERA_FORMATS if large else (*_CAMERA_FORMATS[1:], _CAMERA_FORMATS[0])
    for name in formats:
        yield replace(plain, options=wanted | {"input_format": name})
    yield plain


def _wanted(size: tuple[int, int] | None, rate: Fraction | None) -> dict[str, str]:
    options = {} if size is None else {"video_size": f"{size[0]}x{size[1]}"}
    return options if rate is None else options | {"framerate": str(rate)}


def _display() -> str:
    return os.environ.get("DISPLAY", ":0")


def _transport(scheme: str) -> dict[str, str]:
    return {"rtsp_transport": "tcp"} if scheme == "rtsp" else {}
