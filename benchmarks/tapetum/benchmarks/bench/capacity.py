"""How many streams fit: cameras at a pace, one more until frames are dropped.

Each stream has a camera, a queue of one frame and an enhancer of its own, all in one process, as
several people behind one page have. Decoding and encoding are not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tapetum.benchmarks.bench.result import size_text
from tapetum.benchmarks.bench.streams import camera
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.measure.files import write_json
from tapetum.benchmarks.measure.frames import Input, round_and_round
from tapetum.benchmarks.measure.machine import ResourceMeter, load_average, machine
from tapetum.benchmarks.measure.sampling import timed_calls
from tapetum.realtime import Frame, Prefetch

MOST_DROPPED = 0.01
"""Share of its frames that a stream which fits may lose."""
MOST_STREAMS = 256
"""More are not tried."""


@dataclass(frozen=True)
class Capacity:
    """How many streams of one subject fit.

    Attributes:
        subject: what enhances.
        runs_on: what runs where.
        size: like "1280x720".
        rate_fps: of each camera.
        streams: that fit; 0 where not even one does.
        cpu_percent: what they took, 100 is one busy core; None where none fits.
    """

    subject: str
    runs_on: str
    size: str
    rate_fps: float
    streams: int
    cpu_percent: float | None

    def __str__(self) -> str:
        streams = f"{self.streams} stream{'' if self.streams == 1 else 's'}" if self.streams else ""
        fits = "fits" if self.streams < 2 else "fit"
        what = f"{self.subject} at {self.size}, {self.rate_fps:g} frames a second"
        return f"{what}: {streams or 'none'} {fits}"


def most(fits: Callable[[int], bool], limit: int = MOST_STREAMS) -> int:
    """The largest number up to a limit that fits, by doubling and halving; 0 if 1 does not.

    The answer has fitted twice: what passed by chance is found out.
    """
    fitting, failing = 0, 1
    while failing <= limit and fits(failing):
        fitting, failing = failing, min(2 * failing, limit + 1)
    while failing - fitting > 1:
        middle = (fitting + failing) // 2
        fitting, failing = (middle, failing) if fits(middle) else (fitting, middle)
    while fitting and not fits(fitting):
        fitting -= 1
    return fitting


def capacity(
    subject: Subject, frames: Sequence[Frame], *, rate_fps: float, seconds: float
) -> Capacity:
    """Search for how many streams fit.

    Args:
        subject: what enhances.
        frames: what the cameras show, round and round.
        rate_fps: of each camera.
        seconds: how long each number of streams is tried.
    """
    enhancers: list[Enhance] = []
    meters: dict[int, ResourceMeter] = {}

    def fits(streams: int) -> bool:
        while len(enhancers) < streams:
            enhancers.append(subject.make())
            # Some frames: noise is taken out from the second on, which loads more.
            timed_calls(enhancers[-1], round_and_round(frames), seconds=0, samples=len(frames))
        meters[streams] = ResourceMeter()
        with meters[streams].running():
            lost = _dropped(enhancers[:streams], frames, rate_fps, round(seconds * rate_fps))
        return max(lost) <= MOST_DROPPED

    streams = most(fits)
    taken = meters[streams].read().cpu_percent if streams else None
    size = size_text(frames[0])
    return Capacity(subject.name, subject.runs_on, size, rate_fps, streams, taken)


def _dropped(
    enhancers: Sequence[Enhance], frames: Sequence[Frame], rate_fps: float, count: int
) -> list[float]:
    """The share of its frames that each stream loses."""

    def one(enhance: Enhance) -> float:
        taken = camera(frames, rate_fps, count)
        with Prefetch(taken, depth=1, policy="drop_oldest") as newest:
            for frame in newest:
                enhance(frame)
            return newest.dropped / count

    with ThreadPoolExecutor(len(enhancers)) as pool:
        return list(pool.map(one, enhancers))


def run_and_show(
    subjects: Sequence[Subject],
    inputs: Sequence[Input],
    *,
    rate_fps: float,
    seconds: float,
    seed: int,
    command: str,
    json_file: Path | None,
) -> None:
    """Search for every subject and input, print a table, and write a file.

    Raises:
        TapetumError: something cannot be measured, or the file cannot be written.
    """
    before, found = load_average(), list[Capacity]()
    errors = Console(stderr=True)
    with errors.status("") if errors.is_terminal else nullcontext() as status:
        for subject, given in _each(subjects, inputs):
            if status:
                status.update(Text(f"{subject.name}, {given.name}"))
            frames = given.frames(seed)
            found.append(capacity(subject, frames, rate_fps=rate_fps, seconds=seconds))
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table(found))
    for each in found:
        console.print(str(each), soft_wrap=True)
    if json_file is not None:
        figures: dict[str, Any] = {
            "machine": machine(),
            "command": command,
            "load_average": {"before": before, "after": load_average()},
            "seconds": seconds,
            "capacity": [asdict(each) for each in found],
        }
        write_json(figures, json_file)


def _each(subjects: Sequence[Subject], inputs: Sequence[Input]) -> Iterator[tuple[Subject, Input]]:
    for given in inputs:  # one input's frames are kept at a time
        for subject in subjects:
            yield subject, given


HEAD = ("model", "size", "streams that fit", "frames/s in all", "cores taken")


def rows(found: Sequence[Capacity]) -> list[list[str]]:
    """The cells under `HEAD`."""
    return [
        [
            each.subject,
            f"{each.size} at {each.rate_fps:g}",
            str(each.streams) if each.streams else "none",
            f"{each.streams * each.rate_fps:g}",
            "" if each.cpu_percent is None else f"{each.cpu_percent / 100:.2g}",
        ]
        for each in found
    ]


def table(found: Sequence[Capacity]) -> Table:
    """For the terminal."""
    shown = Table(*HEAD, box=SIMPLE, padding=(0, 0, 0, 1))
    for row in rows(found):
        shown.add_row(*row)
    return shown
