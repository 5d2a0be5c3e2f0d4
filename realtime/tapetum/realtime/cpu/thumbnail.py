"""The 256x256 RGB thumbnail that the grid network looks at, straight from a frame's planes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import THUMBNAIL
from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.plane_rows import EitherSize, chroma_rows, either_size, sample_rows
from tapetum.realtime.cpu.rgb import PixelRows
from tapetum.realtime.cpu.side_by_side import cores
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.sample_range import SampleRange, sample_range

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]


def thumbnail(frame: Frame) -> Floats:
    """Reduce a frame to the mean of each of 256x256 bins, as RGB.

    Bin i of n samples is floor(i * n / 256) to ceil((i + 1) * n / 256), so frames smaller than
    256 are enlarged. Every sample counts. Luma and chroma are reduced each at its own
    resolution, then converted with the frame's own matrix and range.

    Returns:
        (1, 3, 256, 256) RGB in [0, 1].

    Raises:
        DeviceError: the frame is not in main memory.
    """
    luma, luma_pitch = sample_rows(frame.planes[0])
    chroma = chroma_rows(frame)
    size = chroma.width, chroma.height
    means = np.empty((3, THUMBNAIL, THUMBNAIL), np.float32)

    def reduce_luma() -> None:
        _mean_bins(either_size(luma), luma_pitch, 1, frame.width, frame.height, means[0])

    def reduce_chroma() -> None:
        _mean_bins(either_size(chroma.u), chroma.u_pitch, chroma.step, *size, means[1])
        _mean_bins(either_size(chroma.v), chroma.v_pitch, chroma.step, *size, means[2])

    cores().side_by_side(reduce_luma, reduce_chroma)
    _yuv_to_rgb(means, *_scales(frame))
    return means[np.newaxis]


def image_thumbnail(image: PixelRows) -> Floats:
    """The same of an 8-bit RGB image, whose channels are reduced each by itself."""
    means = np.empty((3, THUMBNAIL, THUMBNAIL), np.float32)
    _mean_pixels(image, means)
    ordered = means if image.red_first else means[::-1]
    return np.ascontiguousarray(ordered[np.newaxis])


def _scales(frame: Frame) -> tuple[np.float32, ...]:
    """Factors and origins from mean words to Y, U, V; and the matrix's Kr and Kb."""
    return _scales_of(sample_range(frame), frame.format.shift, frame.luma_weights)


@lru_cache(maxsize=16)
def _scales_of(
    levels: SampleRange, shift: int, luma_weights: tuple[float, float]
) -> tuple[np.float32, ...]:
    word = 1 << shift
    numbers = (
        1 / (levels.luma_span * word),
        levels.black * word,
        1 / (levels.chroma_span * word),
        levels.grey * word,
        *luma_weights,
    )
    return tuple(np.float32(number) for number in numbers)


@kernel
def _mean_bins(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: EitherSize, pitch: int, step: int, width: int, height: int, means: Floats
) -> None:
    """Mean of each bin of a plane; sums are exact integers, modulo 2^32 until subtracted."""
    left, right = np.empty(THUMBNAIL, np.uint32), np.empty(THUMBNAIL, np.uint32)
    _ends_of_bins(width, left, right)
    column_sums = np.empty((width - 1) * step + 1, np.uint32)
    running = np.zeros(width + 1, np.uint32)
    for i in range(THUMBNAIL):
        first = i * height // THUMBNAIL
        end = ((i + 1) * height + THUMBNAIL - 1) // THUMBNAIL
        if samples.words.size > 0:
            _sum_rows(samples.words, pitch, first, end, column_sums)
        else:
            _sum_rows(samples.bytes, pitch, first, end, column_sums)
        _running_sums(column_sums, step, running)
        for j in range(THUMBNAIL):
            count = np.float32(right[j] - left[j]) * np.float32(end - first)
            means[i, j] = np.float32(running[right[j]] - running[left[j]]) / count


@kernel
def _mean_pixels(image: PixelRows, means: Floats) -> None:
    """Mean of each bin of three channels, as a share of 255."""
    width, height, channels = image.width, image.height, image.channels
    left, right = np.empty(THUMBNAIL, np.uint32), np.empty(THUMBNAIL, np.uint32)
    _ends_of_bins(width, left, right)
    column_sums = np.empty(width * channels, np.uint32)
    running = np.zeros((3, width + 1), np.uint32)
    first, middle, last = running[0], running[1], running[2]
    for i in range(THUMBNAIL):
        top = i * height // THUMBNAIL
        end = ((i + 1) * height + THUMBNAIL - 1) // THUMBNAIL
        _sum_rows(image.samples, image.pitch, top, end, column_sums)
        _three_running_sums(column_sums, channels, first, middle, last)
        for channel in range(3):
            sums, row = running[channel], means[channel, i]
            for j in range(THUMBNAIL):
                count = np.float32(right[j] - left[j]) * np.float32(end - top) * np.float32(255)
                row[j] = np.float32(sums[right[j]] - sums[left[j]]) / count


@part
def _ends_of_bins(size: int, left: Words, right: Words) -> None:
    """Set where each bin of so many samples begins, and where it ends."""
    # Unsigned places spare a look at whether each counts from the end.
    for j in range(THUMBNAIL):
        left[j] = j * size // THUMBNAIL
        right[j] = ((j + 1) * size + THUMBNAIL - 1) // THUMBNAIL


@part
def _sum_rows(samples: Plane, pitch: int, first: int, end: int, sums: Words) -> None:
    """Sum rows `first` to `end` of a plane, column by column."""
    sums[:] = 0
    for row in range(first, end):
        line = samples[row * pitch : row * pitch + len(sums)]
        for x in range(len(sums)):
            sums[x] += line[x]


@part
def _running_sums(values: Words, step: int, running: Words) -> None:
    """Sums of the first 0, 1, 2... of every `step`-th value."""
    total = np.uint32(0)
    for x in range(len(running) - 1):
        total += values[np.uint64(x * step)]
        running[x + 1] = total


@part
def _three_running_sums(values: Words, step: int, first: Words, middle: Words, last: Words) -> None:
    """The same of three channels side by side: none waits for its own last sum alone."""
    one = between = other = np.uint32(0)
    for x in range(len(first) - 1):
        place = np.uint64(x * step)
        one += values[place]
        between += values[place + np.uint64(1)]
        other += values[place + np.uint64(2)]
        first[x + 1] = one
        middle[x + 1] = between
        last[x + 1] = other


@kernel
def _yuv_to_rgb(  # noqa: PLR0917 - numba takes no keyword-only arguments
    planes: Floats,
    luma_scale: np.float32,
    black: np.float32,
    chroma_scale: np.float32,
    grey: np.float32,
    kr: np.float32,
    kb: np.float32,
) -> None:
    """Convert (3, H, W) mean words to RGB in [0, 1], in place."""
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    for i in range(planes.shape[1]):
        for j in range(planes.shape[2]):
            y = (planes[0, i, j] - black) * luma_scale
            red = y + two * (one - kr) * (planes[2, i, j] - grey) * chroma_scale
            blue = y + two * (one - kb) * (planes[1, i, j] - grey) * chroma_scale
            green = (y - kr * red - kb * blue) / (one - kr - kb)
            planes[0, i, j] = min(max(red, zero), one)
            planes[1, i, j] = min(max(green, zero), one)
            planes[2, i, j] = min(max(blue, zero), one)
