"""The filter of coefficients over time, and what counts as a cut."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.temporal import TemporalFilter

Floats = npt.NDArray[np.float32]


def scene(seed: int, *, light: float = 0.2, noise: float = 0.0, frame: int = 0) -> Floats:
    """A thumbnail of blocks of light, with fresh noise in each frame."""
    blocks = np.random.default_rng(seed).random((1, 3, 8, 8)) ** 2 * light
    picture = np.kron(blocks, np.ones((1, 1, 32, 32)))
    grain = np.random.default_rng(1000 + frame).normal(0, noise, picture.shape)
    return np.clip(picture + grain, 0, 1).astype(np.float32)


def value(number: float) -> Floats:
    return np.full((2, 3), number, np.float32)


def steady_after(
    thumbnails: list[Floats], numbers: list[float], times: list[float | None] | None = None
) -> list[float]:
    smooth = TemporalFilter(time_constant_s=0.3)
    times = [i / 30 for i in range(len(numbers))] if times is None else times
    frames = zip(thumbnails, numbers, times, strict=True)
    return [float(smooth(value(n), thumbnail=t, time_s=s)[0, 0]) for t, n, s in frames]


def test_the_first_frame_is_taken_as_it_is() -> None:
    assert steady_after([scene(0)], [3.0]) == [3.0]


def test_a_step_arrives_with_the_time_constant_whatever_the_frame_rate() -> None:
    for rate in (15, 30, 120):
        count = round(0.3 * rate)
        times: list[float | None] = [i / rate for i in range(count + 1)]
        result = steady_after([scene(0)] * (count + 1), [0.0] + [1.0] * count, times)
        assert result[-1] == pytest.approx(1 - math.exp(-count / rate / 0.3), abs=1e-5)


def test_coefficients_that_flicker_become_steady() -> None:
    numbers = np.random.default_rng(0).normal(1, 0.1, 200)
    pictures = [scene(0, noise=0.02, frame=i) for i in range(200)]
    result = np.array(steady_after(pictures, list(numbers)))
    assert np.diff(result, 2).std() < np.diff(numbers, 2).std() / 8


def test_a_cut_starts_anew() -> None:
    pictures = [scene(0)] * 10 + [scene(1)] * 2
    assert steady_after(pictures, [0.0] * 10 + [1.0] * 2)[10:] == [1.0, 1.0]


@pytest.mark.parametrize("light", [0.01, 0.05, 0.3])
def test_noise_in_the_dark_is_no_cut(light: float) -> None:
    pictures = [scene(0, light=light, noise=0.03, frame=i) for i in range(20)]
    result = steady_after(pictures, [0.0] * 10 + [1.0] * 10)
    assert 0 < result[10] < 0.3


def test_a_passing_lamp_is_no_cut() -> None:
    pictures = []
    for column in range(0, 240, 8):
        picture = scene(0, light=0.1).copy()
        picture[..., 60:90, column : column + 16] = 1
        pictures.append(picture)
    result = steady_after(pictures, [0.0] * 15 + [1.0] * 15)
    assert 0 < result[15] < 0.5


def test_a_lamp_switched_on_is_followed_quickly() -> None:
    quick = steady_after([scene(0)] * 5 + [3 * scene(0)] * 4, [0.0] * 5 + [1.0] * 4)
    usual = steady_after([scene(0)] * 9, [0.0] * 5 + [1.0] * 4)
    assert quick[-1] > 0.8
    assert usual[-1] < 0.5


def test_times_that_are_missing_or_go_backwards_stand_for_the_usual_interval() -> None:
    pictures, numbers = [scene(0)] * 4, [0.0, 1.0, 1.0, 1.0]
    expected = steady_after(pictures, numbers)
    for times in ([None] * 4, [5.0, 5.0, 4.0, 3.0], [9.0, None, 9.0, 2.0]):
        assert steady_after(pictures, numbers, list(times)) == pytest.approx(expected)


def test_reset_forgets_the_past() -> None:
    smooth = TemporalFilter()
    smooth(value(0), thumbnail=scene(0), time_s=0.0)
    smooth.reset()
    assert smooth(value(1), thumbnail=scene(0), time_s=0.1)[0, 0] == 1


def test_results_are_not_changed_by_later_frames() -> None:
    smooth = TemporalFilter()
    first = smooth(value(0), thumbnail=scene(0), time_s=0.0)
    smooth(value(1), thumbnail=scene(0), time_s=0.1)
    assert not first.any()


def test_a_time_constant_of_zero_is_no_smoothing() -> None:
    smooth = TemporalFilter(time_constant_s=0)
    smooth(value(0), thumbnail=scene(0), time_s=0.0)
    assert smooth(value(1), thumbnail=scene(0), time_s=0.01)[0, 0] == 1
    with pytest.raises(ValueError, match="-1"):
        TemporalFilter(time_constant_s=-1)


CLIPS = ["city_night_1080p", "drive_night_360p", "day_cars_768x432", "day_bedroom_960x540"]


def clip_thumbnails(path: Path, count: int) -> Iterator[Floats]:
    with FileSource(path) as source:
        for frame in islice(source, count):
            yield thumbnail(frame)


def cuts(thumbnails: list[Floats]) -> list[int]:
    """Frames at which the filter takes coefficients as they are, the first frame apart."""
    values = [float(i % 2) for i in range(len(thumbnails))]
    steady = steady_after(thumbnails, values)
    return [i for i in range(1, len(values)) if steady[i] == values[i]]


def test_real_clips_are_cut_where_they_are_joined_and_nowhere_else(shared_data: Path) -> None:
    counts = [40, 200, 60, 60]
    joined = [
        small
        for name, count in zip(CLIPS, counts, strict=True)
        for small in clip_thumbnails(shared_data / "video" / f"{name}.mp4", count)
    ]
    assert cuts(joined) == [40, 240, 300]
