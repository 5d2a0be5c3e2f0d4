"""What `--device auto` takes: the CPU, or a GPU for a model that the CPU is far too slow for.

`grid` is enhanced on the CPU in real time, which leaves bars black, gives HDR its own light, and
follows a camera while it takes noise out: no GPU does that here. `unet` takes the CPU many times as
long as a video lasts. A GPU is taken for it where the driver, CuPy, the compiler and an engine are
there, and after it has shown, once, that its pictures are those of the CPU. Machines without a
driver pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.gan.model import find_model
from tapetum.realtime.aim import ALWAYS
from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.errors import TapetumError
from tapetum.trt_build.gpu import has_driver

if TYPE_CHECKING:
    from tapetum.realtime.cuda.cuda_enhancer import EngineChoice
    from tapetum.realtime.media.video_info import VideoInfo
    from tapetum.realtime.progress import Building

GPU: Device = "cuda"
_WORTH_PIXELS = 50_000_000
"""Pixels of a video, of all its frames together, from which on starting CUDA is worth it: some 80 s
of 640x360 at 3 frames a second, or one second of 1080p."""
_USUAL = "yuv420p", 1920, 1080
"""What a live stream is taken for, which is not open yet."""
_PASSED = b"passed"
_SIDE = 64
_LARGEST, _MEAN = 8.0, 1.0
"""Levels by which a picture may differ, at most and on average; see docs/gpu_path.md."""


class AutoDevice:
    """Chooses for one run, and remembers what it took.

    Attributes:
        device: what is taken: `cpu`, or a GPU.
        notices: lines for the user about it.
    """

    def __init__(self) -> None:
        self.device: Device = "cpu"
        self.notices: tuple[str, ...] = ()

    def choose(
        self,
        model: str | Path,
        info: VideoInfo | None,
        *,
        denoise: Denoise = "off",
        on_build: Callable[[Building], None] | None = None,
    ) -> Device:
        """Take a GPU where it is worth it, and all that is needed works there.

        Args:
            model: as for `Enhancer`.
            info: the video; None where it has no end.
            denoise: as for `Enhancer`.
            on_build: as for `make_enhancer`.
        """
        if self.notices:
            return self.device  # a GPU was left
        worth = info is None or (not info.color.is_hdr and _pixels(info) >= _WORTH_PIXELS)
        if worth and is_heavy(model) and has_driver():
            try:
                what = _checked(model, denoise, on_build, info)
            except TapetumError as error:
                self.leave(error)
            else:
                self.device = GPU
                self.notices = (f"--device auto takes {what}; --device cpu leaves it alone",)
        return self.device

    def leave(self, error: TapetumError) -> None:
        """Take the CPU, for a GPU that does not do what it has to."""
        self.device = "cpu"
        self.notices = (f"--device auto takes the CPU, not the GPU: {error}",)


def is_heavy(model: str | Path) -> bool:
    """Whether a model is too much for a CPU; a checkpoint, slow to read, counts as none."""
    found = find_model(model)
    return not found.is_checkpoint and found.description.kind == "unet"


def _pixels(info: VideoInfo) -> int:
    return info.width * info.height * (info.frame_count or 0)


def _checked(
    model: str | Path,
    denoise: Denoise,
    on_build: Callable[[Building], None] | None,
    info: VideoInfo | None,
) -> str:
    """The GPU by name, after it has shown that it is right; that is done once, and remembered.

    Raises:
        TapetumError: the GPU, or what it needs, is missing or full, or its pictures are wrong.
    """
    import hashlib

    from tapetum.gan.build_cache import keep_content, kept_content
    from tapetum.realtime.cuda.kernel_compiler import kernel_source
    from tapetum.realtime.cuda.round_trip import check_gpu
    from tapetum.trt_build.cuda_driver import CudaDriver
    from tapetum.trt_build.gpu import present_gpu

    choice = check_gpu(GPU)
    _check_room(info, restores=find_model(model).description.has_grid and denoise != "off")
    gpu, driver = present_gpu(), CudaDriver().cuda_version()
    flavour = choice.flavour
    runs = "PyTorch" if flavour is None else f"{flavour.name} {flavour.version}"
    kernels = hashlib.sha256(kernel_source().encode()).hexdigest()
    what = f"{gpu.name} {gpu.target} {driver} {runs} {find_model(model).sha256} {kernels}"
    name = f"gpu-{hashlib.sha256(what.encode()).hexdigest()[:32]}"
    if kept_content(name) != _PASSED:
        _try_out(model, choice, on_build)
        keep_content(name, _PASSED)
    return f"{GPU}:0 ({gpu.name})"


def _check_room(info: VideoInfo | None, *, restores: bool) -> None:
    """Check that others leave memory enough, before an engine is built or loaded for nothing.

    Raises:
        DeviceError: they do not, or the GPU cannot be used.
    """
    from tapetum.realtime.cuda.device import CudaDevice
    from tapetum.realtime.cuda.least_memory import FRAMES_OF_VIDEO, least_bytes
    from tapetum.trt_build.gpu import device_index

    layout = _USUAL if info is None else (info.format_name, info.width, info.height)
    needed = least_bytes("unet", *layout, frames=FRAMES_OF_VIDEO, restores=restores)
    what = f"unet at {layout[1]}x{layout[2]}"
    CudaDevice(device_index(GPU), loads=False).room_for(needed, what).release()


def _try_out(
    model: str | Path, choice: EngineChoice, on_build: Callable[[Building], None] | None
) -> None:
    """Hold a small dark picture of the GPU against the CPU's.

    Raises:
        EngineError: they differ.
        TapetumError: the GPU cannot make one.
    """
    import numpy as np

    from tapetum.realtime.cuda.round_trip import make_round_trip
    from tapetum.realtime.enhancer import make_enhancer
    from tapetum.realtime.errors import EngineError
    from tapetum.realtime.synthetic_source import SyntheticSource

    (frame,) = SyntheticSource(_SIDE, _SIDE, frames=1)
    there = make_round_trip(model, GPU, aim=ALWAYS, choice=choice, on_build=on_build)(frame)
    here = make_enhancer(model, device="cpu", aim=ALWAYS, denoise="off")(frame)
    for found, wanted in zip(there.planes, here.planes, strict=True):
        difference = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
        if difference.max() > _LARGEST or difference.mean() > _MEAN:
            levels = f"{difference.max():.0f} levels"
            raise EngineError(f"a picture of {GPU}:0 differs from the CPU's by up to {levels}")
