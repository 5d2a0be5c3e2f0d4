"""What to find out first on a GPU that this project has not seen, in a quarter of an hour.

Stages in the order of their worth, each a process of its own with a time limit and a file: what was
found stays found where the time, the machine or a driver ends the rest. Started again, it goes on
with the stages that have no file, ran out of time, or lacked something. All limits together are
12 minutes; what a stage leaves of its own is for those after it, and that of those which need not
be run again is for all.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.files import read_json, write_json

State = Literal["done", "failed", "out of time", "not here"]
"""How a stage ended; `not here` is what lacks a program or package, such as compute-sanitizer."""

SYMBOLS = {
    "libcuda.so.1": (
        "cuInit",
        "cuStreamGetCaptureInfo_v2",
        "cuGraphExecKernelNodeSetParams",
        "cuMemcpy2DAsync_v2",
    ),
    "libnvcuvid.so.1": ("cuvidCreateDecoder", "cuvidGetDecoderCaps", "cuvidMapVideoFrame64"),
    "libnvidia-encode.so.1": ("NvEncodeAPICreateInstance",),
}
"""What is called of NVIDIA's driver, by the library that has it."""

_PACKAGES = (
    "numpy",
    "av",
    "cupy-cuda13x",
    "nvidia-cuda-nvrtc",
    "nvidia-ml-py",
    "openvino",
    "torch",
    "tensorrt-cu13",
    "tensorrt-rtx",
    "torch-tensorrt",
)
_TAIL = 4000
"""Characters of a stage's output that are kept."""
_LEAST_S = 10.0
"""A stage that would get less time is not begun."""


@dataclass(frozen=True)
class Stage:
    """One thing to find out.

    Attributes:
        name: of its file.
        command: arguments of Python, which runs it.
        limit_s: the most that it may take, but for what those before it have left of theirs.
        program: what runs it in place of Python alone; skipped where it is not installed.
        environment: variables beside those of this process.
        packages: of which it needs one; skipped where none is installed.
        needed: whether nothing after it makes sense where it fails.
    """

    name: str
    command: Sequence[str]
    limit_s: float
    program: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    needed: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a stage.

    Attributes:
        name: of the stage.
        command: as it was run.
        state: how it ended.
        seconds: what it took.
        status: of its process; None where it ended none.
        output: the last of what it wrote.
    """

    name: str
    command: list[str]
    state: State
    seconds: float = 0.0
    status: int | None = None
    output: str = ""


def stages(results: Path, tests: Path | None) -> list[Stage]:
    """All stages, most valuable first.

    Args:
        results: the folder for the card's file of figures.
        tests: the repository's tests, None where they are not here.
    """
    checks = [] if tests is None else _checks(tests)
    clip = [] if tests is None else [_live_file(tests.parent / "samples", results)]
    first = (
        ("ceilings", (), 25),
        ("kernels", ("--size", "4K"), 40),
        ("networks", ("--size", "1080p", *_backends("pytorch-eager", "pytorch-cuda-graph")), 60),
        ("pipeline", ("--size", "1080p", "--size", "4K"), 60),
        ("codecs", ("--size", "1080p"), 35),
    )
    later = (
        ("networks", ("--size", "1080p", *_backends("tensorrt", "tensorrt-rtx")), 25),
        ("networks", ("--size", "1080p", *_backends("torch-compile")), 15),
    )
    benchmarks = ("-m", "tapetum.benchmarks", "gpu")
    tensorrt = ("tensorrt", "tensorrt_rtx")
    return [
        Stage("driver", (*benchmarks, "driver"), 10, needed=True),
        *checks,
        *(_measuring(*measure, results) for measure in first),
        *(Stage(f"live-{model}", _live(model), 35) for model in ("grid", "unet")),
        *clip,
        Stage("layers", (*benchmarks, "layers"), 15, packages=tensorrt),
        *(_measuring(*measure, results) for measure in later),
    ]


def _live_file(samples: Path, results: Path) -> Stage:
    """A file played live for 8 s, by NVDEC, recorded by NVENC where the card has it."""
    source = ("--source", str(samples / "dark_room.mp4"), "--loop")
    sink = ("--sink", str(results / "live-file.mkv"), "--overwrite")
    options = ("--device", "cuda", "--duration", "8s", "--json")
    command = ("-m", "tapetum.realtime", "live", *source, *sink, *options)
    return Stage("live-file", command, 25)


def _live(model: str) -> tuple[str, ...]:
    """A made-up camera of 1080p60, enhanced for 15 s; the summary has its ages and drops."""
    camera = ("--source", "lavfi:testsrc2=size=1920x1080:rate=60", "--sink", "null")
    options = ("--model", model, "--device", "cuda", "--duration", "15s", "--json")
    return ("-m", "tapetum.realtime", "live", *camera, *options)


def _checks(tests: Path) -> list[Stage]:
    def pytest(*arguments: str) -> tuple[str, ...]:
        own = ("-v", "--tb=short", "-p", "no:cacheprovider", "-o", "filterwarnings=default")
        return ("-m", "pytest", "-m", "needs_cuda", *own, *timed, *arguments)

    has_limits = find_spec("pytest_timeout") is not None  # which pyproject.toml sets
    timed = ("--timeout=30",) if has_limits else ("-o", "addopts=--import-mode=importlib")
    required = {"FAIL_WITHOUT_CUDA": "1"}
    here = tests / "realtime" / "cuda"
    groups: dict[str, tuple[float, tuple[str, ...]]] = {
        "kernels": (
            75,
            (
                "test_device.py",
                "test_pixel_kernels.py",
                "test_network_kernels.py",
                "test_random_pictures.py",
            ),
        ),
        "restoring": (45, ("test_restoring_kernels.py", "test_device_restorer.py")),
        "graph": (40, ("test_captured_graph.py", "test_frame_graph.py")),
        "nvdec": (40, ("test_nvdec_source.py", "test_video.py")),
        "transfer": (40, ("test_transfer.py", "test_nvenc.py", "test_round_trip.py")),
        "torch": (45, ("test_torch_engine.py", "test_enhancers.py")),
    }
    found = [
        Stage(
            f"test-{name}",
            pytest(*(str(here / file) for file in files)),
            limit_s,
            environment=required,
            packages=("pytest",),
        )
        for name, (limit_s, files) in groups.items()
    ]
    one = pytest(str(here / "test_random_pictures.py"), "-x")
    sanitized = Stage(
        "sanitizer",
        one,
        45,
        program="compute-sanitizer",
        environment=required,
        packages=("hypothesis",),
    )
    return [*found[:1], sanitized, *found[1:]]


def _measuring(part: str, options: Sequence[str], limit_s: float, results: Path) -> Stage:
    return Stage(_measure_name(part, options), _measure(part, options, results), limit_s)


def _measure(part: str, options: Sequence[str], results: Path) -> tuple[str, ...]:
    command = ("-m", "tapetum.benchmarks", "gpu", "measure", part)
    return (*command, *options, "--results", str(results))


def _measure_name(part: str, options: Sequence[str]) -> str:
    backends = [name for before, name in pairwise(options) if before == _BY]
    return "-".join(["measure", part, *backends])


_BY = "--backend"


def _backends(*names: str) -> tuple[str, ...]:
    return tuple(word for name in names for word in (_BY, name))


def first_contact(
    folder: Path,
    todo: Sequence[Stage],
    *,
    budget_s: float,
    report: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run the stages that have no result in a folder yet, and write a file for each.

    Args:
        folder: holds a JSON file for each stage; it is made.
        todo: the stages.
        budget_s: the most that all may take together. A stage gets its limit, what those that ran
            before it have left of theirs, and the limits of those that were done before; where
            less than that is left, what is left.
        report: called as each stage ends, also for those that were done before.

    Returns:
        Every stage that has ended, now or before; the others found no time.

    Raises:
        BenchmarkError: the folder holds a file that is none of these, or cannot be written.
    """
    end_s = time.monotonic() + budget_s
    known = {stage.name: _known(folder, stage) for stage in todo}
    spare_s = sum(stage.limit_s for stage in todo if known[stage.name] is not None)
    ended = []
    for stage in todo:
        path = folder / f"{stage.name}.json"
        left_s = end_s - time.monotonic()
        outcome = known[stage.name]
        if outcome is None:
            if left_s < _LEAST_S:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            limit_s = stage.limit_s + spare_s
            outcome = run_stage(stage, min(limit_s, left_s), path.with_suffix(".txt"))
            spare_s = max(0.0, limit_s - outcome.seconds)
            write_json({"stage": asdict(outcome), "machine": machine_facts()}, path)
        report(outcome)
        ended.append(outcome)
        if stage.needed and outcome.state == "failed":
            break
    return ended


def run_stage(stage: Stage, limit_s: float, said: Path) -> Outcome:
    """Run one stage; at its limit, it and the processes that it began are killed.

    Args:
        stage: what is run.
        limit_s: its limit.
        said: a file that gets all that it writes, as it does: nothing of it is lost where this
            process is killed.
    """
    command = [sys.executable, *stage.command]
    lacks = _lacks(stage)
    if lacks is not None:
        return Outcome(stage.name, command, "not here", output=lacks)
    if stage.program is not None:
        command = [shutil.which(stage.program) or stage.program, *command]
    begin_s = time.monotonic()
    with said.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **stage.environment},
            start_new_session=True,
        )
        try:
            process.wait(timeout=limit_s)
            state: State = "done" if process.returncode == 0 else "failed"
        except subprocess.TimeoutExpired:
            _kill_group(process)
            state = "out of time"
        except BaseException:
            _kill_group(process)
            raise
    seconds = round(time.monotonic() - begin_s, 1)
    tail = said.read_text(errors="replace")[-_TAIL:]
    return Outcome(stage.name, command, state, seconds, process.returncode, tail)


def _lacks(stage: Stage) -> str | None:
    """What a stage needs and is not installed, as a line; None where it can be run."""
    if stage.program is not None and shutil.which(stage.program) is None:
        return f"{stage.program} is not installed"
    if stage.packages and not any(find_spec(name) for name in stage.packages):
        return f"{' or '.join(stage.packages)} is not installed"
    return None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform != "win32":
        os.killpg(process.pid, signal.SIGKILL)
    else:  # Windows has no groups of processes
        process.kill()
    process.wait()


def _known(folder: Path, stage: Stage) -> Outcome | None:
    """How a stage ended in an earlier run; None where it is to be run."""
    path = folder / f"{stage.name}.json"
    outcome = _read(path) if path.exists() else None
    if outcome is None or stage.needed or outcome.state in {"out of time", "not here"}:
        return None
    return outcome


def _read(path: Path) -> Outcome:
    known = read_json(path, remedy=": remove it to do the stage again")
    try:
        return Outcome(**known["stage"])
    except (KeyError, TypeError) as error:
        raise BenchmarkError(f"{path} is no result of a stage; choose another folder") from error


def machine_facts() -> dict[str, Any]:
    """Python, the system and the versions of what is installed; needs none of it."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def driver_symbols(known: dict[str, tuple[str, ...]] = SYMBOLS) -> dict[str, dict[str, bool]]:
    """Which functions NVIDIA's libraries have; a library that does not load has none."""
    return {library: _symbols(library, names) for library, names in known.items()}


def _symbols(library: str, names: tuple[str, ...]) -> dict[str, bool]:
    try:
        loaded = ctypes.CDLL(library)
    except OSError:
        return dict.fromkeys(names, False)
    return {name: hasattr(loaded, name) for name in names}
