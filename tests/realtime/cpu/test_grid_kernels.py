"""The integer slicing of a bilateral grid against float64 arithmetic."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import random_grid
from support.random_frames import (
    chroma_levels,
    covered_mean,
    luma_levels,
    on_another_device,
    pitched,
    planes_from_levels,
    random_frame,
    scales,
)
from support.tolerance import CPU, EXACT, assert_planes_close

from tapetum.realtime.cpu.compiled import is_cached
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import PIXEL_FORMATS

Array = npt.NDArray[Any]

FULL = ColorInfo(range=2)
LIMITED = ColorInfo(range=1)


def slice_exactly(grid: Array, luma: Array) -> Array:
    """Trilinear lookup in float64: (8, h, w) for luma (h, w) in [0, 1]."""
    height, width = luma.shape
    level = np.clip(np.sqrt(np.clip(luma, 0, 1)) * 8 - 0.5, 0, 7)
    row = np.clip((np.arange(height) + 0.5) / height * 16 - 0.5, 0, 15)[:, np.newaxis]
    column = np.clip((np.arange(width) + 0.5) / width * 16 - 0.5, 0, 15)[np.newaxis]
    total = np.zeros((8, height, width))
    for corner in range(8):
        weight = np.ones_like(luma)
        place = []
        for axis, (position, count) in enumerate(((level, 8), (row, 16), (column, 16))):
            before = np.minimum(np.floor(position), count - 2)
            upper = corner >> axis & 1
            weight = weight * (position - before if upper else 1 - (position - before))
            place.append((before + upper).astype(int))
        total += weight * grid[:, place[0], place[1], place[2]]
    return total


def apply_exactly(frame: Frame, grid: Array) -> tuple[Plane, ...]:
    black, luma_span, grey, chroma_span = scales(frame)
    y = (luma_levels(frame) - black) / luma_span
    u, v = ((levels - grey) / chroma_span for levels in chroma_levels(frame))
    wide = grid.astype(np.float64)
    gain, offset = slice_exactly(wide, y)[:2]
    m_uu, m_uv, m_vu, m_vv, c_u, c_v = slice_exactly(wide, covered_mean(y, frame))[2:]
    return planes_from_levels(
        frame,
        (gain * y + offset) * luma_span + black,
        (m_uu * u + m_uv * v + c_u) * chroma_span + grey,
        (m_vu * u + m_vv * v + c_v) * chroma_span + grey,
    )


@pytest.mark.parametrize("color", [LIMITED, FULL], ids=["limited", "full"])
@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
def test_every_format_is_within_a_level_of_float64(name: str, color: ColorInfo) -> None:
    frame = random_frame(name, 94, 61, color=color)
    grid, shift = random_grid(), frame.format.shift
    assert_planes_close(apply_grid(frame, grid), apply_exactly(frame, grid), CPU, shift=shift)


def test_steep_curves_are_within_a_level_of_float64() -> None:
    frame, grid = random_frame("yuv420p", 200, 120, color=LIMITED), identity_grid()
    grid[0] = np.random.default_rng(0).uniform(0.5, 4, grid.shape[1:])
    assert_planes_close(apply_grid(frame, grid), apply_exactly(frame, grid), CPU)


@given(width=st.integers(1, 70), height=st.integers(1, 70), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_every_size_is_within_a_level_of_float64(width: int, height: int, seed: int) -> None:
    frame, grid = random_frame("yuv420p", width, height, seed=seed), random_grid(seed)
    actual, expected = apply_grid(frame, grid), apply_exactly(frame, grid)
    assert max(np.abs(a.astype(int) - e).max() for a, e in zip(actual, expected, strict=True)) <= 1


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "p010le", "yuv444p12le"])
def test_identity_keeps_every_sample_illegal_ones_too(name: str) -> None:
    frame = random_frame(name, 130, 70, color=LIMITED)
    assert_planes_close(apply_grid(frame, identity_grid()), frame.planes, EXACT)


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv422p10le"])
def test_gaps_between_rows_do_not_matter(name: str) -> None:
    frame, grid = random_frame(name, 33, 18), random_grid()
    assert_planes_close(apply_grid(pitched(frame), grid), apply_grid(frame, grid), EXACT)


def test_upside_down_and_read_only_planes_are_taken() -> None:
    frame, grid = random_frame("yuv420p", 32, 16), random_grid()
    flipped = frame.with_planes(tuple(plane[::-1] for plane in frame.planes))
    copied = frame.with_planes(tuple(plane[::-1].copy() for plane in frame.planes))
    for plane in flipped.planes:
        plane.flags.writeable = False
    assert_planes_close(apply_grid(flipped, grid), apply_grid(copied, grid), EXACT)


def test_the_input_is_not_touched_and_outputs_are_not_shared() -> None:
    frame, grid = random_frame("yuv420p", 32, 16), random_grid()
    before = [plane.copy() for plane in frame.planes]
    first = apply_grid(frame, grid)
    kept = [plane.copy() for plane in first]
    apply_grid(frame, identity_grid())
    assert_planes_close(frame.planes, before, EXACT)
    assert_planes_close(first, kept, EXACT)


def test_legal_input_stays_legal_however_strong_the_grid() -> None:
    frame = random_frame("yuv420p", 64, 48, color=LIMITED)
    planes: list[Plane] = [np.clip(plane, 16, 235).astype(np.uint8) for plane in frame.planes]
    legal = frame.with_planes(tuple(planes))
    grid = identity_grid()
    grid[0], grid[2], grid[5] = 30, 30, 30
    luma, *chroma = apply_grid(legal, grid)
    assert 16 <= luma.min() <= luma.max() <= 235
    assert all(16 <= plane.min() <= plane.max() <= 240 for plane in chroma)


def test_words_above_the_bit_depth_are_taken_as_the_top_level() -> None:
    planes = tuple(np.full(shape, 0xFFFF, np.uint16) for shape in ((4, 4), (2, 2), (2, 2)))
    luma, *_ = apply_grid(Frame(planes, "yuv420p10le"), identity_grid())
    assert luma.min() == luma.max() == 1023


def test_a_frame_on_another_device_is_an_error() -> None:
    elsewhere = on_another_device(random_frame("yuv420p", 16, 16))
    with pytest.raises(DeviceError, match="main memory"):
        apply_grid(elsewhere, identity_grid())


def test_an_8k_frame_is_enhanced() -> None:
    planes = tuple(np.full(shape, 60, np.uint8) for shape in ((4320, 7680), *[(2160, 3840)] * 2))
    grid = identity_grid()
    grid[0] = 2
    luma, *_ = apply_grid(Frame(planes, "yuv420p", color=LIMITED), grid)
    assert luma.min() == luma.max() == 16 + 2 * (60 - 16)


def test_kernels_run_where_no_folder_can_hold_their_code(tmp_path: Path) -> None:
    program = (
        "import numba.core.caching as caching\n"
        "import numpy as np\n"
        "from tapetum.realtime.cpu import compiled\n"
        "@compiled.kernel\n"
        "def double(x): return 2 * x\n"
        "assert double(4) == 8\n"
        "print(compiled.is_cached())\n"
    )
    # A module whose file does not exist has no place for a cache.
    command = [sys.executable, "-c", f"exec(compile({program!r}, '/nowhere/a.py', 'exec'))"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


OF_A_MOVED_MODULE = b"\x80\x04\x8c\x0etapetum.no_more\x94\x8c\x04Gone\x94\x93\x94."
"""A pickle of `tapetum.no_more.Gone`."""


@pytest.mark.slow
@pytest.mark.parametrize("rest", [OF_A_MOVED_MODULE, b"", b"\x80\x04half"], ids=len)
def test_code_on_disk_of_another_version_is_made_anew(tmp_path: Path, rest: bytes) -> None:
    """An upgrade leaves what numba compiled before it, and a crash half of that."""
    program = (
        "import numpy as np\n"
        "from tapetum.realtime.cpu.rgb import frame_from_rgb, rgb_from_frame\n"
        "image = np.full((4, 4, 3), 7, np.uint8)\n"
        "assert (rgb_from_frame(frame_from_rgb(image)) == image).all()\n"
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    command = [sys.executable, "-c", program]
    subprocess.run(command, env=environment, check=True)
    lists = list(tmp_path.rglob("*.nbi"))
    assert lists
    for one in lists:
        whole = one.read_bytes()
        version = pickle.dumps(pickle.loads(whole), protocol=-1)
        assert whole.startswith(version)
        one.write_bytes(version + rest)
    subprocess.run(command, env=environment, check=True)


def test_code_on_disk_of_another_source_is_made_anew(tmp_path: Path) -> None:
    """An upgrade may change a part or a constant that is in the code, and not the kernel's file."""
    (tmp_path / "with_kernel.py").write_text(
        "from tapetum.realtime.cpu import compiled\n@compiled.kernel\ndef double(x): return 2 * x\n"
    )
    program = (
        "import sys\n"
        "from tapetum.realtime.cpu import compiled\n"
        "compiled._SOURCE_STAMP = sys.argv[1]\n"
        "from with_kernel import double\n"
        "double(4)\n"
        "print(sum(double.stats.cache_misses.values()))\n"
    )
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path)}
    compiles = []
    for stamp in ("one", "one", "other"):
        command = [sys.executable, "-c", program, stamp]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        compiles.append(int(done.stdout))
    assert compiles == [1, 0, 1]


def test_after_use_the_kernels_lie_on_disk() -> None:
    apply_grid(random_frame("yuv420p", 16, 16), identity_grid())
    assert is_cached()
