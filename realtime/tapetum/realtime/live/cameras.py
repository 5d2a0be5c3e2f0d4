"""Which cameras there are."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

_V4L2_MAJOR = 81
"""In Linux's list of devices, admin-guide/devices.txt."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A V4L2 device.

    Attributes:
        device: its path, like "/dev/video0".
        name: what its driver calls it.
        usable: whether this user may open it.
    """

    device: str
    name: str
    usable: bool


def list_cameras() -> list[Camera]:
    """All V4L2 devices; a camera often has a second one, for metadata, which gives no pictures."""
    devices = sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    return [Camera(str(path), _name(path), os.access(path, os.R_OK | os.W_OK)) for path in devices]


def is_camera(device: Path) -> bool:
    """Whether a device is one of V4L2's: Linux gives them a major number of their own."""
    if sys.platform != "win32" and device.is_char_device():
        return os.major(device.stat().st_rdev) == _V4L2_MAJOR
    return False


def _name(device: Path) -> str:
    label = Path("/sys/class/video4linux") / device.name / "name"
    return label.read_text().strip() if label.exists() else "unnamed"
