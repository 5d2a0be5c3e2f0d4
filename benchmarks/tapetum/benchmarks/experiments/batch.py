"""What segments, workers and folders cost, beside the work itself; and what kills cost."""

from __future__ import annotations

import heapq
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from tapetum.benchmarks.experiments.memory import repeat_clip, run_process, tapetum
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.machine import load_average

if TYPE_CHECKING:
    from tapetum.realtime import Frame

_SMALL = 192, 108
_SMALL_RATE = 5
_ONE_PASS = (
    "from tapetum.realtime import segments; segments.is_long = lambda *_: False;"
    " from tapetum.realtime.command.cli import main; main()"
)
"""`tapetum` that does long films as it does short ones."""


def _clip_of(clip: Path, target: Path, seconds: float) -> None:
    """A clip of at least so many seconds, of one repeated."""
    from tapetum.realtime import FileSource

    with FileSource(clip) as source:
        lasts_s = source.info.duration_s or 1.0
    repeat_clip(clip, target, -(-int(seconds) // max(1, int(lasts_s))) + 1)


def _small_film(clip: Path, target: Path, seconds: float) -> None:
    """The middle of a clip's pictures, again and again, at five a second, with B-frames.

    Most of what a job of it takes is its segments' beginning and end, where kills do most.
    """
    width, height = _SMALL
    with av.open(str(target), "w") as writer:
        video = writer.add_stream("libx264", _SMALL_RATE, options={"bf": "2", "g": "40"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        left = round(seconds * _SMALL_RATE)
        for number, frame in zip(range(left), _again_and_again(clip), strict=False):
            top, side = (frame.height - height) // 4 * 2, (frame.width - width) // 4 * 2
            picture = av.VideoFrame(width, height, "yuv420p")
            for plane, values, half in zip(picture.planes, frame.planes, (1, 2, 2), strict=True):
                rows = values[top // half :, side // half :][: height // half, : width // half]
                padding = plane.line_size - rows.shape[1]
                plane.update(np.pad(rows, ((0, 0), (0, padding))).tobytes())
            picture.pts, picture.time_base = number, Fraction(1, _SMALL_RATE)
            writer.mux(video.encode(picture))
        writer.mux(video.encode())


def _again_and_again(clip: Path) -> Iterator[Frame]:
    from tapetum.realtime import FileSource

    while True:
        with FileSource(clip) as source:
            yield from source


def segments(clip: Path, *, seconds: float, rounds: int) -> dict[str, object]:
    """Time and size of a film done in segments, against the same in one pass, in turns."""
    times: dict[str, list[float]] = {"one pass": [], "segments": []}
    sizes: dict[str, int] = {}
    with TemporaryDirectory() as folder:
        film, output = Path(folder) / "film.mp4", Path(folder) / "out.mp4"
        _clip_of(clip, film, seconds)
        words = ["enhance", str(film), str(output), "--overwrite", "--quiet"]
        commands = {
            "one pass": [sys.executable, "-c", _ONE_PASS, *words],
            "segments": tapetum(*words),
        }
        for number in range(rounds):
            for name in (*commands,) if number % 2 else (*reversed(commands),):
                times[name].append(run_process(commands[name]).wall_s)
                sizes[name] = output.stat().st_size
    pairs = zip(times["segments"], times["one pass"], strict=True)
    return {
        "clip": clip.name,
        "seconds": seconds,
        "times_s": {name: [round(each, 2) for each in found] for name, found in times.items()},
        "time_ratio": round(median(a / b for a, b in pairs), 4),
        "size_ratio": round(sizes["segments"] / sizes["one pass"], 4),
        "load_average": load_average(),
    }


def workers(clip: Path, *, seconds: float, counts: tuple[int, ...]) -> dict[str, object]:
    """Time of a film by several workers, against one."""
    times: dict[int, float] = {}
    contents = set()
    with TemporaryDirectory() as folder:
        film, output = Path(folder) / "film.mp4", Path(folder) / "out.mp4"
        _clip_of(clip, film, seconds)
        for count in counts:
            words = ("enhance", film, output, "--overwrite", "--quiet", "--workers", str(count))
            times[count] = run_process(tapetum(*map(str, words))).wall_s
            contents.add(output.read_bytes())
    return {
        "clip": clip.name,
        "seconds": seconds,
        "times_s": {str(count): round(found, 2) for count, found in times.items()},
        "speed_up": {str(count): round(times[counts[0]] / times[count], 3) for count in counts},
        "outputs_are_equal": len(contents) == 1,
        "load_average": load_average(),
    }


def photos(*, count: int, size: int) -> dict[str, object]:
    """Time of a folder of small photos, against enhancing and coding them alone, photo by photo."""
    from PIL import Image

    from tapetum.realtime import enhance_files
    from tapetum.realtime.batch.file_maker import FileMaker
    from tapetum.realtime.batch.tree import Task

    rng = np.random.default_rng(1)
    with TemporaryDirectory() as folder:
        nights, bright, alone = (Path(folder) / name for name in ("nights", "bright", "alone"))
        nights.mkdir()
        alone.mkdir()
        coarse = rng.integers(0, 60, (count, 9, 12, 3), np.uint8)
        for number in range(count):
            picture = Image.fromarray(coarse[number]).resize((size, size * 3 // 4))
            picture.save(nights / f"{number:05d}.jpg")
        maker = FileMaker({})
        tasks = [Task(path, alone / path.name) for path in sorted(nights.iterdir())]
        for task in tasks[:20]:  # all is compiled and loaded then
            maker.make(task, overwrite=True)
        begin_s = time.perf_counter()
        outcomes = enhance_files([nights], bright)
        loading_s = folder_s = time.perf_counter() - begin_s
        alone_s, states = 0.0, []
        for task in tasks:
            begin_s = time.perf_counter()
            maker.make(task, overwrite=True)
            middle_s = time.perf_counter()
            states.append(next(outcomes).state)
            alone_s += middle_s - begin_s
            folder_s += time.perf_counter() - middle_s
    if states != ["done"] * count:
        raise BenchmarkError("not every photo was enhanced")
    return {
        "photos": count,
        "size": f"{size}x{size * 3 // 4}",
        "alone_s": round(alone_s, 2),
        "folder_s": round(folder_s, 2),
        "of_which_loading_s": round(loading_s, 2),
        "ratio": round(folder_s / alone_s, 4),
        "load_average": load_average(),
    }


def kills(clip: Path, *, count: int, workers: int, seconds: float) -> dict[str, object]:
    """Kill a job of workers at random moments, and give the same command again.

    The film is of small pictures, so that fifty kills take minutes.
    """
    rng = random.Random(20)
    equal = continued = finished = 0
    with TemporaryDirectory() as folder:
        film, undisturbed = Path(folder) / "film.mp4", Path(folder) / "undisturbed.mp4"
        _small_film(clip, film, seconds)
        output = Path(folder) / "out.mp4"
        words = ["--quiet", "--workers", str(workers)]
        wanted = tapetum("enhance", str(film), str(undisturbed), *words, "--overwrite")
        run_process(wanted)  # compiles, the first time on a machine
        took_s = run_process(wanted).wall_s
        for _ in range(count):
            command = tapetum("enhance", str(film), str(output), *words, "--json")
            job = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
            time.sleep(rng.uniform(0, took_s))
            if sys.platform != "win32":  # which has no signals
                with suppress(ProcessLookupError):  # it was done
                    os.killpg(job.pid, signal.SIGKILL)
            job.wait()
            if output.exists():
                finished += 1
            else:
                again = subprocess.run(command, capture_output=True, text=True, check=True)
                continued += "continued" in again.stdout
            equal += output.read_bytes() == undisturbed.read_bytes()
            output.unlink()
    return {
        "clip": clip.name,
        "seconds": seconds,
        "workers": workers,
        "kills": count,
        "equal_to_undisturbed": equal,
        "continued_a_segment": continued,
        "were_done_before": finished,
    }


# A simulation ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Costs:
    """What was measured of the parts of a film, in seconds of one worker.

    Attributes:
        open_s: to open a film.
        segment_s: to make a segment of 30 s.
        warm_up_s: to begin one elsewhere than where the worker is.
        join_s: to join a segment to its film, which the driver does.
        begin_s: until a new worker is ready.
    """

    open_s: float
    segment_s: float
    warm_up_s: float
    join_s: float
    begin_s: float


def measured_costs(clip: Path) -> Costs:
    """The parts of a film of four segments, each done by one worker of one thread."""
    from tapetum.gan.machine import limit_threads
    from tapetum.realtime.batch.film_parts import FilmParts
    from tapetum.realtime.batch.ledger import Begun, Ledger
    from tapetum.realtime.batch.tree import Task
    from tapetum.realtime.batch.worker import (
        BatchWorker,
        FileWork,
        LongFilm,
        MadeSegment,
        SegmentWork,
    )
    from tapetum.realtime.segments.handover import Handover

    with TemporaryDirectory() as folder:
        begin_s = _beginning_s()
        limit_threads(1)
        task = Task(Path(folder) / "film.mp4", Path(folder) / "out.mp4")
        _clip_of(clip, task.source, 105)
        worker = BatchWorker({})
        begun = Ledger(None, overwrite=False, options={}).begin(task)
        assert isinstance(begun, Begun)
        open_s, (found,) = _timed(lambda: worker.do(FileWork((task,), (False,))))
        assert isinstance(found, LongFilm)
        film = FilmParts(begun, found)

        def make(number: int, handed: Handover | None = None) -> float:
            took_s, made = _timed(
                lambda: worker.do(SegmentWork(found.film, number, film.folder.path, handed))
            )
            assert isinstance(made, MadeSegment), made
            film.put(number, made)
            return took_s

        make(0)
        segment_s = make(1)
        worker.close()
        there_s = make(2)  # opened anew, and warmed up
        while not film.is_whole:
            number = min(film.ready)
            make(number, film.handover(number))
        segments = film.found.segments
        join_s = _timed(film.finish)[0] / segments
        worker.close()
    warm_up_s = max(there_s - segment_s - open_s, 0.0)
    return Costs(*(round(cost, 3) for cost in (open_s, segment_s, warm_up_s, join_s, begin_s)))


def _beginning_s() -> float:
    """Until a worker in a new process is ready."""
    from tapetum.realtime.batch.crew import Ready
    from tapetum.realtime.batch.processes import ProcessCrew

    begin_s = time.perf_counter()
    crew = ProcessCrew(1, {})
    try:
        while not any(isinstance(event, Ready) for event in crew.events(1.0)):
            pass
        return time.perf_counter() - begin_s
    finally:
        crew.close()


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin_s = time.perf_counter()
    result = work()
    return time.perf_counter() - begin_s, result


class _Simulation:
    """Workers and films by the rules of `realtime.batch.parallel`, in a time that is counted."""

    def __init__(self, costs: Costs, films: list[int], dying: float, rng: random.Random) -> None:
        self._costs = costs
        self._films = films
        self._dying = dying
        self._rng = rng
        self._opened = 0
        self._rests: dict[int, list[int]] = {}
        self._left: dict[int, int] = {}
        self._at: dict[int, tuple[int, int]] = {}
        self._driver_s = 0.0
        self._events: list[tuple[float, int, bool]] = []
        self._idle: set[int] = set()

    def run(self, workers: int) -> float:
        """Seconds until all films are made."""
        self._events = [(self._costs.begin_s, worker, False) for worker in range(workers)]
        now_s = 0.0
        while self._events:
            now_s, worker, is_lost = heapq.heappop(self._events)
            film, number = self._at.pop(worker, (-1, -1))
            if is_lost:
                self._rests[film].append(number)
                heapq.heappush(self._events, (now_s + self._costs.begin_s, worker, False))
                continue
            if film >= 0:
                self._put(film, now_s)
            self._idle.add(worker)
            for free in sorted(self._idle):
                behind = (film, number + 1) if free == worker else (-1, -1)
                self._give(free, behind, now_s)
        return max(now_s, self._driver_s)

    def _put(self, film: int, now_s: float) -> None:
        self._left[film] -= 1
        if not self._left[film]:
            joining_s = self._costs.join_s * self._films[film]
            self._driver_s = max(self._driver_s, now_s) + joining_s
            del self._rests[film]

    def _give(self, worker: int, behind: tuple[int, int], now_s: float) -> None:
        """The segment behind, else a new film, else half of the film with the longest rest."""
        film, number = behind
        cost_s = self._costs.segment_s
        if number not in self._rests.get(film, ()):
            cost_s += self._costs.open_s
            if self._opened < len(self._films):
                film, number, self._opened = self._opened, 0, self._opened + 1
                self._left[film] = self._films[film]
                self._rests[film] = [*range(self._films[film])]
            else:
                film = max(self._rests, key=lambda each: len(self._rests[each]), default=-1)
                rest = sorted(self._rests.get(film, ()))
                if not rest:
                    return
                number = rest[len(rest) // 2]
                cost_s += self._costs.warm_up_s
        self._rests[film].remove(number)
        self._idle.discard(worker)
        self._at[worker] = film, number
        is_lost = self._rng.random() < self._dying
        share = self._rng.random() if is_lost else 1.0
        begin_s = max(now_s, self._driver_s)
        heapq.heappush(self._events, (begin_s + cost_s * share, worker, is_lost))


def simulate(
    costs: Costs, *, workers: int, films: int = 1000, dying: float = 0.05, seed: int = 1
) -> dict[str, object]:
    """Simulate films of 1 to 240 segments, where workers die over a share of their work.

    Nothing is enhanced.
    """
    rng = random.Random(seed)
    counts = [min(240, max(1, round(rng.lognormvariate(2.5, 1.2)))) for _ in range(films)]
    useful_s = sum(costs.open_s + count * (costs.segment_s + costs.join_s) for count in counts)
    took_s = _Simulation(costs, counts, dying, rng).run(workers)
    return {
        "workers": workers,
        "films": films,
        "dying": dying,
        "hours_of_play_time": round(sum(counts) * 30 / 3600, 1),
        "took_s": round(took_s),
        "of_linear": round(useful_s / workers / took_s, 4),
    }
