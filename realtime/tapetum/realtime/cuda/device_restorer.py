"""The restoring stage on a GPU: `Restorer`'s twin, for 4:2:0 frames, which never leave the device.

What is known of a stream lies in fixed buffers, and a frame is always the same kernels, which find
out by themselves whether there is anything to do: so they can be a part of a captured graph. Noise
is measured by the CPU's own code, in a copy of a frame before its graph is queued: of the first
frames, then of every fourth. Other frames go through `Restorer` itself, in main memory: photos,
images, and video of 4:2:2 and 4:4:4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime.choices import Denoise
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes, address, device_planes
from tapetum.realtime.cuda.restoring_kernels import (
    ADDRESSES,
    BLOCK_MEANS,
    FIXED_BITS,
    FRAME_NOISE,
    LIGHT,
    PLAN,
    RESTORING,
    TABLE_SIZE,
    WIDE,
    FrameStep,
    cells,
)
from tapetum.realtime.cuda.transfer import uploaded
from tapetum.realtime.frame import Frame
from tapetum.realtime.noise_in_memory import NoiseInMemory, brightened
from tapetum.realtime.sample_range import sample_range
from tapetum.realtime.stream_noise import (
    NO_NOISE,
    NoiseOfFrame,
    StreamNoise,
    compile_noise,
    light_samples,
)

_TWINS = (("known", "new_known"), ("u", "new_u"), ("v", "new_v"), ("half", "last"))
"""Arrays that change places from frame to frame."""


def is_restorable(frame: Frame) -> bool:
    """Whether frames of a format are restored on a GPU: those of 4:2:0."""
    layout = frame.format
    return (layout.chroma_x, layout.chroma_y) == (1, 1)


class DeviceRestorer:
    """Takes the noise out of one stream's frames.

    Example:
        step = restorer.step(frame)
        if step is not None:
            restorer.queue(frame, grid, planes, step)
        else:
            read = restorer.brighten(frame, grid, planes)
    """

    def __init__(self, device: ComputeDevice, denoise: Denoise) -> None:
        """Start with no past, and compile what measures noise, which takes seconds once.

        Args:
            device: where the frames are.
            denoise: as for `Restorer`; not `off`.
        """
        self._device = device
        self._denoise = denoise
        self._buffers: RestoringBuffers | None = None
        self._stream: _Stream | None = None
        self._in_memory: NoiseInMemory | None = None
        compile_noise()

    def step(self, frame: Frame) -> FrameStep | None:
        """Go on to a frame: measure its noise, where it is due, which waits for the frame.

        Args:
            frame: on the device; the next of its stream.

        Returns:
            What `queue` takes; None where no kernel takes a frame of its format.

        Raises:
            DeviceError: there is no memory for what is kept.
        """
        if not is_restorable(frame):
            self._stream = None
            return None
        self._in_memory = None
        if self._buffers is None or self._buffers.kind != _size(frame):
            self._buffers = None  # its memory goes first
            self._buffers = RestoringBuffers(self._device, frame)
            self._stream = None
        if frame.color.is_hdr:  # the same kernels, which find nothing to do
            self._stream = None
            return _frame_step(
                self._buffers, frame, NO_NOISE, amount=0.0, careful=False, restarts=True
            )
        if self._stream is None or not self._stream.is_followed_by(frame):
            self._stream = _Stream(self._device, self._buffers, frame, self._denoise)
        return self._stream.step(frame)

    def queue(self, frame: Frame, grid: DeviceArray, planes: DevicePlanes, step: FrameStep) -> None:
        """Queue what restores a frame, and then brightens it; see `RestoringKernels`."""
        kernels = self._device.kernels.restoring
        kernels.restore(frame, grid, step)
        kernels.apply_grid(frame, grid, planes, step)

    def brighten(self, frame: Frame, grid: DeviceArray, planes: DevicePlanes) -> Frame | None:
        """Restore a frame that no kernel takes, in main memory, and queue what brightens it.

        Args:
            frame: on the device, done; the next of its stream.
            grid: (8, 8, 16, 16) float32, done.
            planes: get the picture.

        Returns:
            What is queued to be read, to be kept until that is done; None where there is no noise,
            and nothing is queued.

        Raises:
            DeviceError: there is no memory for it.
        """
        device = self._device
        if self._in_memory is None:
            self._in_memory = NoiseInMemory(self._denoise)
        applied, fetched = device.get(grid), _fetched(frame, device)
        restored = self._in_memory(fetched, applied)
        if restored is None:
            return None
        if restored.format.depth == frame.format.depth:
            read = uploaded(restored, device)
            device.kernels.apply_grid(read, grid, planes)
            return read
        # Eight bits do not hold what is restored, and kernels read samples like those they write.
        read = uploaded(brightened(fetched, applied, restored), device)
        for source, target in zip(device_planes(read), planes, strict=True):
            device.queue_copy(source, target)
        return read

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        self._stream = None
        if self._in_memory is not None:
            self._in_memory.reset()


class RestoringBuffers:
    """What is allocated once for a size.

    Attributes:
        kind: the size.
        state: `RESTORING`, with the addresses and the size.
        arrays: by the names of `ADDRESSES`.
        means: pairs of means by which new light is found.
    """

    def __init__(self, device: ComputeDevice, frame: Frame) -> None:
        self.kind = _size(frame)
        across, down = cells(frame)
        every, self.means = light_samples(frame.width, frame.height)
        quarter = -(-down // 2), -(-across // 2)
        eighth = -(-quarter[0] // 2), -(-quarter[1] // 2)
        blocks = -(-down // WIDE), -(-across // WIDE)
        shapes = {"luma": (frame.height, 2 * across)}
        shapes |= {name: quarter for name in ADDRESSES if name.startswith("quarter")}
        shapes |= {name: eighth for name in ADDRESSES if name.startswith("eighth")}
        made: dict[str, DeviceArray] = {
            "blocks": device.empty((*blocks, BLOCK_MEANS), np.float32),
            "wide": device.empty(blocks, np.float32),
            "flatness": device.empty(blocks, np.float32),
            "means": device.empty((2, max(self.means, 1)), np.float32),
            "places": device.empty((max(self.means, 1),), np.int32),
            "evidence": device.empty((down, across), np.uint8),
            "plan": device.empty((PLAN.itemsize,), np.uint8),
            "light": device.empty((LIGHT.itemsize,), np.uint8),
            # Four samples are read at once.
            "restored_luma": device.empty((frame.height, _fours(frame.width)), np.uint16),
            "restored_chroma": device.empty((down, _fours(2 * across)), np.uint16),
        }
        for name in ADDRESSES:
            if name not in made:
                made[name] = device.empty(shapes.get(name, (down, across)), np.int16)
        self.arrays = made
        self.state = np.zeros((), RESTORING)
        self.state["width"], self.state["height"] = frame.width, frame.height
        self.state["every"] = every
        for name, array in made.items():
            self.state[name] = address(array)

    def change_places(self) -> None:
        """Make what was new for the last frame what is known to the next."""
        for one, other in _TWINS:
            self.arrays[one], self.arrays[other] = self.arrays[other], self.arrays[one]
            for name in (one, other):
                self.state[name] = address(self.arrays[name])


class _Stream:
    """What the host knows of a stream."""

    def __init__(
        self, device: ComputeDevice, buffers: RestoringBuffers, frame: Frame, denoise: Denoise
    ) -> None:
        self._device, self._buffers = device, buffers
        self._careful = denoise == "auto"
        self._amount = 1.0 if isinstance(denoise, str) else float(denoise)
        self._noise = StreamNoise(frame, denoise)
        self._is_first = True

    def is_followed_by(self, frame: Frame) -> bool:
        """Whether a frame goes on with the stream."""
        return self._noise.is_followed_by(frame)

    def step(self, frame: Frame) -> FrameStep:
        """Measure the noise of a frame, where it is due, and say what the kernels go by."""
        device, buffers = self._device, self._buffers
        buffers.change_places()

        def fetch_last() -> npt.NDArray[np.int16]:
            return device.get(buffers.arrays["last"])

        noise = self._noise.step(lambda: _fetched(frame, device), fetch_last)
        restarts, self._is_first = self._is_first, False
        amount, careful = self._amount, self._careful
        return _frame_step(buffers, frame, noise, amount=amount, careful=careful, restarts=restarts)


def _frame_step(
    buffers: RestoringBuffers,
    frame: Frame,
    noise: NoiseOfFrame,
    *,
    amount: float,
    careful: bool,
    restarts: bool,
) -> FrameStep:
    """What the kernels go by.

    Args:
        buffers: of the stream.
        frame: its next.
        noise: of the frame.
        amount: share of the noise that is taken out.
        careful: whether that is less where noise is hardly seen, or not sure.
        restarts: whether nothing is known of frames before.
    """
    given, state = np.zeros((), FRAME_NOISE), buffers.state.copy()
    levels, depth = sample_range(frame), frame.format.depth
    step = (1 << depth) // TABLE_SIZE
    given["black"], given["span"] = levels.black // step, levels.luma_span // step
    given["luma"], given["seen"] = noise.luma, noise.seen
    given["floor"], given["blocked"], given["coded"] = noise.floor, noise.blocked, noise.coded
    given["smoothness"], given["amount"] = noise.smoothness, amount
    given["still"], given["careful"], given["sure"] = noise.still, careful, noise.sure
    state["depth"], state["black"] = depth, levels.black << (FIXED_BITS - depth)
    state["restarts"], state["still"] = restarts, noise.still
    state["mean_lean"], state["wide_lean"] = noise.leans
    state["told"] = noise.told
    state["chroma_noise"], state["factors"] = noise.chroma, noise.factors
    return FrameStep(given, state, buffers.means, tuple(buffers.arrays.values()))


def _fetched(frame: Frame, device: ComputeDevice) -> Frame:
    """A frame in main memory, when all queued work is done."""
    planes: Any = tuple(device.get(plane) for plane in device_planes(frame))
    return frame.with_planes(planes)


def _size(frame: Frame) -> tuple[int, int]:
    return frame.width, frame.height


def _fours(samples: int) -> int:
    return -(-samples // 4) * 4
