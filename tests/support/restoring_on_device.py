"""State of the restoring stage in a device's memory, as tests of single kernels need it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.fixed_point import FIXED_BITS, TABLE_SIZE
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.device_restorer import RestoringBuffers
from tapetum.realtime.cuda.kernel_arguments import address
from tapetum.realtime.cuda.restoring_kernels import FRAME_NOISE, LIGHT, PLAN, FrameStep
from tapetum.realtime.frame import Frame
from tapetum.realtime.sample_range import sample_range

Array = npt.NDArray[Any]


class StateOnDevice:
    """Arrays of one stream, which tests fill and read; the plan is to go on and to restore all."""

    def __init__(self, device: ComputeDevice, frame: Frame) -> None:
        self.device = device
        self.buffers = RestoringBuffers(device, frame)
        self.noise = np.zeros((), FRAME_NOISE)
        self.state = self.buffers.state
        depth, levels = frame.format.depth, sample_range(frame)
        self.state["depth"] = depth
        self.state["black"] = levels.black << (FIXED_BITS - depth)
        step = (1 << depth) // TABLE_SIZE
        self.noise["black"], self.noise["span"] = levels.black // step, levels.luma_span // step
        self.light = np.zeros((), LIGHT)
        self.plan = np.zeros((), PLAN)
        self.plan["learns"] = 1
        self.put_plan()

    def put_plan(self) -> None:
        """Put `plan` and `light` there."""
        for name, made in (("plan", self.plan), ("light", self.light)):
            self.fill(name, np.frombuffer(made.tobytes(), np.uint8))

    def fill(self, name: str, values: Array) -> None:
        """Put an array in the place of one of the buffers."""
        old = self.buffers.arrays[name]
        assert values.shape == old.shape
        self.buffers.arrays[name] = self.device.put(values.astype(old.dtype))
        self.state[name] = address(self.buffers.arrays[name])

    def read(self, name: str) -> Array:
        """One of the buffers."""
        return self.device.get(self.buffers.arrays[name])

    def made_plan(self) -> Any:
        """What `plan` holds there now."""
        return np.frombuffer(self.read("plan").tobytes(), PLAN)[0]

    @property
    def step(self) -> FrameStep:
        """What the kernels take."""
        kept = tuple(self.buffers.arrays.values())
        return FrameStep(self.noise, self.state, self.buffers.means, kept)
