"""The process that `cold_start` starts: enhances one frame and says what took how long.

Run as a file, so that nothing of the benchmarks is imported before the clock is read.
"""

from __future__ import annotations

import json
import sys
import time


def main(model: str, width: int, height: int, started_ns: int) -> dict[str, float]:
    """Milliseconds from the start of the process, part by part."""
    python_ns = time.monotonic_ns()
    import numpy as np

    from tapetum.realtime import Frame, make_enhancer
    from tapetum.realtime.cpu import grid_enhancer, openvino_engine, unet_enhancer

    del grid_enhancer, openvino_engine, unet_enhancer  # imported now, so as not to be counted below
    import_ns = time.monotonic_ns()
    enhancer = make_enhancer(model)
    model_ns = time.monotonic_ns()
    noise = np.random.default_rng(0).integers(20, 60, (2, height, width), np.uint8)
    half = noise[1, : (height + 1) // 2, : (width + 1) // 2]
    frame = Frame((noise[0], half, half), "yuv420p", 0)
    frame_ns = time.monotonic_ns()
    enhancer(frame)
    parts_ns = {
        "interpreter": python_ns - started_ns,
        "imports": import_ns - python_ns,
        "model and engine": model_ns - import_ns,
        "first frame": time.monotonic_ns() - frame_ns,
    }
    return {name: part / 1e6 for name, part in parts_ns.items()}


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    sys.stdout.write(json.dumps(main(name, *map(int, numbers))))
