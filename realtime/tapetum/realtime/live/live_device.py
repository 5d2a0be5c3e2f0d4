"""Where a live stream's pictures are decoded, enhanced and encoded: main memory, or a GPU's.

The loop and its sinks know frames alone. One that lies on a GPU says how it is fetched
(`Frame.fetch`); who needs it in main memory asks for `Frame.in_memory`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from fractions import Fraction
from typing import TYPE_CHECKING, NoReturn, Protocol, runtime_checkable

import av
from av.error import FFmpegError

from tapetum.realtime.choices import Device
from tapetum.realtime.enhancer import is_cuda
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.address import Address
from tapetum.realtime.media.containers import Container
from tapetum.realtime.media.encoder import EncoderSettings
from tapetum.realtime.media.picture_reader import VideoInput
from tapetum.realtime.media.video_encoder import Pictures
from tapetum.realtime.media.video_info import VideoInfo

if TYPE_CHECKING:
    from tapetum.realtime.cuda.device import CudaDevice


@runtime_checkable
class TakesAnyMemory(Protocol):
    """A sink, or an enhancer, that takes frames of a device's memory too, see `Frame.fetch`."""

    takes_any_memory: bool


class LiveDecoding(Protocol):
    """Decodes files and streams of the network into a device's memory."""

    def opened(self, address: Address) -> VideoInput:
        """Open an address.

        Raises:
            DeviceError: it cannot be decoded here; the CPU may.
            MediaError: it cannot be opened.
        """

    def doubt(self, name: str, error: FFmpegError) -> NoReturn:
        """Say that many packets in a row fail, which is for the CPU to judge.

        Raises:
            DeviceError: always; it says why.
        """

    def frame(
        self, picture: av.VideoFrame, name: str, *, pts: int, time_base: Fraction, codec: str
    ) -> Frame:
        """A picture as a frame in the device's memory, where it is whole.

        Raises:
            DeviceError: it is of a kind that the device does not take, or the device is lost.
        """


class LiveEncoding(Protocol):
    """Encodes frames where they are, in a device's memory."""

    @property
    def description(self) -> str:
        """What encodes, like "NVENC on cuda:0"."""

    def context(self) -> AbstractContextManager[None]:
        """What an encoder is opened in."""

    def settings(self, container: Container, info: VideoInfo) -> EncoderSettings:
        """The encoder that is to be taken.

        Raises:
            EncoderError: there is none for such frames.
        """

    def pictures(self) -> Pictures:
        """Makes pictures of the frames that `given` gives."""

    def given(self, frame: Frame) -> Frame:
        """A frame in the device's memory, wherever it lies.

        Raises:
            DeviceError: the device is lost, or full.
        """


class LiveDevice(Protocol):
    """What decodes and encodes for live streams on one device."""

    @property
    def decoding(self) -> LiveDecoding | None:
        """None where the CPU decodes."""

    @property
    def encoding(self) -> LiveEncoding | None:
        """None where the CPU encodes."""

    @property
    def memory(self) -> CudaDevice | None:
        """Where the frames of a GPU lie; None for main memory."""


class MainMemory:
    """Decoding and encoding by the CPU."""

    decoding = None
    encoding = None
    memory = None


def open_live_device(device: Device) -> LiveDevice:
    """The device of a checked name.

    Raises:
        DeviceError: the GPU, or what it needs, is missing.
    """
    if not is_cuda(device):
        return MainMemory()
    from tapetum.realtime.cuda.live_gpu import LiveGpu

    return LiveGpu(device)
