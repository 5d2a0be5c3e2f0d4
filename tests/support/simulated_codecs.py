"""Decoding and encoding in the memory of a simulated GPU: NVDEC and NVENC by software codecs.

Pictures that "NVDEC" gives are copied into the device's memory by work on the null stream, which
nobody has waited for. The encoder that stands for NVENC reads NV12 and P010 where they lie, as soon
as it is given them.
"""

from __future__ import annotations

from typing import Any

import av
import pytest

from tapetum.realtime.cuda import cuda_video, nvdec_source
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.nvenc import SurfacePictures
from tapetum.realtime.media.media_input import InputPlace, open_input


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
    patch.setattr(cuda_video, "nvenc_pictures", pictures)
    patch.setattr(cuda_video, "_nvenc_for", lambda *_: "libx264")
