"""Frames of noise in every format, and exact float64 arithmetic on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import pixel_format

Array = npt.NDArray[Any]

UNTAGGED = ColorInfo()


def random_frame(
    name: str, width: int, height: int, *, seed: int = 0, color: ColorInfo = UNTAGGED
) -> Frame:
    """Noise over all levels, illegal ones too."""
    layout = pixel_format(name)
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if layout.depth == 8 else np.uint16
    planes: list[Any] = [
        (rng.integers(0, 1 << layout.depth, shape) << layout.shift).astype(dtype)
        for shape in layout.plane_shapes(width, height)
    ]
    return Frame(tuple(planes), name, color=color)


def pitched(frame: Frame, gap: int = 5) -> Frame:
    """The same frame with unused samples after each row."""
    planes: list[Plane] = []
    for plane in frame.planes:
        wide = np.full((plane.shape[0], plane.shape[1] + gap), 77, plane.dtype)
        wide[:, : plane.shape[1]] = plane
        planes.append(wide[:, : plane.shape[1]])
    return frame.with_planes(tuple(planes))


@dataclass(frozen=True)
class ForeignPlane:
    """Stands for an array in a GPU's memory: it has a shape and nothing that NumPy reads."""

    shape: tuple[int, ...]


def on_another_device(frame: Frame) -> Frame:
    """A frame like this one whose planes are not in main memory."""
    planes: Any = tuple(ForeignPlane(plane.shape) for plane in frame.planes)
    return frame.with_planes(planes)


def luma_levels(frame: Frame) -> Array:
    """Luma as float64 levels."""
    return (frame.planes[0] >> frame.format.shift).astype(np.float64)


def chroma_levels(frame: Frame) -> tuple[Array, Array]:
    """U and V as float64 levels."""
    layout = frame.format
    if layout.semi_planar:
        u, v = frame.planes[1][:, ::2], frame.planes[1][:, 1::2]
    else:
        u, v = frame.planes[1:]
    return (u >> layout.shift).astype(np.float64), (v >> layout.shift).astype(np.float64)


def scales(frame: Frame) -> tuple[float, float, float, float]:
    """Black, luma span, grey and chroma span, written out from ITU-T H.273."""
    depth = frame.format.depth
    if frame.full_range:
        return 0, 2**depth - 1, 2 ** (depth - 1), 2**depth - 1
    step = 2 ** (depth - 8)
    return 16 * step, 219 * step, 128 * step, 224 * step


def chroma_to_pixels(size: int, subsampling: int, cosited: bool) -> Array:
    """(pixels, samples) shares of the chroma samples in the pixels along an axis."""
    samples = -(-size >> subsampling)
    place = np.arange(size) / (1 << subsampling)
    if not cosited:
        place = np.floor(place)
    distance = np.abs(np.minimum(place, samples - 1)[:, np.newaxis] - np.arange(samples))
    shares: Array = np.maximum(1 - distance, 0)
    return shares


def colored_mean(values: Array, frame: Frame) -> Array:
    """Mean of full-resolution values over the pixels that each chroma sample colours."""
    layout, (across, down) = frame.format, frame.cosited
    rows = _tent(frame.height, layout.chroma_y, down)
    columns = _tent(frame.width, layout.chroma_x, across)
    mean: Array = rows @ values @ columns.T
    return mean


def _tent(size: int, subsampling: int, cosited: bool) -> Array:
    """(samples, pixels) weights: a pixel between two samples counts half for each."""
    samples = np.arange(-(-size >> subsampling)) << subsampling
    distance = np.arange(size) - samples[:, np.newaxis]
    halves = np.maximum(1 - np.abs(distance) / 2, 0) if cosited else (distance >> subsampling == 0)
    weights: Array = halves / halves.sum(axis=1, keepdims=True)
    return weights


def covered_mean(values: Array, frame: Frame) -> Array:
    """Mean of full-resolution values over the pixels that each chroma sample covers."""
    rows = np.arange(0, values.shape[0], 1 << frame.format.chroma_y)
    columns = np.arange(0, values.shape[1], 1 << frame.format.chroma_x)
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    ones = np.ones_like(values)
    counts = np.add.reduceat(np.add.reduceat(ones, rows, axis=0), columns, axis=1)
    return np.asarray(sums / counts)


def planes_from_levels(frame: Frame, luma: Array, u: Array, v: Array) -> tuple[Plane, ...]:
    """Round levels, clip them as the enhancers do, and lay them out as the frame's planes."""
    black, luma_span, grey, chroma_span = scales(frame)
    top = 2**frame.format.depth - 1
    u_old, v_old = chroma_levels(frame)
    low, high = grey - chroma_span / 2, min(grey + chroma_span / 2, top)
    y = _stored(frame, luma, luma_levels(frame), black, black + luma_span)
    new_u, new_v = (
        _stored(frame, values, old, max(np.floor(low), 0), high)
        for values, old in ((u, u_old), (v, v_old))
    )
    if frame.format.semi_planar:
        chroma: Any = np.stack((new_u, new_v), 2).reshape(new_u.shape[0], -1)
        return y, chroma
    return y, new_u, new_v


def _stored(frame: Frame, values: Array, old: Array, low: float, high: float) -> Plane:
    clipped = np.clip(values, np.minimum(old, low), np.maximum(old, high))
    levels = np.floor(clipped + 0.5).astype(np.int64) << frame.format.shift
    stored: Any = levels.astype(frame.planes[0].dtype)
    plane: Plane = stored
    return plane
