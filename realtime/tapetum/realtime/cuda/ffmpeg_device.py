"""The GPU as FFmpeg's decoders and encoders take it: in the CUDA context that CuPy uses there.

An address is good in one CUDA context only. FFmpeg can take up the device's primary context by
itself, which is CuPy's too, but refuses to where that is active with other flags than FFmpeg gives
it (`cuda_context_init` in libavutil/hwcontext_cuda.c), and CuPy makes it active first. So FFmpeg is
told to take the context that is current in the calling thread: call these, and what opens files
with them, inside `CudaDevice.context`.
"""

from __future__ import annotations

from av.codec.hwaccel import HWAccel
from av.video.frame import CudaContext

_CURRENT: dict[str, object] = {"primary_ctx": "0", "current_ctx": "1"}


def hwaccel(index: int) -> HWAccel:
    """A GPU, for `av.open` or `add_stream`, with frames that stay in its memory."""
    return HWAccel(
        "cuda", device=index, allow_software_fallback=False, options=_CURRENT, is_hw_owned=True
    )


def cuda_context(index: int) -> CudaContext:
    """A GPU's context, for `VideoFrame.from_dlpack`; one serves all frames."""
    return CudaContext(index, primary_ctx=False, current_ctx=True)
