"""The process that `cold_start` starts: enhances one frame and says what took how long.

Run as a file, so that nothing of the benchmarks is imported before the clock is read.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

PARTS = ("process start", "imports", "model load", "engine build", "first frame")

_USAGE = """\
usage: first_frame.py MODEL DEVICE DENOISE WIDTH HEIGHT BEGAN_NS

Says how long the first frame of a process takes; `tapetum bench` starts it.
"""
_ARGUMENTS = 7

P = ParamSpec("P")
T = TypeVar("T")
Load = Callable[[str], Callable[[Any], object]]
"""Makes what enhances frames of a model's name."""


def main(
    model: str, where: tuple[str, str], size: tuple[int, int], started_ns: int
) -> dict[str, object]:
    """What each part of the start took, in milliseconds and in those of CPU time; the process.

    Args:
        model: its name or file.
        where: the device, and how much noise is taken out, as the command line names them.
        size: width and height of the frame.
        started_ns: when the process was started, by the monotonic clock.
    """
    device, denoise = where
    width, height = size
    clock = PartClock(PARTS[0], started_ns)
    clock.switch("imports")
    import numpy as np

    from tapetum.realtime import Frame

    on_gpu = device.startswith("cuda")
    load, compilers = _on_gpu(device) if on_gpu else _on_cpu(device, denoise)
    clock.switch("the yardstick, and the frame itself")
    from tapetum.benchmarks.measure.sampling import yardstick_ms

    yardsticks_ms = [yardstick_ms()]
    noise = np.random.default_rng(0).integers(20, 60, (2, height, width), np.uint8)
    half = noise[1, : (height + 1) // 2, : (width + 1) // 2]
    frame = Frame((noise[0], half, half), "yuv420p", 0)
    # Engines are built inside what a user calls: with the model for grid, and for unet at the
    # first frame, whose size it is built for.
    for network in compilers:
        network.compile = clock.during("engine build", network.compile)
    enhancer = clock.during("model load", load)(model)
    clock.during("first frame", enhancer)(frame)
    parts = {name: clock.spent_ms[name] for name in PARTS}
    yardsticks_ms.append(yardstick_ms())
    return {"parts": parts, "yardsticks_ms": yardsticks_ms, **_process()}


def _on_cpu(device: str, denoise: str) -> tuple[Load, list[Any]]:
    """What loads a model, and the classes that build its engines."""
    from tapetum.realtime import make_enhancer
    from tapetum.realtime.cpu import cpu_network, grid_enhancer, unet_enhancer

    del grid_enhancer, unet_enhancer  # imported now, so as not to be counted below
    share: Any = denoise if denoise in {"auto", "off"} else float(denoise)
    load = partial(make_enhancer, device=device, denoise=share)
    return load, [cpu_network.network_class()]


def _on_gpu(device: str) -> tuple[Load, list[Any]]:
    """The same; finding the GPU and compiling its kernels are parts of loading."""
    from tapetum.benchmarks.bench.gpu_subject import gpu_path
    from tapetum.realtime.cuda import tensorrt_engine, torch_engine

    models = [tensorrt_engine.TensorRTModel, torch_engine.TorchModel]
    return lambda model: gpu_path(device).round_trip(model), models


class PartClock:
    """Tells the parts of a process apart; a part inside another stops that one's time.

    Attributes:
        spent_ms: by part, wall-clock time and CPU time.
    """

    def __init__(self, part: str, started_ns: int) -> None:
        self.spent_ms: dict[str, tuple[float, float]] = {}
        self._part, self._wall_ns, self._cpu_ns = part, started_ns, 0

    def switch(self, part: str) -> str:
        """End the part that runs and begin another; returns the name of the one that ended."""
        ended, wall_ns, cpu_ns = self._part, time.monotonic_ns(), time.process_time_ns()
        wall_ms, cpu_ms = self.spent_ms.get(ended, (0.0, 0.0))
        self.spent_ms[ended] = (
            wall_ms + (wall_ns - self._wall_ns) / 1e6,
            cpu_ms + (cpu_ns - self._cpu_ns) / 1e6,
        )
        self._part, self._wall_ns, self._cpu_ns = part, wall_ns, cpu_ns
        return ended

    def during(self, part: str, call: Callable[P, T]) -> Callable[P, T]:
        """The function itself, whose calls are a part."""

        def clocked(*arguments: P.args, **named: P.kwargs) -> T:
            outer = self.switch(part)
            try:
                return call(*arguments, **named)
            finally:
                self.switch(outer)

        return clocked


def _process() -> dict[str, object]:
    from tapetum.benchmarks.measure.machine import resident_mb, thread_count

    return {"rss_mb": resident_mb(), "threads": thread_count()}


if __name__ == "__main__":
    if len(sys.argv) != _ARGUMENTS:  # `argparse` would count as a part of the start
        sys.stderr.write(_USAGE)
        sys.exit(0 if sys.argv[1:] == ["--help"] else 2)
    name, on, taken_out, *numbers = sys.argv[1:]
    columns, rows, began_ns = map(int, numbers)
    sys.stdout.write(json.dumps(main(name, (on, taken_out), (columns, rows), began_ns)))
