"""Damaged inputs by the thousand, each given to the product as a person gives it.

    scripts/fuzz 10000 --seed 1 --keep /tmp/found

Processes that have everything loaded run one command line after another. What must hold of each:
it ends in time and within memory, with an exit status of those that are documented, and in a few
lines without a traceback; nothing lies under the output's name unless the status says so; and an
output that is called good has the pictures and times that ffprobe finds in the input.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from support.command_line import environment
from support.mutations import mutate
from support.whole_files import make_seeds

LIMIT_S = 20.0
"""CPU time that a command may take; a shared machine may give it a third of a core."""
_WALL_S = 3 * LIMIT_S
_WARM_UP_S = 240.0
LIMIT_MB = 1500.0
MOST_LINES = 12
_ROUND_S = (1 << 33) / 90_000
"""After which the clock of MPEG begins anew."""
STATUSES = {0, 1, 2, 3}
"""Done, failed, wrongly asked for, and done but the input was damaged."""
PHOTOS = {".jpg", ".png", ".tiff", ".bmp", ".webp", ".gif", ".avif", ".heic", ".jp2"}


@dataclass(frozen=True)
class Case:
    """One damaged file and what is done with it.

    Attributes:
        number: which of the run it is; with the run's seed, it decides all.
        damaged: the file.
        change: what was done to it.
        arguments: of `tapetum`.
        output: where the result goes; None where there is none.
    """

    number: int
    damaged: Path
    change: str
    arguments: tuple[str, ...]
    output: Path | None


@dataclass(frozen=True)
class Finding:
    """A case in which something did not hold.

    Attributes:
        case: which.
        what: did not hold, like "memory: 2100 MB".
        said: what the command printed.
    """

    case: Case
    what: str
    said: str

    def __str__(self) -> str:
        file, number = self.case.damaged.name, self.case.number
        return f"{number}, {file}, {self.case.change}: {self.what}\n{self.said}"


@dataclass(frozen=True)
class Report:
    """What a run found.

    Attributes:
        statuses: how many commands ended with which exit status; None: did not answer.
        findings: what did not hold.
    """

    statuses: Counter[int | None]
    findings: tuple[Finding, ...]


# What is damaged -------------------------------------------------------------------------------


def make_case(number: int, seed: int, seeds: Sequence[Path], folder: Path) -> Case:
    """Damage one of the seeds."""
    rng = random.Random(f"{seed}-{number}")
    whole = seeds[number % len(seeds)]
    data, change = mutate(whole.read_bytes(), whole.suffix, rng)
    damaged = folder / f"{number}-{whole.name}"
    damaged.write_bytes(data)
    if whole.suffix == ".json":
        return Case(number, damaged, change, ("bench", "compare", str(whole), str(damaged)), None)
    if whole.suffix == ".onnx":
        clip, output = whole.with_name("h264.mp4"), damaged.with_suffix(".mp4")
        arguments = ("enhance", str(clip), str(output), "--model", str(damaged))
        return Case(number, damaged, change, arguments, output)
    photo = whole.suffix in PHOTOS
    output = damaged.with_name(f"{number}-out{'.png' if photo else rng.choice(('.mp4', '.mkv'))}")
    options = ("--start", "0.2") if not photo and rng.random() < 0.1 else ()
    return Case(number, damaged, change, ("enhance", str(damaged), str(output), *options), output)


# What runs it ----------------------------------------------------------------------------------


def worker() -> None:
    """Run the command lines of stdin, a JSON list each; what came of each is a line on stdout."""
    from tapetum.realtime.command.cli import run_command

    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        with tempfile.TemporaryFile() as said:
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
            began_s = time.process_time()
            status = run_command(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            said.seek(0)
            answer = {
                "status": status,
                "said": said.read().decode(errors="replace"),
                "cpu_s": time.process_time() - began_s,
                "peak_mb": _peak_mb(),
            }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


class Worker:
    """A process with everything loaded; one that does not answer is replaced."""

    def __init__(self) -> None:
        self._start()

    def run(self, arguments: Sequence[str], *, limit_s: float = _WALL_S) -> dict[str, Any] | None:
        """What came of a command line; None if there was no answer in time."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(list(arguments)) + "\n")
        process.stdin.flush()
        # A second at a time: one in which both were stopped, to be continued later, counts once.
        waits = (select.select([process.stdout], [], [], 1.0)[0] for _ in range(int(limit_s)))
        if any(waits) and (line := process.stdout.readline()):
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.close()
        self._start()
        return None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()  # which closes its pipes

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from support.fuzzing import worker; worker()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
        )


@contextmanager
def _workers(count: int) -> Iterator[SimpleQueue[Worker]]:
    free: SimpleQueue[Worker] = SimpleQueue()
    every = [Worker() for _ in range(count)]
    for each in every:
        free.put(each)
    try:
        yield free
    finally:
        for each in every:
            each.close()


def fuzz(
    numbers: range,
    *,
    seed: int = 0,
    keep: Path | None = None,
    workers: int = 2,
    on_finding: Callable[[Finding], None] | None = None,
) -> Report:
    """Run cases of a seed.

    Args:
        numbers: which.
        seed: decides, with a case's number, all that is done.
        keep: folder to which the damaged files of findings are copied.
        workers: how many commands run at once.
        on_finding: called with each finding at once, from other threads.
    """
    with tempfile.TemporaryDirectory(prefix="tapetum-fuzz-") as folder, ExitStack() as stack:
        seeds = make_seeds(Path(folder))
        free = stack.enter_context(_workers(workers))
        warm_up(free, seeds)

        def one(number: int) -> tuple[int | None, list[Finding]]:
            case = make_case(number, seed, seeds, Path(folder))
            process = free.get()
            try:
                answer = process.run(case.arguments)
            finally:
                free.put(process)
            findings = [
                Finding(case, what, answer["said"] if answer else "")
                for what in faults(case, answer)
            ]
            if on_finding is not None:
                for finding in findings:
                    on_finding(finding)
            if findings and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(case.damaged, keep)
            for path in filter(None, (case.damaged, case.output)):
                path.unlink(missing_ok=True)
            return (answer["status"] if answer else None), findings

        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(one, numbers))
    return Report(Counter(status for status, _ in done), tuple(f for _, fs in done for f in fs))


def warm_up(free: SimpleQueue[Worker], seeds: Sequence[Path]) -> None:
    """Enhance what is not damaged, which compiles the kernels and is good.

    Raises:
        RuntimeError: it is not.
    """
    process = free.get()
    for seed in seeds:
        if seed.suffix not in {".onnx", ".json"}:
            output = seed.with_name(
                f"whole-{seed.name}{'.png' if seed.suffix in PHOTOS else '.mkv'}"
            )
            answer = process.run(("enhance", str(seed), str(output)), limit_s=_WARM_UP_S)
            if answer is None or answer["status"] != 0:
                raise RuntimeError(f"{seed.name} is whole, and gives {answer}")
    free.put(process)


# What must hold --------------------------------------------------------------------------------


def faults(case: Case, answer: dict[str, Any] | None) -> Iterator[str]:
    """What does not hold of a case."""
    if answer is None:
        yield f"no answer in {_WALL_S:g} s: it hangs, or the process died"
        return
    status, said = answer["status"], answer["said"]
    if status not in STATUSES:
        yield f"exit status {status}"
    if answer["cpu_s"] > LIMIT_S:
        yield f"{answer['cpu_s']:.0f} s of CPU time"
    if answer["peak_mb"] > LIMIT_MB:
        yield f"memory: {answer['peak_mb']:.0f} MB"
    if "Traceback" in said or "bug in Tapetum" in said:
        yield "a traceback"
    elif not 1 <= len(said.strip().splitlines()) <= MOST_LINES and case.output is not None:
        yield f"{len(said.strip().splitlines())} lines"
    yield from _output_faults(case, status)


def _output_faults(case: Case, status: int) -> Iterator[str]:
    if case.output is None:
        return
    if case.output.exists() != (status in {0, 3}):
        yield f"status {status}, and the output is {'there' if case.output.exists() else 'missing'}"
    elif status == 0 and case.arguments[1] == str(case.damaged) and "--start" not in case.arguments:
        wanted, found = times_ms(case.damaged), times_ms(case.output)
        if not wanted:
            return  # ffprobe cannot read it, such as WebP that moves; it has no say then
        if case.damaged.suffix in PHOTOS and "moving" not in case.damaged.name:
            wanted = wanted[:1]  # ffprobe takes what follows a still picture for another one
        if len(wanted) != len(found):
            yield f"called good, with {len(found)} pictures of {len(wanted)}"
        elif _is_one_clock(wanted) and any(
            abs(a - b) > 1.5 for a, b in zip(wanted, found, strict=True)
        ):
            yield f"called good, with pictures at {found} ms and not {wanted}"


def _is_one_clock(wanted: list[float]) -> bool:
    """Whether ffprobe knows all times, on a clock that rises.

    Recordings that were joined have times of their own each there, and one clock here; where it
    knows none of a picture, others are guessed.
    """
    return wanted == sorted(wanted) and not any(math.isnan(time) for time in wanted)


def times_ms(path: Path) -> list[float]:
    """When ffprobe, which is no part of the product, sees pictures; the first is at 0.

    None at all where it dies or hangs: it was not made for damaged files alone.
    """
    try:
        answer = subprocess.run(
            [
                *("ffprobe", "-v", "quiet", "-select_streams", "V:0", "-of", "json"),
                *("-show_entries", "frame=best_effort_timestamp_time", path),
            ],
            capture_output=True,
            check=False,
            timeout=60,
        )
        frames = json.loads(answer.stdout or b"{}").get("frames", [])
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return []
    seconds = [float(frame.get("best_effort_timestamp_time", "nan")) for frame in frames]
    passed_s = [time_s - seconds[0] for time_s in seconds]
    # What jumps back in a broadcast is a clock that has come round, to ffprobe.
    back = [time_s - _ROUND_S if time_s > _ROUND_S / 2 else time_s for time_s in passed_s]
    return [round(1000 * time_s, 3) for time_s in back]


def summary(report: Report, numbers: range, seed: int) -> dict[str, Any]:
    """The figures of a run, as a document states them."""
    return {
        "seed": seed,
        "first": numbers.start,
        "inputs": len(numbers),
        "statuses": {
            str(status): count for status, count in sorted(report.statuses.items(), key=str)
        },
        "findings": [
            {
                "number": found.case.number,
                "file": found.case.damaged.name,
                "change": found.case.change,
                "what": found.what,
            }
            for found in report.findings
        ],
    }


def _keep(run: dict[str, Any], path: Path) -> None:
    """Add a run to those that a file holds."""
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    path.write_text(json.dumps({"kind": "fuzz", "runs": [*runs, run]}, indent=1) + "\n")


def _tell(finding: Finding) -> None:
    sys.stdout.write(f"{finding}\n")
    sys.stdout.flush()


def main() -> None:
    """Run so many cases, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="how many damaged inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--workers", type=int, default=2, help="how many run at once")
    parser.add_argument("--json", type=Path, help="file to which the figures of the run are added")
    parser.add_argument("--keep", type=Path, help="folder for the inputs of findings")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.count)
    report = fuzz(
        numbers,
        seed=options.seed,
        keep=options.keep,
        workers=options.workers,
        on_finding=_tell,
    )
    if options.json is not None:
        _keep(summary(report, numbers, options.seed), options.json)
    statuses = ", ".join(f"{count} times {status}" for status, count in report.statuses.items())
    sys.stdout.write(f"{options.count} inputs: {statuses}; {len(report.findings)} findings\n")
    sys.exit(bool(report.findings))


if __name__ == "__main__":
    main()
