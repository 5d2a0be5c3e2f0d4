"""Each compiled step of the restoring stage against the same in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support import restoring_steps as exact
from support.random_frames import pitched, random_frame

from tapetum.realtime.cpu.fixed_point import fixed_samples, frame_samples, halve
from tapetum.realtime.cpu.restoring import halves
from tapetum.realtime.cpu.restoring_light import (
    GAIN_BITS,
    new_light,
    relight,
    relight_cells,
    sample_means,
)
from tapetum.realtime.cpu.restoring_space import (
    REMAINS_BITS,
    WHOLE,
    Cells,
    Tolerance,
    correct,
    describe_cells,
    finish,
)
from tapetum.realtime.cpu.restoring_time import (
    ONE_FRAME,
    binomial_lean,
    learn,
    weigh_evidence,
    wide_lean,
)
from tapetum.realtime.cpu.wide_changes import WIDE, compare_wide, texture_told

Array = npt.NDArray[Any]

TOP = 255 << 7
NOWHERE: npt.NDArray[np.int16] = np.empty((0, 0), np.int16)
SHAPES = [(12, 20), (13, 21), (1, 1), (5, 2), (37, 50)]


def picture(shape: tuple[int, ...], seed: int = 0, deviation: float = 300) -> Array:
    """A soft slope with noise, in fixed point."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(3000, 9000, shape[-1])
    return (slope + rng.normal(0, deviation, shape)).astype(np.int16)


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "p010le", "yuv422p12le", "yuvj444p"])
def test_frames_of_every_format_are_halved_alike(name: str) -> None:
    frame = pitched(random_frame(name, 33, 21))
    layout = frame.format
    chroma = 1 - layout.chroma_y, 1 - layout.chroma_x
    planes = [frame.planes[0], *frame.planes[1:]]
    if layout.semi_planar:
        planes = [frame.planes[0], frame.planes[1][:, 0::2], frame.planes[1][:, 1::2]]
    for plane, source, cell in zip(
        planes, frame_samples(frame), ((1, 1), chroma, chroma), strict=True
    ):
        half = np.empty((11, 17), np.int16)
        halve(source, cell[1], cell[0], half)
        levels = (plane >> layout.shift).astype(float) * (1 << (15 - layout.depth))
        np.testing.assert_allclose(half, exact.halved(levels, *cell), atol=0.5)


@pytest.mark.parametrize("shape", SHAPES)
def test_evidence_and_share_follow_motion(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    frame, estimate = picture((3, *shape), 1), picture((3, *shape), 2)
    frame[:, shape[0] // 2 :] += 900  # half of it moves
    noise = rng.uniform(200, 500, 256).astype(np.float32)
    chroma_noise = np.array([250, 400], np.float32)
    evidence = rng.integers(ONE_FRAME, 16 * ONE_FRAME, shape).astype(np.uint8)
    leans = binomial_lean(0.8), wide_lean(0.8)
    frames = evidence / ONE_FRAME
    change = frame.astype(float) - estimate
    wide = np.full((-(-shape[0] // WIDE), -(-shape[1] // WIDE)), 20, np.float32)
    moved = exact.motion(change, wide, noise[frame[0] >> 7], chroma_noise, frames, leans)
    expected = exact.evidence_after(moved, frames)

    share = np.empty(shape, np.int16)
    last = frame[0] + np.int16(1)  # all of the picture was sent anew
    both = np.float32(leans[0]), np.float32(leans[1])
    planes = (frame[0], frame[1], frame[2]), (estimate[0], estimate[1], estimate[2])
    for rows in halves(shape[0]):  # as two threads do it
        weigh_evidence(*planes, last, wide, noise, chroma_noise, both, evidence, share, rows)
    np.testing.assert_allclose(evidence / ONE_FRAME, expected, atol=0.51 / ONE_FRAME)
    np.testing.assert_allclose(share / 32767, 1 / expected, atol=1e-3)


@pytest.mark.parametrize("told", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_show_faint_changes_shifts_and_texture(shape: tuple[int, int], told: float) -> None:
    rng = np.random.default_rng(2)
    frame = picture(shape, 1, 200)
    frame += (
        900 * np.sin(np.arange(shape[1]) / 1.5) * (np.arange(shape[0]) % 9 < 5)[:, None]
    ).astype(np.int16)
    known = np.roll(frame, 1, 1) + rng.integers(-99, 99, shape).astype(np.int16)
    measured = rng.uniform(50, 300, 256).astype(np.float32)
    noise = np.maximum(measured, 150)  # of single levels, at the least
    of_cells, lean = (noise[frame >> 7], measured[frame >> 7]), wide_lean(0.8)
    wide, flat = np.empty((2, -(-shape[0] // WIDE), -(-shape[1] // WIDE)), np.float32)
    compare_wide(frame, known, noise, measured, np.float32(lean), np.float32(told), wide, flat)
    expected = exact.wide_changes(frame, known, *of_cells, lean, told)
    np.testing.assert_allclose(wide, expected, rtol=1e-3, atol=0.01)
    np.testing.assert_allclose(flat, exact.flatness(frame, known, *of_cells, told), atol=0.01)


@pytest.mark.parametrize(
    ("texture", "moves", "least", "most"),
    [
        (0, 0, 0.0, 2.2),  # noise alone, and twice as much as was measured
        (600, 0, 1.8, 2.8),  # at rest
        (600, 1, 4.5, 99.0),  # by what no shift of cells explains: it is too fine for them
    ],
)
def test_fine_texture_that_changes_moves_and_noise_does_not(
    texture: int, moves: int, least: float, most: float
) -> None:
    """In deviations of noise, of which motion begins at 2.5, and is sure at 4.5."""
    rng = np.random.default_rng(5)
    here, there = rng.normal(0, texture, (2, 64, 64))
    known = 9000 + there
    way = moves * (here - there) * 0.3 + rng.normal(0, 100 if texture else 200, (64, 64))
    noise, lean = np.full(256, 100, np.float32), np.float32(wide_lean(1.0))
    wide, flat = np.empty((2, 16, 16), np.float32)
    frame = (known + way).astype(np.int16)
    compare_wide(frame, known.astype(np.int16), noise, noise, lean, np.float32(1), wide, flat)
    middle = float(np.median(wide)) / float(100 * lean)
    assert least <= middle <= most


@pytest.mark.parametrize(
    ("texture", "measured", "told", "least", "most"),
    [
        (0, 100, 1.0, 0.95, 1.0),  # noise alone
        (0, 70, 1.0, 0.95, 1.0),  # and more than was measured
        (500, 100, 1.0, 0.0, 0.05),  # in which more changed than noise does
        (500, 100, 0.0, 0.0, 0.6),  # less so where a codec left that
        (500, 5, 0.0, 0.0, 0.1),  # and single levels
    ],
)
def test_texture_that_moves_is_no_noise(
    texture: int, measured: int, told: float, least: float, most: float
) -> None:
    rng = np.random.default_rng(6)
    here, there = rng.normal(9000, np.hypot(texture, 100), (2, 64, 64)).astype(np.int16)
    of_noise = np.full(256, max(measured, 70), np.float32), np.full(256, measured, np.float32)
    wide, flat = np.empty((2, 16, 16), np.float32)
    lean = np.float32(wide_lean(1.0))
    compare_wide(here, there, *of_noise, lean, np.float32(told), wide, flat)
    assert least <= float(np.median(flat)) <= most


def test_texture_is_told_from_a_sensors_noise_alone() -> None:
    assert [texture_told(width) for width in (0.0, 0.25, 0.5, 1.0)] == [1.0, 0.5, 0.0, 0.0]


def test_what_a_codec_skipped_says_nothing_new() -> None:
    frame = picture((3, 8, 8))
    evidence, share = np.full((8, 8), 5 * ONE_FRAME, np.uint8), np.empty((8, 8), np.int16)
    wide, noise = np.zeros((2, 2), np.float32), np.full(256, 300, np.float32)
    leans = np.float32(0.4), np.float32(0.1)
    planes = frame[0], frame[1], frame[2]
    known = planes, frame[0].copy(), wide, noise, noise[:2], leans
    weigh_evidence(planes, *known, evidence, share, (0, 8))
    assert (evidence == 5 * ONE_FRAME).all()
    assert (share == 0).all()


@pytest.mark.parametrize("cell", [(0, 0), (1, 0), (1, 1)])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_estimate_learns_by_the_share_of_its_cell(
    shape: tuple[int, int], cell: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    cells = -(-shape[0] >> cell[0]), -(-shape[1] >> cell[1])
    new, estimate = picture(shape, 1, 3000).clip(0), picture(shape, 2, 3000).clip(0)
    share = rng.integers(0, 32768, cells).astype(np.int16)
    share[0, 0] = 32767
    spread = share.repeat(1 + cell[0], 0).repeat(1 + cell[1], 1)[: shape[0], : shape[1]]
    expected = estimate + (new.astype(float) - estimate) * spread / 32767
    learn(fixed_samples(new), share, cell[1], cell[0], estimate, NOWHERE)
    np.testing.assert_allclose(estimate, expected, atol=1)
    assert estimate[0, 0] == new[0, 0]


@pytest.mark.parametrize("shape", SHAPES)
def test_luma_is_learnt_and_halved_at_once(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    new, estimate = picture(shape, 1, 3000).clip(0), picture(shape, 2, 3000).clip(0)
    cells = -(-shape[0] // 2), -(-shape[1] // 2)
    share = rng.integers(0, 32768, cells).astype(np.int16)
    apart, half = estimate.copy(), np.empty(cells, np.int16)
    learn(fixed_samples(new), share, 1, 1, apart, NOWHERE)
    learn(fixed_samples(new), share, 1, 1, estimate, half)
    assert (estimate == apart).all()
    np.testing.assert_allclose(half, exact.halved(apart.astype(float)), atol=0.5)


def test_the_light_is_followed_as_it_changed() -> None:
    black, gain = 2048.0, 1.3
    known = picture((64, 96), deviation=60)
    frame = np.rint(exact.relit(known.astype(float), black, gain)).astype(np.int16)
    light = new_light(frame, known, black)
    assert light is not None
    lit, gains = np.empty_like(known), np.empty_like(known)
    relight_cells(known, light, lit, gains)
    np.testing.assert_allclose(lit, frame, atol=120)  # a level of 8 bits
    rng = np.random.default_rng(8)
    luma = (known.repeat(2, 0).repeat(2, 1) + rng.integers(-90, 90, (128, 192))).astype(np.int16)
    gained = lit.repeat(2, 0).repeat(2, 1) + (
        luma - known.repeat(2, 0).repeat(2, 1).astype(float)
    ) * gains.repeat(2, 0).repeat(2, 1) / (1 << GAIN_BITS)
    relight(luma, known, lit, gains, 1, 1)
    np.testing.assert_allclose(luma, gained, atol=1)


@pytest.mark.parametrize("every", [1, 2])
def test_the_means_that_show_light_are_exact(every: int) -> None:
    frame, known = picture((67, 93), 1), picture((67, 93), 2)
    means = np.empty((2, -(-8 // every) * -(-11 // every)), np.float32)
    sample_means(frame, known, every, means)
    for plane, found in zip((frame, known), means, strict=True):
        cells = plane[:64, :88].reshape(8, 8, 11, 8).mean(axis=(1, 3))[::every, ::every]
        np.testing.assert_allclose(found, cells.ravel(), rtol=1e-6)


def test_what_moves_is_no_light() -> None:
    known, frame = picture((64, 96), 1), picture((64, 96), 2)
    assert new_light(frame, known, 2048.0) is None
    frame[20:40, 30:60] += 900
    assert new_light(frame, known, 2048.0) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plane_is_corrected_after_a_coarser_one(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    plane = picture(shape)
    coarser = rng.integers(-200, 200, (-(-shape[0] // 2), -(-shape[1] // 2))).astype(np.int16)
    cells = rng.integers(0, 400, shape).astype(np.int16)
    out = np.empty(shape, np.int16)
    correct(plane, coarser, Tolerance(cells, np.float32(1.5), 0, 0), TOP, out)
    lifted = plane + exact.enlarged(coarser.astype(float), shape)
    expected = exact.smoothed(lifted, 1.5 * cells) - plane
    np.testing.assert_allclose(out, expected, atol=4)


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("cell", [(0, 0), (1, 0), (1, 1)])
def test_a_restored_plane_is_mixed_with_its_frame(weight: float, cell: tuple[int, int]) -> None:
    shape = 13, 21
    rng = np.random.default_rng(5)
    own, estimate = picture(shape, 1), picture(shape, 2)
    cells = -(-shape[0] >> cell[0]), -(-shape[1] >> cell[1])
    deviation = rng.integers(0, 400, cells).astype(np.int16)
    weights = np.full(cells, round(weight * WHOLE), np.int16)
    out = np.empty(shape, np.uint16)
    tolerance = Tolerance(deviation, np.float32(1.5), -cell[0], -cell[1])
    finish(fixed_samples(own), estimate, NOWHERE, tolerance, weights, TOP, 5, out)
    spread = deviation.repeat(1 + cell[0], 0).repeat(1 + cell[1], 1)[: shape[0], : shape[1]]
    restored = exact.smoothed(estimate.astype(float), 1.5 * spread)
    np.testing.assert_allclose(out, (own + weight * (restored - own)) / 32, atol=0.6)


def test_cells_are_described_by_luma_and_evidence() -> None:
    rng = np.random.default_rng(6)
    luma, evidence = picture((9, 14)), rng.integers(8, 129, (9, 14)).astype(np.uint8)
    noise = rng.uniform(50, 500, 256).astype(np.float32)
    weights = rng.integers(0, WHOLE + 1, 256).astype(np.int16)
    cells = Cells(*(np.empty((9, 14), np.int16) for _ in Cells._fields))
    flatness = rng.uniform(0, 1, (3, 4)).astype(np.float32)
    describe_cells(luma, flatness, evidence, noise, weights, cells)
    remains = exact.remaining(evidence / ONE_FRAME)
    flat = exact.spread(flatness, luma.shape)
    np.testing.assert_allclose(cells.remains, remains * (1 << REMAINS_BITS), atol=1)
    np.testing.assert_allclose(cells.deviation, flat * remains * noise[luma >> 7], atol=1)
    assert (cells.weight == weights[luma >> 7]).all()
