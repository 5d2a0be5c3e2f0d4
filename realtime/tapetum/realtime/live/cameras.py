"""Which cameras there are, on Linux (V4L2), Windows (DirectShow) and macOS (AVFoundation)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from av import logging
from av.error import FFmpegError

_V4L2_MAJOR = 81
"""In Linux's list of devices, admin-guide/devices.txt."""
_LISTED = re.compile(r"\[(\d+)\] (.+)")


@dataclass(frozen=True, slots=True)
class Camera:
    """A device that gives pictures.

    Attributes:
        device: what FFmpeg opens: "/dev/video0", "video=@device_pnp_...", "0:none".
        name: what its driver calls it.
        usable: whether this user may open it, as far as that is known.
    """

    device: str
    name: str
    usable: bool = True


def camera_system(platform: str = sys.platform) -> str:
    """FFmpeg's name of what opens cameras on a system."""
    return {"win32": "dshow", "darwin": "avfoundation"}.get(platform, "v4l2")


def list_cameras(system: str | None = None) -> list[Camera]:
    """All cameras; on Linux one often has a second device, for metadata, which gives no pictures.

    Args:
        system: `v4l2`, `dshow` or `avfoundation`; None is this system's.
    """
    chosen = system or camera_system()
    if chosen == "dshow":
        return directshow_cameras(_devices("dshow"))
    if chosen == "avfoundation":
        return avfoundation_cameras(_avfoundation_log())
    devices = sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    return [Camera(str(path), _name(path), os.access(path, os.R_OK | os.W_OK)) for path in devices]


def _devices(system: str) -> Sequence[av.device.DeviceInfo]:
    """What FFmpeg's own list of a system has."""
    try:
        return av.enumerate_input_devices(system)
    except (FFmpegError, ValueError):  # it has no list, or FFmpeg was built without it
        return []


def directshow_cameras(devices: Sequence[av.device.DeviceInfo]) -> list[Camera]:
    """Those of FFmpeg's list that give pictures, by the names that no two of them share."""
    return [
        Camera(f"video={device.name}", device.description or device.name)
        for device in devices
        if not device.media_types or "video" in device.media_types
    ]


def _avfoundation_log() -> list[str]:
    """What FFmpeg says when it is asked for the list, which it gives in its log alone."""
    level = logging.get_level()
    logging.set_level(logging.INFO)
    try:
        with logging.Capture() as logs:
            av.open("", format="avfoundation", options={"list_devices": "true"}).close()
    except (FFmpegError, ValueError):
        pass  # it opens nothing: the list is all
    finally:
        logging.set_level(level)
    return [text.strip() for _level, _who, text in logs]


def avfoundation_cameras(lines: Sequence[str]) -> list[Camera]:
    """The cameras in FFmpeg's list of AVFoundation's devices.

    Args:
        lines: of the log: "AVFoundation video devices:", "[0] FaceTime HD Camera",
            "[1] Capture screen 0", "AVFoundation audio devices:", "[0] Microphone".
    """
    return [each for each in avfoundation_videos(lines) if not is_screen(each)]


def avfoundation_videos(lines: Sequence[str]) -> list[Camera]:
    """The same, and the screens, which are devices there too."""
    found, of_video = list[Camera](), False
    for line in lines:
        if line.endswith("devices:"):
            of_video = "video" in line
        elif of_video and (match := _LISTED.search(line)):
            found.append(Camera(f"{match[1]}:none", match[2]))
    return found


def is_screen(device: Camera) -> bool:
    """Whether a device of AVFoundation is a screen."""
    return device.name.startswith("Capture screen")


def first_screen() -> Camera | None:
    """The first screen that AVFoundation has."""
    devices = avfoundation_videos(_avfoundation_log())
    return next((each for each in devices if is_screen(each)), None)


def find_camera(wanted: str, cameras: Sequence[Camera]) -> Camera | None:
    """The camera of a number, counted from 0, or of a name or a part of it that only one has."""
    if wanted.isdecimal():
        return cameras[int(wanted)] if int(wanted) < len(cameras) else None
    folded = wanted.casefold()
    same = [each for each in cameras if folded in {each.name.casefold(), each.device.casefold()}]
    parts = [each for each in cameras if folded in each.name.casefold()]
    found = same or parts
    return found[0] if len(found) == 1 else None


def is_camera(device: Path) -> bool:
    """Whether a device is one of V4L2's: Linux gives them a major number of their own."""
    if sys.platform != "win32" and device.is_char_device():
        return os.major(device.stat().st_rdev) == _V4L2_MAJOR
    return False


def _name(device: Path) -> str:
    label = Path("/sys/class/video4linux") / device.name / "name"
    return label.read_text().strip() if label.exists() else "unnamed"
