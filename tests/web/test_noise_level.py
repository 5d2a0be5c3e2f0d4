"""How noisy the browser takes a stream to be, by node: against Python's measure."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.browser_modules import array_of, by_node, text_of
from support.grids import brightening

from tapetum.realtime.cpu.fixed_point import fixed_samples, halve
from tapetum.realtime.cpu.noise_level import NoiseLevel
from tapetum.realtime.cpu.restoring import curve_slope
from tapetum.realtime.cpu.rgb import frame_from_rgb
from tapetum.realtime.sample_range import SampleRange

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")

Array = npt.NDArray[Any]
TILES, TILE = 16, 12
LEVELS = SampleRange(0, 255, 128, 255, (0, 255), (0, 255))


def pictures(kind: str) -> list[Array]:
    """(12, 3, 240, 320) luma and chroma in fixed point: dark, with texture."""
    random = np.random.default_rng(4)
    rows, columns = np.mgrid[:240, :320]
    texture = 40 + 20 * np.sin(columns / 9) * np.cos(rows / 7) + 12 * (columns // 40 % 2)
    planes = []
    for number in range(12):
        luma = np.roll(texture, 3 * number, 1) if kind == "moving" else texture
        noise = random.normal(0, 0.25 if kind == "clean" else 4, (3, 240, 320))
        if kind == "smooth":
            noise = 2 * (noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2)) / 3
        planes.append(np.rint((np.stack([luma, 0 * luma + 128, 0 * luma + 128]) + noise) * 128))
    return planes


def halves(planes: Array) -> npt.NDArray[np.int16]:
    half = np.empty((3, 120, 160), np.int16)
    for plane, out in zip(planes.astype(np.int16), half, strict=True):
        halve(fixed_samples(plane), 1, 1, out)
    return half


def sample_of(full: Array, half: Array, last: Array, phase: float) -> npt.NDArray[np.uint32]:
    """The tiles that the browser's graphics hand over: (192, 192, 4)."""
    place = [
        (np.floor((tile + phase) / TILES * (side - TILE + 1)).astype(int) + np.arange(TILE))
        for side in half.shape[1:]
        for tile in range(TILES)
    ]
    rows, columns = np.concatenate(place[:TILES]), np.concatenate(place[TILES:])
    cells = np.ix_(rows, columns)
    a, b, c, d = (full[0][y::2, x::2].astype(int) for y in (0, 1) for x in (0, 1))
    within = np.abs(a - b) + np.abs(c - d) + np.abs(a - c) + np.abs(b - d)
    now, u, v = half.astype(np.uint32)
    texels = [now | last[0].astype(np.uint32) << 16, u | v << 16, within, 0 * within]
    return np.stack([texel[cells] for texel in texels], axis=-1).astype(np.uint32)


def by_browser(planes: list[Array]) -> dict[str, Any]:
    half = [halves(plane) for plane in planes]
    samples = [
        sample_of(planes[i], half[i], half[i - 1], 0.382 * i % 1) for i in range(1, len(planes))
    ]
    (answer,) = by_node(
        "noise_level.js",
        """const base64 = (array) => Buffer.from(array.buffer).toString('base64');
        const answers = questions.map(({ samples, slope }) => {
            const noise = new module.NoiseLevel();
            for (const text of samples) {
                noise.measure(new Uint32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer));
            }
            return {
                luma: base64(noise.luma), seen: base64(noise.seen), chroma: noise.chroma,
                fineness: noise.fineness, width: noise.width, sure: noise.isSure,
                share: base64(noise.share(floats(slope))),
            };
        });""",
        [
            {
                "samples": [text_of(sample.view(np.float32)) for sample in samples],
                "slope": text_of(np.full(256, 4, np.float32)),
            }
        ],
    )
    return {
        **answer,
        **{name: array_of(answer[name]) for name in ("luma", "seen", "share")},
    }


def by_python(planes: list[Array]) -> NoiseLevel:
    noise = NoiseLevel(LEVELS, 8)
    last = None
    for plane in planes:
        half = halves(plane)
        noise.measure(fixed_samples(plane[0].astype(np.int16)), list(half), last)
        last = half[0]
    return noise


@pytest.mark.parametrize("kind", ["white", "smooth"])
def test_the_noise_is_measured_as_by_python(kind: str) -> None:
    planes = pictures(kind)
    browser, python = by_browser(planes), by_python(planes)
    there = python.seen > 0.001
    np.testing.assert_allclose(browser["luma"][there], python.luma[there], rtol=0.15)
    np.testing.assert_allclose(browser["chroma"], python.chroma, rtol=0.1)
    np.testing.assert_allclose(browser["fineness"], python.fineness, rtol=0.1)
    np.testing.assert_allclose(browser["width"], python.width, atol=0.1)
    assert browser["sure"]
    assert browser["share"][there].min() == 1


def test_a_clean_picture_has_no_noise() -> None:
    browser = by_browser(pictures("clean"))
    assert browser["share"].max() == 0


def test_what_was_told_over_time_holds_while_nothing_changes() -> None:
    """Of rough still pictures space alone told, once another had been seen to change."""
    random = np.random.default_rng(4)
    rough = np.stack([np.full((240, 320), level) for level in (60.0, 128, 128)])
    rough[0] += 6 * (random.normal(0, 1, (120, 160)).repeat(2, 0).repeat(2, 1))
    light = np.zeros_like(rough)
    light[0] += 3.0 * (np.arange(320) // 16 % 2)
    steps = [rough + light * (step == 1) for step in range(14)]
    planes = [np.rint(128 * step) for step in steps]
    levels = [by_browser(planes)["luma"].mean(), by_python(planes).luma.mean()]
    assert max(levels) < 128


def test_a_picture_that_moves_is_not_noisier_than_one_that_rests() -> None:
    moving, still = by_browser(pictures("moving")), by_browser(pictures("white"))
    there = still["seen"] > 0.001
    assert moving["luma"][there].mean() < 1.2 * still["luma"][there].mean()


def test_the_slope_of_the_brightening_is_python_s() -> None:
    grid = brightening()
    frame = frame_from_rgb(np.zeros((16, 16, 3), np.uint8))
    (answer,) = by_node(
        "noise_level.js",
        """const answers = questions.map(({ grid }) =>
            Buffer.from(module.curveSlope(floats(grid)).buffer).toString('base64'));""",
        [{"grid": text_of(grid)}],
    )
    np.testing.assert_allclose(array_of(answer), curve_slope(frame, grid), atol=1e-3)
