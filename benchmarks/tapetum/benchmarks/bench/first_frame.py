"""The process that `cold_start` starts: enhances one frame and says what took how long.

Run as a file, so that nothing of the benchmarks is imported before the clock is read.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def main(model: str, width: int, height: int, started_ns: int) -> dict[str, float]:
    """Milliseconds from the start of the process, part by part."""
    python_ns = time.monotonic_ns()
    import numpy as np

    from tapetum.realtime import Frame, make_enhancer
    from tapetum.realtime.cpu import grid_enhancer, openvino_engine, unet_enhancer

    del grid_enhancer, unet_enhancer  # imported now, so as not to be counted below
    imported_ns = time.monotonic_ns()
    noise = np.random.default_rng(0).integers(20, 60, (2, height, width), np.uint8)
    half = noise[1, : (height + 1) // 2, : (width + 1) // 2]
    frame = Frame((noise[0], half, half), "yuv420p", 0)
    # Engines are built inside what a user calls: with the model for grid, and for unet at the
    # first frame, whose size it is built for. So this clock is around the method that builds.
    load, build, first = _Clock(), _Clock(), _Clock()
    network = openvino_engine.OpenVINOModel
    network.compile = build.around(network.compile)  # type: ignore[method-assign]
    enhancer = load.around(make_enhancer)(model)
    load.spent_ns -= build.spent_ns
    built_ns = build.spent_ns
    first.around(enhancer)(frame)
    first.spent_ns -= build.spent_ns - built_ns
    parts_ns = {
        "process start": python_ns - started_ns,
        "imports": imported_ns - python_ns,
        "model load": load.spent_ns,
        "engine build": build.spent_ns,
        "first frame": first.spent_ns,
    }
    return {name: part / 1e6 for name, part in parts_ns.items()}


class _Clock:
    """Adds up what the calls of a function take.

    Attributes:
        spent_ns: so far.
    """

    def __init__(self) -> None:
        self.spent_ns = 0

    def around(self, call: Callable[P, T]) -> Callable[P, T]:
        """The function itself, with the clock running meanwhile."""

        def clocked(*arguments: P.args, **named: P.kwargs) -> T:
            began_ns = time.monotonic_ns()
            try:
                return call(*arguments, **named)
            finally:
                self.spent_ns += time.monotonic_ns() - began_ns

        return clocked


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    sys.stdout.write(json.dumps(main(name, *map(int, numbers))))
