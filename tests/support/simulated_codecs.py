"""Decoding and encoding in the memory of a simulated GPU: NVDEC and NVENC by software codecs.

Pictures that "NVDEC" gives are copied into the device's memory by work on the null stream, which
nobody has waited for. The encoder that stands for NVENC reads NV12 and P010 where they lie, as soon
as it is given them.
"""

from __future__ import annotations

from typing import Any

import av
import pytest

from tapetum.realtime.cuda import cuda_video, live_gpu, nvdec_source
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.live_gpu import LiveNvdec
from tapetum.realtime.cuda.nvenc import SurfacePictures
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.address import Address
from tapetum.realtime.live.open_address import open_address, video_stream
from tapetum.realtime.media.media_input import InputPlace, open_input
from tapetum.realtime.media.picture_reader import VideoInput
from tapetum.realtime.media.video_encoder import VideoEncoder


def simulate_codecs(patch: pytest.MonkeyPatch) -> None:
    """Have files of NV12 or P010 decoded by "NVDEC", and encoded losslessly by "NVENC"."""

    def opened(place: InputPlace, _index: int) -> Any:
        return open_input(place)

    def named(source: nvdec_source.NvdecSource, picture: av.VideoFrame) -> str:
        del source
        return picture.format.name

    def pictures(device: CudaDevice) -> SurfacePictures:
        return SurfacePictures(device, opens_late=True)

    patch.setattr(nvdec_source, "open_with_nvdec", opened)
    patch.setattr(nvdec_source.NvdecSource, "_format_name", named)
    for module in (cuda_video, live_gpu):
        patch.setattr(module, "nvenc_pictures", pictures)
        patch.setattr(module, "nvenc_for", lambda *_: "libx264")
    patch.setattr(live_gpu, "LiveNvdec", _SimulatedNvdec)
    patch.setattr(live_gpu, "surface_format", lambda picture, _name: picture.format.name)


class _SimulatedNvdec(LiveNvdec):
    """ "NVDEC" of files of NV12 and P010."""

    def opened(self, address: Address) -> VideoInput:
        container = open_address(address)
        stream = video_stream(container, address)
        return VideoInput(container, stream, stream.codec_context)


def refuse_encoding(patch: pytest.MonkeyPatch, when: str) -> None:
    """Have "NVENC", which has opened, fail at its "first" or "third" picture, or at the "end"."""
    encode, finish = VideoEncoder.encode, VideoEncoder.finish
    given = 0

    def fails(encoder: VideoEncoder, *, now: bool) -> None:
        if now and isinstance(encoder._pictures, SurfacePictures):
            raise encoder.refusal()

    def encoded(encoder: VideoEncoder, frame: Frame) -> Any:
        nonlocal given
        given += 1
        fails(encoder, now=(when, given) in {("first", 1), ("third", 3)})
        return encode(encoder, frame)

    def finished(encoder: VideoEncoder) -> Any:
        fails(encoder, now=when == "end")
        return finish(encoder)

    patch.setattr(VideoEncoder, "encode", encoded)
    patch.setattr(VideoEncoder, "finish", finished)
