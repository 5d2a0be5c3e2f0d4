"""`LiveGpu`: NVDEC and NVENC for live streams, whose frames stay in the memory of one GPU.

Frames are those of `nvdec_source`, waited for in the thread that reads, so that any thread may use
or fetch them; NVENC gets them as `nvenc` has it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from typing import Any, NoReturn

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.ffmpeg_device import hwaccel
from tapetum.realtime.cuda.nvdec_source import (
    check_nvdec,
    doubt_nvdec,
    is_for_native_decoder,
    native_decoder,
    surface_format,
    surface_planes,
)
from tapetum.realtime.cuda.nvenc import nvenc_for, nvenc_pictures
from tapetum.realtime.cuda.transfer import FetchFromDevice, uploaded
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.address import Address
from tapetum.realtime.live.open_address import open_address, video_stream
from tapetum.realtime.media.av_frame import color_info
from tapetum.realtime.media.containers import Container
from tapetum.realtime.media.encoder import EncoderSettings
from tapetum.realtime.media.picture_reader import VideoInput
from tapetum.realtime.media.video_encoder import Pictures
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.trt_build.gpu import device_index


class LiveGpu:
    """A GPU for a live stream; a `LiveDevice`.

    Attributes:
        memory: where frames lie.
        decoding: NVDEC.
        encoding: NVENC.
    """

    def __init__(self, name: str) -> None:
        """Open the GPU; its kernels are loaded when the first frame needs them.

        Args:
            name: such as "cuda:1".

        Raises:
            DeviceError: the GPU or what it needs is missing.
        """
        self.memory = CudaDevice(device_index(name), loads=False)
        self.decoding = LiveNvdec(self.memory)
        self.encoding = LiveNvenc(self.memory)


class LiveNvdec:
    """NVDEC; a `LiveDecoding`."""

    def __init__(self, device: CudaDevice) -> None:
        self._device = device

    def opened(self, address: Address) -> VideoInput:
        """Open an address; see `LiveDecoding`."""
        index = self._device.index
        with self._device.context():
            check_nvdec(index)  # before a sender is asked: what fails then is the sender's
            try:
                container = open_address(address, hwaccel=hwaccel(index))
            except RuntimeError:  # PyAV's word for "no stream that this hardware decodes"
                container = open_address(address)
            stream = video_stream(container, address)
            try:
                return VideoInput(container, stream, self._decoder(stream, address))
            except BaseException:
                container.close()
                raise

    def doubt(self, name: str, error: FFmpegError) -> NoReturn:
        """See `LiveDecoding`."""
        doubt_nvdec(self._device, name, error)

    def frame(
        self, picture: av.VideoFrame, name: str, *, pts: int, time_base: Fraction, codec: str
    ) -> Frame:
        """See `LiveDecoding`."""
        format_name = surface_format(picture, name)  # first: PyAV shows planes of these alone
        planes: Any = surface_planes(picture, self._device)
        self._device.wait_for_decoder()
        frame = Frame(
            planes=planes,
            format_name=format_name,
            pts=pts,
            time_base=time_base,
            color=color_info(picture, codec),
        )
        return replace(frame, fetch=FetchFromDevice(frame, self._device))

    def _decoder(self, stream: VideoStream, address: Address) -> VideoCodecContext:
        if is_for_native_decoder(stream):
            return native_decoder(stream, self._device.index)
        decoder = stream.codec_context
        if not decoder.is_hwaccel:
            raise DeviceError(f"NVDEC on {self._device.name} has no decoder for {address.name}")
        decoder.thread_count = 1
        return decoder


class LiveNvenc:
    """NVENC; a `LiveEncoding`."""

    def __init__(self, device: CudaDevice) -> None:
        self._device = device

    @property
    def description(self) -> str:
        """See `LiveEncoding`."""
        return f"NVENC on {self._device.name}"

    def context(self) -> AbstractContextManager[None]:
        """See `LiveEncoding`."""
        return self._device.context()

    def settings(self, container: Container, info: VideoInfo) -> EncoderSettings:
        """See `LiveEncoding`."""
        return EncoderSettings(codec=nvenc_for(container, None, info))

    def pictures(self) -> Pictures:
        """See `LiveEncoding`."""
        return nvenc_pictures(self._device)

    def given(self, frame: Frame) -> Frame:
        """See `LiveEncoding`."""
        return frame if frame.fetch is not None else uploaded(frame, self._device)
