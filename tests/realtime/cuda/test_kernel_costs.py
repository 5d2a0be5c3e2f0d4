"""What `apply_grid` costs on a GPU, read from its machine code: no GPU is needed for it."""

from __future__ import annotations

import importlib.util
from functools import cache

import pytest
from support.cubin import KernelCost, kernel_costs
from support.kernel_devices import host_kernels

from tapetum.benchmarks.gpu.roofline import PIXEL_INSTRUCTIONS
from tapetum.realtime.cuda.kernel_compiler import compiler_options, kernel_source

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("cupy") is None, reason="needs CuPy: pip install 'tapetum[cuda]'"
    ),
]

THREADS, PIXELS = 256, 8
"""Of a block; and of a thread's turn: four columns of two rows."""
THREADS_AT_A_TIME = {75: 1024, 80: 2048, 86: 1536, 89: 1536, 90: 2048, 100: 2048, 120: 1536}
"""Of a multiprocessor, by compute capability (CUDA C++ Programming Guide, table of limits)."""
REGISTERS = 65536
SHARED_BYTES = 64 << 10
"""The least that all of them have for blocks."""
H200_MULTIPROCESSORS = 132
ROWS_OF_CHROMA = 540
"""Of a 1080p frame, and so blocks."""
BANKS = 8
"""Of 16 bytes, which is what a thread reads at once, eight threads at a time."""

LOAD = "    if (x + 4 <= width && is_aligned(row + x)) return"
STORE = "    if (x + 4 <= width && is_aligned(row + x)) {"
TURN = "apply_row<T>(threadIdx.x, blockDim.x, blockIdx.x, in, colors, table, out);"


@cache
def costs(architecture: int, source: str) -> dict[str, KernelCost]:
    return kernel_costs(source, compiler_options(architecture, "420"))


def instructions(source: str) -> int:
    return costs(90, source)["apply_grid_420_8"].instructions


@pytest.mark.parametrize("architecture", [75, 89, 90])
@pytest.mark.parametrize("bits", [8, 16])
def test_registers_and_memory_let_a_multiprocessor_be_full(architecture: int, bits: int) -> None:
    cost = costs(architecture, kernel_source())[f"apply_grid_420_{bits}"]
    at_a_time = THREADS_AT_A_TIME[architecture] // THREADS
    blocks = min(REGISTERS // (cost.registers * THREADS), SHARED_BYTES // cost.shared_bytes)
    assert min(at_a_time, blocks) >= min(at_a_time, 5)


def test_a_frame_of_1080p_is_one_wave_on_an_h200() -> None:
    cost = costs(90, kernel_source())["apply_grid_420_8"]
    resident = H200_MULTIPROCESSORS * (REGISTERS // (cost.registers * THREADS))
    assert resident >= ROWS_OF_CHROMA


def test_a_pixel_takes_no_more_instructions_than_the_roofline_says() -> None:
    """Those of a turn: without the paths for odd addresses, and without the making of the table."""
    source = kernel_source()
    assert LOAD in source
    assert STORE in source
    aligned = source.replace(LOAD, "    return").replace(STORE, "    {")
    assert TURN in aligned
    used = "out.luma[threadIdx.x] = reinterpret_cast<const unsigned char *>(&table)[threadIdx.x];"
    alone = aligned.replace(TURN, used)
    turn = instructions(aligned) - instructions(alone)
    assert 0.9 * PIXEL_INSTRUCTIONS["apply_grid"] <= turn / PIXELS
    assert turn / PIXELS <= PIXEL_INSTRUCTIONS["apply_grid"]


def test_levels_of_a_table_lie_in_different_banks(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neighbouring pixels differ in level, mostly, and lie in one column of cells."""
    library = host_kernels(tmp_path_factory.mktemp("kernels")).library("420")
    assert library.entry_bytes() == 16
    step = library.entries_of_a_level()
    assert len({step * level % BANKS for level in range(8)}) == 8
