"""Encoding on a GPU: frames go from its memory to NVENC, and never through main memory.

What enhancers make lies as NVENC reads it, see `surface`. Other planes, such as decoded ones, are
copied once, within the GPU's memory, to a surface that does.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import av
import numpy.typing as npt
from av.codec.hwaccel import HWAccel
from av.video.frame import CudaContext

from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.ffmpeg_device import cuda_context, hwaccel
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes, device_planes
from tapetum.realtime.cuda.surface import empty_surface, is_surface
from tapetum.realtime.errors import EncoderError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import tag_picture
from tapetum.realtime.media.containers import Container
from tapetum.realtime.media.encoder import ENCODER_NAMES, is_nvenc
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pixel_format import pixel_format

NVENC_FORMATS = ("nv12", "p010le")
"""Formats of the frames that NVENC is given."""
NVENC_SIDES = {"h264_nvenc": 4096, "hevc_nvenc": 8192, "av1_nvenc": 8192}
"""Columns and rows of the largest pictures (NVENC application note, table of capabilities)."""
_TWINS = {"libx264": "h264_nvenc", "libx265": "hevc_nvenc", "libsvtav1": "av1_nvenc"}
"""Encoders that have a twin on the GPU."""


class SurfaceDevice(Protocol):
    """What surfaces need of a device."""

    def empty_for_copy(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """An array for `copy_rows` to fill; no queued work has been using its memory."""

    def copy_rows(self, source: DeviceArray, target: DeviceArray) -> None:
        """Copy rows that are done within the device, and wait for the copy only."""

    def context(self) -> AbstractContextManager[None]:
        """Make the device's context that of the calling thread, for FFmpeg to take up."""

    def to_dlpack(self, array: DeviceArray) -> object:
        """An array that is done as FFmpeg takes it; it lives until FFmpeg lets go of it."""


class SurfacePictures:
    """Makes pictures of frames in GPU memory that the encoder of the same GPU reads.

    A surface goes back to the device's memory pool when the encoder lets go of it, so that a few
    are used in turn.
    """

    def __init__(
        self,
        device: SurfaceDevice,
        *,
        hwaccel: HWAccel | None = None,
        cuda_context: CudaContext | None = None,
        opens_late: bool = False,
    ) -> None:
        """Make pictures of frames on `device`.

        Args:
            device: where the frames are.
            hwaccel: the device as FFmpeg's encoders take it.
            cuda_context: its context, in which surfaces are seen; one for all of them.
            opens_late: whether the encoder takes the memory of the first picture as its own.
        """
        self.hwaccel = hwaccel
        self.opens_late = opens_late
        self._device = device
        self._cuda_context = cuda_context

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """One frame, which must be done, as a picture; it is copied if it has to be.

        Raises:
            DeviceError: the frame is not in GPU memory.
            MediaError: it is in none of `DEVICE_FORMATS`.
        """
        surface = self._surface(device_planes(frame), frame)
        capsules = tuple(self._device.to_dlpack(plane) for plane in surface)
        with self._device.context():
            picture = av.VideoFrame.from_dlpack(
                capsules, format=frame.format_name, cuda_context=self._cuda_context
            )
        tag_picture(picture, frame)
        return picture

    def _surface(self, planes: DevicePlanes, frame: Frame) -> DevicePlanes:
        if is_surface(planes):
            return planes
        surface = empty_surface(frame, self._device.empty_for_copy)
        for source, target in zip(planes, surface, strict=True):
            self._device.copy_rows(source, target)
        return surface


def nvenc_pictures(device: CudaDevice) -> SurfacePictures:
    """Pictures for NVENC; open the encoder that reads them inside `CudaDevice.context`."""
    index = device.index
    return SurfacePictures(
        device, hwaccel=hwaccel(index), cuda_context=cuda_context(index), opens_late=True
    )


def nvenc_name(codec: str | None, container: Container, depth: int) -> str | None:
    """The NVENC encoder that does what was asked for; None where software is to encode.

    Args:
        codec: what the user chose, as in `EncoderSettings`. A codec ("hevc") means its encoder
            on the GPU, an encoder ("libx265") means itself.
        container: the output container, which has a default codec.
        depth: bits of a sample. Few GPUs encode H.264 of 10 bits: by default it becomes HEVC.
    """
    if codec is None:
        default = container.video_encoder if depth == 8 else container.deep_encoder
        return _TWINS.get("libx265" if (default, depth) == ("libx264", 10) else default)
    if codec.lower() in ENCODER_NAMES:
        return _TWINS.get(ENCODER_NAMES[codec.lower()])
    return codec if is_nvenc(codec) else None


def nvenc_for(container: Container, codec: str | None, info: VideoInfo) -> str:
    """The NVENC encoder for an output.

    Args:
        container: the output container.
        codec: what the user chose, as in `EncoderSettings`.
        info: the frames to come.

    Raises:
        EncoderError: there is none that does what was asked for.
    """
    name = nvenc_name(codec, container, pixel_format(info.format_name).depth)
    if name is None:
        raise EncoderError(f"{codec or container.video_encoder} has no twin on the GPU")
    if info.format_name not in NVENC_FORMATS:
        raise EncoderError(f"NVENC is given 4:2:0 of 8 and 10 bits here, not {info.format_name}")
    side = NVENC_SIDES[name]
    if max(info.width, info.height) > side:
        raise EncoderError(f"{name} takes up to {side}x{side}, not {info.width}x{info.height}")
    if info.width % 2 or info.height % 2:
        raise EncoderError(
            f"NVENC takes even sizes from GPU memory, not {info.width}x{info.height}"
        )
    return name
