"""The kernels with real threads on the host, watched by g++'s sanitizers.

A thread stands for many of a block; what it does between two barriers is the kernels' own code.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.kernel_devices import FUSED_STEPS, SOURCE, needs_fused_steps

pytestmark = pytest.mark.slow

PROGRAM = SOURCE.parents[4] / "tests/support/racing_kernels.cpp"
KERNELS = (
    *("apply_grid", "thumbnail", "smooth_grid", "fit_sum", "fit_solve", "rgb", "edges"),
    *("learn", "correct", "finish", "apply_restored", "plan", "follow"),
)
OF_PIXELS = [("apply_grid", 0), ("thumbnail", 0)]
OF_GRID = [("smooth_grid", place) for place in range(6)]
OF_FIT = [("fit_sum", 0), ("fit_solve", 0), ("fit_solve", 1)]
OF_NOISE = [
    *((kernel, 0) for kernel in ("learn", "correct", "finish", "apply_restored")),
    *(("plan", place) for place in range(5)),
]
BARRIERS = [*OF_PIXELS, *OF_GRID, *OF_FIT, *OF_NOISE]
FOUND = 66
"""The status of a process in which ThreadSanitizer found something."""


def compiled(folder: Path, *sanitizers: str) -> Path:
    """The kernels with sanitizers; the test skips where g++ has none."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++ to compile the kernels for the host")
    target = folder / "kernels"
    flags = ("-std=c++17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE.parent}")
    command = [compiler, *flags, *sanitizers, str(PROGRAM), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find" in done.stderr:
        pytest.skip(f"g++ has no library for {' '.join(sanitizers)}")
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Watched by ThreadSanitizer."""
    return compiled(tmp_path_factory.mktemp("threads"), "-fsanitize=thread")


def run(program: Path, *given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *given], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def watched_fused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Watched likewise."""
    return compiled(tmp_path_factory.mktemp("fused"), "-fsanitize=thread", *FUSED_STEPS)


@pytest.mark.parametrize("beside", ["threads", "blocks"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_threads_and_blocks_do_not_race(watched: Path, kernel: str, beside: str) -> None:
    done = run(watched, kernel, beside)
    assert done.returncode == 0, done.stderr


@needs_fused_steps
@pytest.mark.parametrize("kernel", KERNELS)
def test_with_fused_steps_they_do_not_race_either(watched_fused: Path, kernel: str) -> None:
    done = run(watched_fused, kernel, "threads")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("kernel", "barrier"), BARRIERS)
def test_without_any_of_their_barriers_they_do(watched: Path, kernel: str, barrier: int) -> None:
    done = run(watched, kernel, "threads", str(barrier))
    assert done.returncode == FOUND
    assert "data race" in done.stderr


@pytest.mark.parametrize(
    "steps", [(), pytest.param(FUSED_STEPS, marks=needs_fused_steps)], ids=["single", "fused"]
)
def test_they_stay_within_their_memory(tmp_path: Path, steps: tuple[str, ...]) -> None:
    """Of planes with gaps between the rows, and none behind the last."""
    strict = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    program = compiled(tmp_path, *strict, *steps)
    for kernel in KERNELS:
        done = run(program, kernel, "blocks")
        assert done.returncode == 0, done.stderr


def test_each_barrier_of_a_kernel_is_one_here() -> None:
    """Two kernels have two, that of the grid six, those that fit three, those of noise ten.

    All kinds of samples share the code, and what finishes luma and chroma is tried together.
    """
    assert barriers("kernels.cu") == len(OF_PIXELS)
    assert barriers("steady_grid.cu") == len(OF_GRID)
    assert barriers("grid_fit.cu") == len(OF_FIT)
    assert barriers("restoring.cu") == len(OF_NOISE) + 1


def barriers(name: str) -> int:
    """How many of them a file of kernels has."""
    return SOURCE.with_name(name).read_text().count("__syncthreads();")
