"""A frame's planes as rows of samples, which the kernels walk through."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame, Plane


def sample_rows(plane: Plane) -> tuple[Plane, int]:
    """A plane as (samples, pitch): 1-D contiguous, row r begins at samples[r * pitch].

    Nothing is copied unless the samples within a row are apart, or rows go upwards. The samples are
    read-only, whatever the plane is: for both kinds kernels would be compiled twice, the second
    time in the middle of a stream, as where rows have gaps.

    Raises:
        DeviceError: the plane is not a NumPy array.
    """
    if not isinstance(plane, np.ndarray):
        raise DeviceError(
            f"this enhancer takes frames in main memory; got a plane of type {type(plane).__name__}"
        )
    height, width = plane.shape
    if plane.flags.c_contiguous:
        return read_only(plane.reshape(-1)), width
    rows: Any = plane
    size = plane.itemsize
    if plane.strides[1] != size or plane.strides[0] < width * size or plane.strides[0] % size:
        rows = np.ascontiguousarray(plane)
    pitch = rows.strides[0] // size
    length = (height - 1) * pitch + width
    samples: Plane = np.lib.stride_tricks.as_strided(rows, (length,), (size,), writeable=False)
    return samples, pitch


class EitherSize(NamedTuple):
    """The 1-D samples of a plane whose size a kernel learns when it runs: it is compiled once.

    Attributes:
        bytes: uint8; empty where samples are words.
        words: uint16; empty where they are bytes.
    """

    bytes: npt.NDArray[np.uint8]
    words: npt.NDArray[np.uint16]


def read_only(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same samples, not to be written through this view.

    A kernel is compiled for arrays that can be written and for others apart: it is given one kind.
    """
    seen = samples.view()
    seen.flags.writeable = False
    return seen


def either_size(samples: Plane | npt.NDArray[np.int16]) -> EitherSize:
    """Samples to be read; signed ones count as unsigned."""
    seen = read_only(samples)
    if seen.dtype == np.uint8:
        return EitherSize(seen, _NO_WORDS)
    return EitherSize(_NO_BYTES, seen.view(np.uint16))


def either_size_to_fill(samples: Plane) -> EitherSize:
    """Samples to be written."""
    filled: Any = samples
    if filled.dtype == np.uint8:
        return EitherSize(filled, np.empty(0, np.uint16))
    return EitherSize(np.empty(0, np.uint8), filled)


_NO_BYTES, _NO_WORDS = np.empty(0, np.uint8), np.empty(0, np.uint16)
_NO_BYTES.flags.writeable = _NO_WORDS.flags.writeable = False


class ChromaRows(NamedTuple):
    """The chroma samples of a frame; U of row r and column x is at u[r * u_pitch + x * step].

    Attributes:
        u: 1-D samples of U, of both where they are interleaved.
        u_pitch: samples from row to row.
        v: 1-D samples of V.
        v_pitch: samples from row to row.
        step: samples from column to column.
        width: columns.
        height: rows.
    """

    u: Plane
    u_pitch: int
    v: Plane
    v_pitch: int
    step: int
    width: int
    height: int


def chroma_rows(frame: Frame) -> ChromaRows:
    """The chroma samples of a planar or semi-planar frame, seen alike.

    Raises:
        DeviceError: a plane is not a NumPy array.
    """
    u, u_pitch = sample_rows(frame.planes[1])
    height, width = frame.planes[1].shape
    if frame.format.semi_planar:
        return ChromaRows(u, u_pitch, u[1:], u_pitch, 2, width // 2, height)
    v, v_pitch = sample_rows(frame.planes[2])
    return ChromaRows(u, u_pitch, v, v_pitch, 1, width, height)


def planes_for(frame: Frame, out: tuple[Plane, ...] | None = None) -> tuple[Plane, ...]:
    """Planes for what is made of a frame, rows without gaps: uninitialised ones, or `out`.

    Args:
        frame: what it is made of.
        out: what `check_out` passes.
    """
    if out is not None:
        return out
    sample_type = _sample_type(frame)
    return tuple(np.empty(plane.shape, sample_type) for plane in frame.planes)


def check_out(frame: Frame, out: tuple[Plane, ...]) -> None:
    """Check that what is made of a frame can go to planes as they are.

    Raises:
        ValueError: they are not like the frame's, have gaps between rows, or are the frame's own.
    """
    sample_type = _sample_type(frame)
    wanted = [(plane.shape, sample_type) for plane in frame.planes]
    found = [(plane.shape, plane.dtype) for plane in out]
    if found != wanted or not all(p.flags.writeable and p.flags.c_contiguous for p in out):
        names = ", ".join(f"{shape} {kind}" for shape, kind in wanted)
        raise ValueError(f"out is writable planes without gaps, of {names}; got {found}")
    if any(np.may_share_memory(*pair) for pair in zip(frame.planes, out, strict=True)):
        raise ValueError("out is the frame's own memory; give it planes apart from these")


def _sample_type(frame: Frame) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
    return np.dtype(np.uint8) if frame.format.depth == 8 else np.dtype(np.uint16)
