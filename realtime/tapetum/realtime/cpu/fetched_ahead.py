"""Rows that are fetched from memory while the ones before are worked on.

A processor sees by itself what comes next in a row, but not in the next row, which lies on another
page of memory: up to a quarter of the time of kernels went into waiting for where rows begin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped] # it has no types
from numba import types
from numba.extending import intrinsic

from tapetum.realtime.cpu.compiled import part

_LINE_BYTES = 64
"""Of a line of cache."""


@part
def fetch_row(plane: npt.NDArray[Any], row: int) -> None:
    """Begin to fetch a row of a plane; nothing where there is none."""
    if 0 <= row < plane.shape[0]:
        fetch_span(plane[row], np.uint64(0), np.uint64(plane.shape[1]))


@part
def fetch_span(samples: npt.NDArray[Any], start: np.uint64, end: np.uint64) -> None:
    """Begin to fetch some of the samples of a line."""
    for x in range(start, end, np.uint64(_LINE_BYTES // samples.itemsize)):
        _fetch(samples, x)


def _fetch_line(
    typing_context: Any,  # noqa: ANN401, ARG001 - numba has no types
    samples: Any,  # noqa: ANN401
    place: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Begin to fetch the line of cache that a sample lies in."""
    return types.void(samples, place), _emit_fetch


def _emit_fetch(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
    samples, place = args
    data = context.make_array(signature.args[0])(context, builder, samples).data
    number = ir.IntType(32)
    kinds = [ir.IntType(8).as_pointer(), number, number, number]
    fetch = builder.module.declare_intrinsic(
        "llvm.prefetch", kinds[:1], ir.FunctionType(ir.VoidType(), kinds)
    )
    pointer = builder.bitcast(builder.gep(data, [place]), kinds[0])
    # To be read, into all caches, as data.
    builder.call(fetch, [pointer, *(ir.Constant(number, value) for value in (0, 3, 1))])
    return context.get_dummy_value()


_fetch: Any = intrinsic(_fetch_line)
