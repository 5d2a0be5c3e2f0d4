"""Opens an `Address` with PyAV, and says what was really got, or in plain words why nothing."""

from __future__ import annotations

import errno
from fractions import Fraction

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.error import ExitError, FFmpegError, InvalidDataError, ProtocolNotFoundError
from av.video.stream import VideoStream

from tapetum.realtime.errors import MediaError
from tapetum.realtime.live.address import Address
from tapetum.realtime.media.media_errors import reason

READ_TIMEOUT_S = 3.0
"""A stream that sends nothing for so long is lost."""
_OPEN_TIMEOUT_S = 10.0
_NO_CODEC = "wrapped_avframe"
_UNCOMPRESSED = "rawvideo"


def open_best(
    addresses: tuple[Address, ...], size: tuple[int, int] | None
) -> tuple[Address, InputContainer]:
    """The first address that opens at the size that was asked for, else the last one.

    Raises:
        MediaError: none can be opened.
    """
    for address in addresses[:-1]:
        try:
            container = open_address(address)
        except MediaError:
            continue  # the last address says why
        stream = video_stream(container, address)
        if size is None or (stream.width, stream.height) == size:
            return address, container
        container.close()
    return addresses[-1], open_address(addresses[-1])


def open_address(address: Address, *, hwaccel: HWAccel | None = None) -> InputContainer:
    """Open an address; reading from it raises `ExitError` after `READ_TIMEOUT_S` of silence.

    A pipe may be silent for ever.

    Args:
        address: what is opened.
        hwaccel: what decodes its video, if not the CPU.

    Raises:
        RuntimeError: `hwaccel` decodes nothing of it.
        MediaError: it cannot be opened; the message says what to do.
    """
    try:
        container: InputContainer = av.open(
            address.url if address.pipe is None else address.pipe,
            mode="r",
            format=address.format_name,
            options=dict(address.options),
            hwaccel=hwaccel,
            timeout=(_OPEN_TIMEOUT_S, READ_TIMEOUT_S) if address.pipe is None else None,
        )
    except (FFmpegError, OSError, ValueError) as error:
        why = why_not(address, error)
        raise MediaError(f"cannot open source {address.name}: {why}") from error
    return container


def video_stream(container: InputContainer, address: Address) -> VideoStream:
    """The video of an opened address; the container is closed if there is none.

    Raises:
        MediaError: there is none.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        container.close()
        raise MediaError(f"source {address.name} has no video")
    stream.thread_type = "SLICE"  # threads over frames would hold frames back
    return stream


def stream_rate(stream: VideoStream) -> Fraction | None:
    """Frames per second that the device or stream says it has, None where unknown."""
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate.numerator, rate.denominator) if rate else None


def describe(address: Address, stream: VideoStream) -> str:
    """What was really opened, like "/dev/video0 1280x720 mjpeg 30 fps"."""
    rate = stream_rate(stream)
    pace = "" if rate is None else f"{float(rate):g} fps"
    size = f"{stream.width}x{stream.height}"
    words = [address.name, size, _picture_format(stream), pace]
    return " ".join(word for word in words if word)


def _picture_format(stream: VideoStream) -> str:
    """The codec, or the pixel format of pictures without one, like yuyv422."""
    context = stream.codec_context
    if context.name == _NO_CODEC:
        return ""
    return context.pix_fmt or "" if context.name == _UNCOMPRESSED else context.name


def why_not(address: Address, error: Exception) -> str:
    """What an error at opening means for the one who named the address."""
    code = getattr(error, "errno", None)
    if address.format_name == "x11grab" and code == errno.EIO:
        return "there is no such X display; set DISPLAY, or write screen:DISPLAY, like screen::1"
    if address.format_name == "v4l2":
        return _why_no_camera(code, error)
    if address.format_name in {"dshow", "avfoundation"} and code == errno.EIO:
        return (
            "it gives no pictures: another program uses it, or the system's settings forbid it,"
            " or it has no such size or rate"
        )
    if isinstance(error, ProtocolNotFoundError):
        return "FFmpeg does not know this kind of address; rtsp, http and udp are usual ones"
    if address.is_url and (code == errno.EIO or isinstance(error, ExitError)):  # its time limit
        return "nothing was received; check the host's name and the network"
    return _why_no_video(address, error)


def _why_no_video(address: Address, error: Exception) -> str:
    if address.pipe is not None and not address.pipe.received:
        return "nothing came; did the program that writes into it fail?"
    if isinstance(error, InvalidDataError):
        pipe = "" if address.pipe is None else " from a pipe, as y4m, nut, mkv and mpegts"
        return f"it is no video that FFmpeg can read{pipe}"
    return reason(error)


def _why_no_camera(code: int | None, error: Exception) -> str:
    if code == errno.EBUSY:
        return "another program uses it; close that first"
    if code in (errno.EACCES, errno.EPERM):
        return "no permission: sudo usermod -aG video $USER, then log in again"
    if code in (errno.ENODEV, errno.ENXIO):
        return "its driver finds no device; is it plugged in?"
    if code in (errno.ENOTTY, errno.EINVAL):
        return "it gives no such pictures; of a camera's two devices the second is for metadata"
    return reason(error)
