"""What a figure was measured on, and what measuring took of it: no result is written without."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from tapetum.benchmarks.measure.nvml import GpuReading, mean_reading, read_gpu
from tapetum.gan.cpu_runtime import cpu_runtime
from tapetum.gan.machine import cpu_name, usable_cores

_PACKAGES = ("tapetum", "av", "numba", "numpy")


def machine() -> dict[str, object]:
    """CPU, usable cores, system, versions of the libraries that are installed, and the date."""
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": _installed(*_PACKAGES, cpu_runtime()),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _installed(*packages: str) -> dict[str, str]:
    """Versions of those that are installed: a GPU needs no runtime of the CPU's."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def machine_lines(machines: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for documents on each machine with its libraries, and from when to when."""
    dates: dict[str, list[str]] = {}
    for each in machines:
        packages = ", ".join(f"{name} {number}" for name, number in each["packages"].items())
        what = (
            f"{each['cpu']}, {each['cores']} cores, {each['system']}, Python {each['python']},"
            f" {packages}."
        )
        dates.setdefault(what, []).append(each["date"])
    return [f"Measured {_from_to(found)}: {what}" for what, found in dates.items()]


def _from_to(dates: Sequence[str]) -> str:
    first, last = min(dates), max(dates)
    return f"on {first}" if first == last else f"from {first} to {last}"


def commit_of(file: Path) -> str | None:
    """The commit that a file was checked out from; None for one of an installed package.

    With local changes to any tracked file it ends in "-dirty", as `git describe --dirty` says it.
    """
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _git(file.parent, "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty")


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


@dataclass(frozen=True)
class Resources:
    """What this process used.

    Attributes:
        cpu_percent: CPU time over wall-clock time; 100 is one busy core.
        rss_mb: resident memory at the end, the harness and its frames included.
        threads: threads of the process at the end.
        gpu: the first NVIDIA GPU while it was measured, means; None where NVML does not answer.
    """

    cpu_percent: float
    rss_mb: float
    threads: int
    gpu: GpuReading | None = None


class ResourceMeter:
    """Adds up the CPU time and the wall-clock time of the parts that are `running`.

    Memory and threads are those at the end of the last part, before others run.
    """

    def __init__(self) -> None:
        self._cpu_s = self._wall_s = 0.0
        self._rss_mb, self._threads = 0.0, 0
        self._gpu: list[GpuReading] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what happens inside."""
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            self._cpu_s += time.process_time() - cpu_s
            self._wall_s += time.perf_counter() - wall_s
            self._rss_mb, self._threads = resident_mb(), thread_count()
            reading = read_gpu()  # before it rests again
            if reading is not None:
                self._gpu.append(reading)

    def read(self) -> Resources:
        """What was used so far; something must have run."""
        return Resources(
            cpu_percent=round(100 * self._cpu_s / self._wall_s, 1),
            rss_mb=self._rss_mb,
            threads=self._threads,
            gpu=mean_reading(self._gpu),
        )


def load_average() -> tuple[float, float, float]:
    """Processes that ran or waited for a core, over the last 1, 5 and 15 minutes.

    Windows does not count them: psutil does, from its first call on.
    """
    one, five, fifteen = psutil.getloadavg()
    return round(one, 2), round(five, 2), round(fifteen, 2)


def resident_mb() -> float:
    """Resident memory of this process now."""
    return round(psutil.Process().memory_info().rss / 2**20, 1)


def thread_count() -> int:
    """Threads of this process now."""
    return psutil.Process().num_threads()
