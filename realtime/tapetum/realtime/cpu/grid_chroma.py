"""Applies a bilateral grid to the chroma planes, as vectors of eight coefficients.

The 2x3 transform of a chroma sample depends on its place and on the luma that it covers. A row
interpolates the coefficients of 8 levels and 16 columns; a sample blends four of those vectors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped] # it has no types
from numba import types
from numba.extending import intrinsic

from tapetum.gan.model_kinds import CELLS, LEVELS
from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.grid_axis import (
    WEIGHT_BITS,
    CellAxis,
    Floats,
    Ints,
    cell_axis,
)
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.hdr_light import chroma_grid
from tapetum.realtime.cpu.plane_rows import (
    EitherSize,
    chroma_rows,
    either_size,
    either_size_to_fill,
    sample_rows,
)
from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.sample_range import SampleRange, sample_range

LANES = 8
"""Floats of a chroma transform, padded to a SIMD register."""
TABLE = CELLS * LEVELS * LANES
"""Floats of a row's transforms; in its table as many follow, the ways to those of the next cell."""
_FAST = {"flags": ("fast",)}
"""How LLVM may treat sums and products."""
_ORDER = (2, 4, 3, 5, 6, 7)
"""m_uu, m_vu, m_uv, m_vv, c_u, c_v: what multiplies U, what multiplies V, what is added."""


class _Luma(NamedTuple):
    lines: EitherSize
    pitch: int
    width: int
    height: int


class _Chroma(NamedTuple):
    """One plane; `step` is from column to column."""

    lines: EitherSize
    pitch: int
    step: int


class _Layout(NamedTuple):
    """How the samples lie, and what they mean.

    `luma_scale` and `luma_origin` map the sum of four to Y; `scale` maps levels that are read to
    those that are written.
    """

    shift: int
    new_shift: int
    new_step: int
    scale: np.float32
    chroma_x: int
    chroma_y: int
    luma_scale: np.float32
    luma_origin: np.float32
    grey: np.float32
    low: np.float32
    high: np.float32


def apply_to_chroma(  # noqa: PLR0917 - as the kernels
    seen: Frame,
    grid: Floats,
    frame: Frame,
    enhanced: tuple[Plane, ...],
    rows: CellAxis,
    tables: GridTables,
) -> None:
    """Enhance the chroma planes that are seen into those of `enhanced`, in `frame`'s own format.

    Args:
        seen: the frame, or the same picture with as many bits or more.
        grid: (8, 8, 16, 16).
        frame: whose format and legal range `enhanced` has.
        enhanced: without gaps between rows.
        rows: where the rows of chroma lie.
        tables: keeps what is made of the grid.
    """
    samples, pitch = sample_rows(seen.planes[0])
    luma = _Luma(either_size(samples), pitch, seen.width, seen.height)
    chroma, finer = chroma_rows(seen), seen.format.depth - frame.format.depth
    old_u = _Chroma(either_size(chroma.u), chroma.u_pitch, chroma.step)
    old_v = _Chroma(either_size(chroma.v), chroma.v_pitch, chroma.step)
    levels = sample_range(frame).with_fraction(finer)
    kind = levels.chroma_span, seen.color
    cells = tables("chroma", grid, kind, lambda: _cells(grid, *kind))
    new_u = enhanced[1].reshape(-1)
    new_v = new_u[1:] if frame.format.semi_planar else enhanced[2].reshape(-1)
    axes = rows, cell_axis(chroma.width)
    written = either_size_to_fill(new_u), either_size_to_fill(new_v)
    _enhance_chroma(luma, old_u, old_v, cells, *axes, _layout(seen, levels, frame), *written)


def _cells(grid: Floats, chroma_span: int, color: ColorInfo) -> Floats:
    """(row, column, luma level, `LANES`) the transforms at the centres of cells."""
    if color.is_hdr:
        grid = chroma_grid(grid, color.transfer)
    cells = np.zeros((CELLS, CELLS, LEVELS, LANES), np.float32)
    cells[..., : len(_ORDER)] = grid[_ORDER, :].transpose(2, 3, 1, 0)
    cells[..., 4:6] *= chroma_span
    return cells


def _layout(seen: Frame, levels: SampleRange, frame: Frame) -> _Layout:
    finer = seen.format.depth - frame.format.depth
    numbers = (
        1 / (4 * levels.luma_span),
        -levels.black / levels.luma_span,
        levels.grey,
        *levels.chroma_limits,
    )
    read, written = seen.format, frame.format
    new_step, scale = 2 if written.semi_planar else 1, np.float32(1 / (1 << finer))
    chroma = read.chroma_x, read.chroma_y
    floats = (np.float32(number) for number in numbers)
    return _Layout(read.shift, written.shift, new_step, scale, *chroma, *floats)


@kernel
def _enhance_chroma(  # noqa: PLR0917 - numba takes no keyword-only arguments
    luma: _Luma,
    u: _Chroma,
    v: _Chroma,
    cells: Floats,
    rows: CellAxis,
    columns: CellAxis,
    layout: _Layout,
    new_u: EitherSize,
    new_v: EitherSize,
) -> None:
    width = columns.cell.size
    sums = np.empty(luma.width, np.int32)
    entry, level_weight = np.empty(width, np.int32), np.empty(width, np.float32)
    column_weight = columns.weight * np.float32(1 / (1 << WEIGHT_BITS))
    table = np.zeros(2 * TABLE, np.float32)
    old_u, old_v = np.empty(width, np.float32), np.empty(width, np.float32)
    new = np.empty(2 * width, np.float32)
    for row in range(rows.cell.size):
        _sum_luma(luma, row << layout.chroma_y, layout, sums)
        _locate_levels(sums, layout, entry, level_weight)
        interpolate_cells(cells, rows.cell[row], rows.weight[row], table)
        _load(u, row, layout, old_u)
        _load(v, row, layout, old_v)
        _transform(table, columns, column_weight, entry, level_weight, old_u, old_v, new)
        start = row * width * layout.new_step
        _store(old_u, new, layout, new_u, start)
        _store(old_v, new[1:], layout, new_v, start)


@part
def _sum_luma(luma: _Luma, row: int, layout: _Layout, sums: Ints) -> None:
    """Add the two rows of luma that a chroma row covers; a lone row counts twice."""
    below_row = min(row + layout.chroma_y, luma.height - 1)
    above, below = np.uint64(row * luma.pitch), np.uint64(below_row * luma.pitch)
    if luma.lines.words.size > 0:
        words = luma.lines.words
        for x in range(np.uint64(sums.size)):
            total = np.int32(words[above + x]) + np.int32(words[below + x])
            sums[x] = total >> np.int32(layout.shift)
    else:
        samples = luma.lines.bytes
        for x in range(np.uint64(sums.size)):
            sums[x] = np.int32(samples[above + x]) + np.int32(samples[below + x])


@part
def _locate_levels(sums: Ints, layout: _Layout, entry: Ints, weight: Floats) -> None:
    """Where the luma of each chroma sample lies: entry of the level below, weight of the next."""
    if layout.chroma_x:
        for x in range(sums.size // 2):
            weight[x] = np.float32(sums[2 * x] + sums[2 * x + 1])
        if sums.size % 2:
            weight[-1] = np.float32(2 * sums[-1])
    else:
        for x in range(sums.size):
            weight[x] = np.float32(2 * sums[x])
    zero, one = np.float32(0), np.float32(1)
    for x in range(weight.size):
        y = min(max(weight[x] * layout.luma_scale + layout.luma_origin, zero), one)
        place = np.sqrt(y) * np.float32(LEVELS) - np.float32(0.5)
        place = min(max(place, zero), np.float32(LEVELS - 1))
        level = min(np.int32(place), np.int32(LEVELS - 2))
        entry[x] = level * np.int32(LANES)
        weight[x] = place - np.float32(level)


@part
def interpolate_cells(cells: Floats, cell: int, weight: int, table: Floats) -> None:
    """Fill a row's table: the transforms of each cell and level, then the ways to the next cell's.

    From the last cell there is none: these stay 0, as they must be.
    """
    below_cell = min(cell + 1, CELLS - 1)
    w = np.float32(weight) * np.float32(1 / (1 << WEIGHT_BITS))
    above, below = cells[cell].reshape(-1), cells[below_cell].reshape(-1)
    here, following, ways = table[:TABLE], table[LEVELS * LANES : TABLE], table[TABLE:]
    for i in range(here.size):
        here[i] = above[i] + w * (below[i] - above[i])
    for i in range(following.size):
        ways[i] = following[i] - here[i]


@part
def _transform(  # noqa: PLR0917 - numba takes no keyword-only arguments
    table: Floats,
    columns: CellAxis,
    column_weight: Floats,
    entry: Ints,
    level_weight: Floats,
    u: Floats,
    v: Floats,
    new: Floats,
) -> None:
    """Transform every sample of a row, U and V as distances from grey, to pairs of new ones."""
    for column in range(CELLS):
        # Slices spare the inner loop numba's tests for negative indices.
        here = slice(columns.starts[column], columns.starts[column + 1])
        across, up, places, from_u, from_v = (
            column_weight[here],
            level_weight[here],
            entry[here],
            u[here],
            v[here],
        )
        levels = table[column * LEVELS * LANES :]
        out = new[2 * columns.starts[column] :]
        for x in range(places.size):
            start, place = np.int64(places[x]), np.int64(2 * x)
            _blend(levels, start, across[x], up[x], from_u[x], from_v[x], out, place)


@part
def _load(plane: _Chroma, row: int, layout: _Layout, values: Floats) -> None:
    """Read a row of chroma samples as distances from grey, in levels."""
    start = np.uint64(row * plane.pitch)
    if plane.lines.words.size > 0:
        _load_line(plane.lines.words, start, plane.step, layout, values)
    else:
        _load_line(plane.lines.bytes, start, plane.step, layout, values)


@part
def _load_line(
    samples: Plane, start: np.uint64, step: int, layout: _Layout, values: Floats
) -> None:
    shift, two = np.int32(layout.shift), np.uint64(2)
    if step == 1:
        for x in range(np.uint64(values.size)):
            values[x] = np.float32(np.int32(samples[start + x]) >> shift) - layout.grey
    else:
        for x in range(np.uint64(values.size)):
            values[x] = np.float32(np.int32(samples[start + two * x]) >> shift) - layout.grey


@part
def _store(old: Floats, new: Floats, layout: _Layout, out: EitherSize, start: int) -> None:
    """Clip, round and store a row of chroma: every second value of `new`."""
    low, high = layout.low - layout.grey, layout.high - layout.grey
    for x in range(old.size):
        level = max(min(new[2 * x], max(old[x], high)), min(old[x], low))
        old[x] = (level + layout.grey) * layout.scale + np.float32(0.5)
    if out.words.size > 0:
        _store_line(old, layout, out.words, np.uint64(start))
    else:
        _store_line(old, layout, out.bytes, np.uint64(start))


@part
def _store_line(values: Floats, layout: _Layout, out: Plane, start: np.uint64) -> None:
    shift, two = np.int32(layout.new_shift), np.uint64(2)
    if layout.new_step == 1:
        for x in range(np.uint64(values.size)):
            out[start + x] = np.int32(values[x]) << shift
    else:
        for x in range(np.uint64(values.size)):
            out[start + two * x] = np.int32(values[x]) << shift


def _blend_vectors(  # noqa: PLR0917 - numba takes no keyword-only arguments
    typing_context: Any,  # noqa: ANN401, ARG001 - numba has no types
    table: Any,  # noqa: ANN401
    start: Any,  # noqa: ANN401
    column_weight: Any,  # noqa: ANN401
    level_weight: Any,  # noqa: ANN401
    u: Any,  # noqa: ANN401
    v: Any,  # noqa: ANN401
    out: Any,  # noqa: ANN401
    place: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Blend the vectors at `start`, transform (u, v) by the result, into out[place : place + 2].

    As one SIMD register, which LLVM does not find by itself. At `start` of a table from
    `interpolate_cells` lie a level's eight coefficients, then those of the next level.
    """
    signature = types.void(table, start, column_weight, level_weight, u, v, out, place)
    return signature, _emit_blend


def _emit_blend(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
    table, start, column_weight, level_weight, u, v, out, place = args
    vector = ir.VectorType(ir.FloatType(), LANES)
    source = pointer_to(context, builder, (signature.args[0], table, start), vector)
    blended = blended_coefficients(builder, source, column_weight, level_weight)
    # Lanes m_uu, m_vu, m_uv, m_vv, c_u, c_v times u, u, v, v, 1, 1; then the sum of the pairs.
    ones = ir.Constant(vector, [1.0] * LANES)
    chroma = shuffled(builder, spread(builder, u), spread(builder, v), [0, 1, 8, 9, 0, 1, 8, 9])
    given = shuffled(builder, chroma, ones, [0, 1, 2, 3, 8, 9, 10, 11])
    products = builder.fmul(blended, given, **_FAST)
    from_u, from_v, added = (shuffled(builder, products, products, [n, n + 1]) for n in (0, 2, 4))
    pair = builder.fadd(builder.fadd(from_u, from_v, **_FAST), added, **_FAST)
    target, two_floats = (signature.args[6], out, place), ir.VectorType(ir.FloatType(), 2)
    builder.store(pair, pointer_to(context, builder, target, two_floats)).align = 4
    return context.get_dummy_value()


def blended_coefficients(builder: Any, source: Any, across: Any, up: Any) -> Any:  # noqa: ANN401
    """Emit the blend of vectors of a row's table: across two columns, then up two levels."""
    ways = TABLE // LANES

    def load(index: int) -> Any:  # noqa: ANN401
        loaded = builder.load(builder.gep(source, [ir.Constant(ir.IntType(64), index)]))
        loaded.align = 4
        return loaded

    def step_from(origin: Any, way: Any, weight: Any) -> Any:  # noqa: ANN401
        return builder.fadd(origin, builder.fmul(way, weight, **_FAST), **_FAST)

    to_next, to_upper = spread(builder, across), spread(builder, up)
    lower, upper = (step_from(load(i), load(ways + i), to_next) for i in (0, 1))
    return step_from(lower, builder.fsub(upper, lower, **_FAST), to_upper)


def pointer_to(
    context: Any,  # noqa: ANN401
    builder: Any,  # noqa: ANN401
    element: tuple[Any, Any, Any],
    kind: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Emit a pointer to an element, given as (type of the array, array, index), of another type."""
    array_type, array, index = element
    struct = context.make_array(array_type)(context, builder, array)
    return builder.bitcast(builder.gep(struct.data, [index]), kind.as_pointer())


def shuffled(builder: Any, first: Any, second: Any, lanes: list[int]) -> Any:  # noqa: ANN401
    """Emit a choice of lanes of two vectors, of which the second's are counted on."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(first, second, mask)


def spread(builder: Any, scalar: Any) -> Any:  # noqa: ANN401
    """Emit a vector of one number."""
    undefined = ir.Constant(ir.VectorType(ir.FloatType(), LANES), ir.Undefined)
    single = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return shuffled(builder, single, undefined, [0] * LANES)


_blend: Any = intrinsic(_blend_vectors)
