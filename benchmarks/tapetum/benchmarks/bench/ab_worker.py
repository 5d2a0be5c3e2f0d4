"""One run of `tapetum bench ab`: measures the Tapetum that its own Python finds.

It is started as a file, with the Python and the code of either side, so it knows nothing of this
package, and of Tapetum only what has been public for long. On standard input comes a figure a line,
on standard output a JSON value a line.

    python -P ab_worker.py MODEL
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

_SECONDS = 0.15
_LEAST = 5
_FRAMES = 16
_FIRST_SIZE = 640, 360


def answers(model: str) -> Iterator[Any]:
    """Yield the answers, of which the first two come unasked: after importing, and a frame."""
    from tapetum import realtime
    from tapetum.realtime import SyntheticSource, enhance_file, make_enhancer

    yield {"file": str(realtime.__file__)}
    enhancers = {_FIRST_SIZE: make_enhancer(model)}
    frames = {_FIRST_SIZE: list(SyntheticSource(*_FIRST_SIZE, frames=1))}
    enhancers[_FIRST_SIZE](frames[_FIRST_SIZE][0])
    yield {}
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            figure = json.loads(line)
            began_s = time.perf_counter()
            if "clip" in figure:
                output = Path(folder) / "enhanced.mp4"
                enhance_file(figure["clip"], output, model=model, overwrite=True)
                yield [1000 * (time.perf_counter() - began_s)]
                continue
            size = (figure["width"], figure["height"])
            if size not in enhancers or len(frames[size]) == 1:
                enhancers[size] = make_enhancer(model)
                frames[size] = list(SyntheticSource(*size, frames=_FRAMES))
                _times_ms(enhancers[size], frames[size])
            yield _times_ms(enhancers[size], frames[size])


def _times_ms(enhance: Any, frames: list[Any]) -> list[float]:  # noqa: ANN401 - of either side
    """Milliseconds of calls; the first does not count, other code has had the caches."""
    times_ms: list[float] = []
    end_s = time.perf_counter() + _SECONDS
    for frame in cycle(frames):
        began_s = time.perf_counter()
        enhance(frame)
        ended_s = time.perf_counter()
        times_ms.append(1000 * (ended_s - began_s))
        if ended_s >= end_s and len(times_ms) > _LEAST:
            break
    return times_ms[1:]


def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser(description="Measures one side for `tapetum bench ab`.")
    parser.add_argument("model", metavar="MODEL", help="its name or file")
    model = parser.parse_args().model
    answering = sys.stdout
    sys.stdout = sys.stderr  # whatever else is said
    for answer in answers(model):
        answering.write(json.dumps(answer) + "\n")
        answering.flush()


if __name__ == "__main__":
    main()
