"""What `apply_grid` and the restoring stage cost on a GPU, read from their machine code."""

from __future__ import annotations

import importlib.util
import re
from functools import cache

import pytest
from support.cubin import KernelCost, kernel_costs
from support.kernel_devices import host_kernels

from tapetum.benchmarks.gpu.roofline import PIXEL_INSTRUCTIONS, kernel_bytes, plane_bytes
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


def test_levels_of_a_table_lie_in_different_banks() -> None:
    """Neighbouring pixels differ in level, mostly, and lie in one column of cells."""
    library = host_kernels().library("420")
    assert library.entry_bytes() == 16
    step = library.entries_of_a_level()
    assert len({step * level % BANKS for level in range(8)}) == 8


# The restoring stage ---------------------------------------------------------------------------

TURNS = re.compile(r"for \(int i = thread; (i < [^;]+); i \+= threads\) \{")
"""Loops in which the threads of a block share its items: each is made one item of one thread."""
PARTS = {
    "pairs": ("load_pair(layer, first_pair + x, upper + y, top, tile.lines + 2 * i);", ""),
    "tolerances": (
        "tile.doubles[i] = double_tolerance(layer.known[y * across + x], layer);",
        "",
    ),
    "changes": (
        "if (const int i = thread; i < AROUND_ROWS * AROUND_COLUMNS) {",
        "if (const int i = thread; false && i < 1) {",
    ),
}
"""What is done for more or fewer items than the rest; and what stands there in its place."""
SAMPLES_OF_TILE, PAIRS_OF_TILE, CELLS_OF_TILE = 64 * 16, 18 * 34, 9 * 33
TOLERANCES, CELLS_LEARNT, CELLS_AROUND = 17 * 65, 32 * 8, 34 * 10


def parts_of(kernel: str) -> dict[str, int]:
    """Instructions for an item of each part of a kernel, and for the rest."""
    source = TURNS.sub(r"if (const int i = thread; \1) {", kernel_source())
    whole = costs(90, source)[kernel].instructions
    found = {}
    for name, (code, without) in PARTS.items():
        assert code in source
        found[name] = whole - costs(90, source.replace(code, without))[kernel].instructions
    return found | {"rest": whole - sum(found.values())}


def per_sample(kernel: str, tolerances: int) -> float:
    """Instructions for each sample of a tile that is smoothed, at most.

    What a thread does but once counts for each of its four samples.
    """
    parts = parts_of(kernel)
    shared = PAIRS_OF_TILE * parts["pairs"] + tolerances * parts["tolerances"]
    return shared / SAMPLES_OF_TILE + parts["rest"]


def test_restoring_takes_no_more_instructions_than_the_roofline_says() -> None:
    once = {name: cost.instructions for name, cost in costs(90, kernel_source()).items()}
    learnt = parts_of("learn_8")
    by_cell = learnt["changes"] * CELLS_AROUND / CELLS_LEARNT + learnt["rest"]
    by_cell += once["halve_frame_8"] + (once["compare_wide"] + once["judge_wide"]) / 16
    by_cell += per_sample("finish_chroma_8", TOLERANCES) + per_sample("correct_half", TOLERANCES)
    by_pixel = by_cell / 4 + per_sample("finish_luma_8", CELLS_OF_TILE)
    by_pixel += (3 / 16 + 3 / 64) * once["halve_known"]
    by_pixel += 3 / 16 * per_sample("correct_quarter", TOLERANCES)
    by_pixel += 3 / 64 * per_sample("correct_eighth", TOLERANCES)
    assert 0.9 * PIXEL_INSTRUCTIONS["restore"] <= by_pixel <= PIXEL_INSTRUCTIONS["restore"]


@pytest.mark.parametrize("architecture", sorted(THREADS_AT_A_TIME))
def test_restoring_fills_half_a_multiprocessor_at_least(architecture: int) -> None:
    """Of every architecture: what they wait for is memory."""
    found = costs(architecture, kernel_source())
    at_a_time = THREADS_AT_A_TIME[architecture]
    for name in ("learn", "finish_luma", "finish_chroma"):
        for bits in (8, 16):
            cost = found[f"{name}_{bits}"]
            blocks = min(REGISTERS // (cost.registers * 256), SHARED_BYTES // cost.shared_bytes)
            assert 256 * blocks >= at_a_time / 2, (name, cost)
    for scale in ("half", "quarter", "eighth"):
        cost = found[f"correct_{scale}"]
        assert 256 * (REGISTERS // (cost.registers * 256)) >= at_a_time / 2, (scale, cost)


def test_restoring_moves_so_many_times_the_bytes_of_a_copy() -> None:
    """Three times was the aim: estimates of 16 bits alone, read and written, are four times."""
    copy = 2 * plane_bytes(3840, 2160, 1)
    assert kernel_bytes("restore", 3840, 2160, 1) / copy == pytest.approx(10, abs=0.5)
