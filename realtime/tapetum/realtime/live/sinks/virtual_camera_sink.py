"""A camera that other programs can choose, by pyvirtualcam: v4l2loopback, or OBS's own."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

import numpy as np

from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.sinks.bgr import BgrConverter


class VirtualCameraSink:
    """A `FrameSink` that is a camera to other programs; it opens with the first frame."""

    def __init__(self, *, rate: Fraction = Fraction(30)) -> None:
        """Check that pyvirtualcam is there.

        Args:
            rate: frames per second that the camera says it has.

        Raises:
            DeviceError: pyvirtualcam is not installed.
        """
        self._package = _pyvirtualcam()
        self._rate = rate
        self._converter = BgrConverter()
        self._camera: Any = None

    def write(self, frame: Frame) -> None:
        """Show one frame.

        Raises:
            DeviceError: the system has no virtual camera.
        """
        if self._camera is None:
            self._camera = self._opened(frame)
        self._camera.send(np.ascontiguousarray(self._converter(frame)))

    def close(self) -> None:
        """Release the camera; calling it again does nothing."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def discard(self) -> None:
        """Release the camera."""
        self.close()

    def _opened(self, frame: Frame) -> Any:  # noqa: ANN401 - an optional package
        package = self._package
        try:
            return package.Camera(
                width=frame.width,
                height=frame.height,
                fps=float(self._rate),
                fmt=package.PixelFormat.BGR,
            )
        except RuntimeError as error:
            raise DeviceError(
                f"there is no virtual camera on this system; {remedy()}, or choose another --sink"
            ) from error


def remedy(platform: str = sys.platform) -> str:
    """What makes one there."""
    if platform in {"win32", "darwin"}:
        return "install OBS Studio, and start its virtual camera once"
    return "load v4l2loopback (sudo modprobe v4l2loopback devices=1)"


def _pyvirtualcam() -> Any:  # noqa: ANN401 - an optional package
    try:
        import pyvirtualcam
    except ImportError:
        raise DeviceError(
            "a virtual camera needs pyvirtualcam: pip install 'tapetum[virtual-camera]'"
        ) from None
    return pyvirtualcam
