"""The kernels of the restoring stage against float64 arithmetic, and against those of the CPU.

Compiled for the host, and on a GPU where there is one.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support import restoring_steps as exact
from support.grids import brightening, random_grid
from support.kernel_devices import HostDevice, on_device, poisoned_planes
from support.random_frames import random_frame
from support.restoring_on_device import StateOnDevice
from support.tolerance import Tolerance, assert_planes_close

from tapetum.realtime.cpu.fixed_point import FIXED_BITS, TABLE_SIZE, frame_samples, halve
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.noise_level import NoiseLevel
from tapetum.realtime.cpu.restored_plane import still_tolerance_factors, tolerance_factors
from tapetum.realtime.cpu.restoring import curve_slope
from tapetum.realtime.cpu.restoring_light import new_light, relight, relight_cells
from tapetum.realtime.cpu.restoring_space import WHOLE
from tapetum.realtime.cpu.restoring_time import ONE_FRAME, binomial_lean, wide_lean
from tapetum.realtime.cpu.still_noise import StillNoise
from tapetum.realtime.cpu.wide_changes import WIDE
from tapetum.realtime.cuda import restoring_kernels
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.restoring_kernels import FRAME_NOISE, LIGHT, PLAN, RESTORING
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.sample_range import sample_range

Array = npt.NDArray[Any]

FORMATS = ["nv12", "p010le"]
TOLD = 0.8
"""How far texture is told from noise."""
RANGES = [1, 2]
SIZES = [(96, 64), (133, 75), (2, 2), (1, 1), (7, 5), (66, 34)]
"""Columns and rows: of whole blocks, odd, and smaller than anything."""
ONE_UNIT = 1
"""Fixed-point, of which an 8-bit level has 128: quotients and roots of a GPU are not exact."""


def dark_frame(name: str, width: int, height: int, *, seed: int = 0, range_: int = 1) -> Frame:
    """A soft slope with noise."""
    rng = np.random.default_rng(seed)
    base = random_frame(name, width, height, color=ColorInfo(1, range_))
    layout = base.format
    unit = 1 << (layout.depth - 8)
    luma = np.linspace(30, 80, width) * unit + rng.normal(0, 3 * unit, (height, width))
    chroma = 128 * unit + rng.normal(0, 2 * unit, base.planes[1].shape)
    planes: Any = tuple(
        (np.rint(plane) * (1 << layout.shift)).astype(base.planes[0].dtype)
        for plane in (luma, chroma)
    )
    return base.with_planes(planes)


def level_of(frame: Frame) -> int:
    """An 8-bit level in a frame's words."""
    return 1 << (frame.format.depth - 8 + frame.format.shift)


def fixed_planes(frame: Frame) -> list[Array]:
    """Y, U and V as they are."""
    shapes = [frame.planes[0].shape, *[(-(-frame.height // 2), -(-frame.width // 2))] * 2]
    planes = [np.empty(shape, np.int16) for shape in shapes]
    for source, plane in zip(frame_samples(frame), planes, strict=True):
        halve(source, 0, 0, plane)
    return planes


def fill_known(there: StateOnDevice, planes: list[Array]) -> None:
    """Make planes what is known of the stream."""
    luma, u, v = planes
    width = there.buffers.arrays["luma"].shape[1]
    there.fill("luma", np.pad(luma, ((0, 0), (0, width - luma.shape[1])), "edge"))
    there.fill("known", np.rint(exact.halved(luma.astype(float))))
    there.fill("u", u)
    there.fill("v", v)


def test_structures_are_those_of_the_kernels(host: HostDevice) -> None:
    sizes = (ctypes.c_int * 4)()
    host.library.library("420").restoring_bytes(sizes)
    assert list(sizes) == [kind.itemsize for kind in (RESTORING, FRAME_NOISE, PLAN, LIGHT)]
    ours = restoring_kernels.FIXED_BITS, restoring_kernels.TABLE_SIZE, restoring_kernels.WIDE
    assert ours == (FIXED_BITS, TABLE_SIZE, WIDE)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_luma_is_halved(device: ComputeDevice, name: str, size: tuple[int, int]) -> None:
    frame = dark_frame(name, *size)
    there = StateOnDevice(device, frame)
    there.state["restarts"] = 1
    device.kernels.restoring.follow_light(on_device(device, frame), there.step)
    expected = exact.halved(fixed_planes(frame)[0].astype(float))
    np.testing.assert_allclose(there.read("half"), expected, atol=0.5)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("gain", [1.3, 0.7])
def test_what_is_known_is_brought_into_new_light(
    device: ComputeDevice, name: str, gain: float
) -> None:
    before = dark_frame(name, 322, 238)
    planes, black = fixed_planes(before), float(16 << 7)
    there = StateOnDevice(device, before)
    fill_known(there, planes)
    luma, u, v = (plane.copy() for plane in planes)
    known = there.read("known")
    dtype = before.planes[0].dtype
    lit_exactly = exact.relit(np.asarray(before.planes[0], float), 16 * level_of(before), gain)
    brighter: Any = np.rint(lit_exactly).astype(dtype), before.planes[1]
    frame = before.with_planes(brighter)
    device.kernels.restoring.follow_light(on_device(device, frame), there.step)

    half = np.empty_like(known)
    halve(frame_samples(frame)[0], 1, 1, half)
    light = new_light(half, known, black)
    assert light is not None
    lit, gains = np.empty_like(known), np.empty_like(known)
    relight_cells(known, light, lit, gains)
    relight(luma, known, lit, gains, 1, 1)
    grey = np.full_like(known, 1 << 14)
    for plane in (u, v):
        relight(plane, grey, grey, gains, 0, 0)
    np.testing.assert_allclose(there.read("known"), lit, atol=2 * ONE_UNIT)
    np.testing.assert_allclose(there.read("luma")[:, :322], luma, atol=4 * ONE_UNIT)
    np.testing.assert_allclose(there.read("u"), u, atol=2 * ONE_UNIT)
    np.testing.assert_allclose(there.read("v"), v, atol=2 * ONE_UNIT)
    apart = there.read("known") - exact.relit(known.astype(float), black, gain)
    assert np.abs(apart).mean() < 64  # half a level of 8 bits, in exact arithmetic


def test_what_moves_is_no_light(device: ComputeDevice) -> None:
    before, frame = dark_frame("nv12", 322, 238), dark_frame("nv12", 322, 238, seed=1)
    there = StateOnDevice(device, before)
    fill_known(there, fixed_planes(before))
    known, luma = there.read("known"), there.read("luma")
    device.kernels.restoring.follow_light(on_device(device, frame), there.step)
    assert (there.read("known") == known).all()
    assert (there.read("luma") == luma).all()


def noise_of(frame: Frame, deviation: float) -> NoiseLevel:
    """As if it were measured."""
    noise = NoiseLevel(sample_range(frame), frame.format.depth)
    noise.luma = (deviation * np.linspace(0.6, 1.4, 256)).astype(np.float32)
    noise.chroma = np.array([deviation, 1.2 * deviation], np.float32)
    noise.seen = np.full(256, 1 / 256)
    noise.fineness, noise.blocked, noise.coded, noise.sure = 1.7, 0.1, 0.5, True
    return noise


def tell(there: StateOnDevice, noise: NoiseLevel, amount: float | None) -> None:
    """Tell the kernels what is known of the noise, and how much is wanted: None for `auto`."""
    there.noise["luma"], there.noise["seen"] = noise.luma, noise.seen
    there.noise["floor"], there.noise["blocked"] = noise.floor, noise.blocked
    there.noise["coded"] = noise.coded
    there.noise["smoothness"], there.noise["sure"] = 1 - noise.whiteness, noise.sure
    there.noise["careful"], there.noise["amount"] = amount is None, amount or 0
    there.state["mean_lean"] = binomial_lean(noise.whiteness)
    there.state["wide_lean"] = wide_lean(noise.whiteness)
    there.state["told"] = TOLD
    there.state["chroma_noise"] = noise.chroma
    there.state["factors"] = tolerance_factors(noise)


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("amount", [None, 0.5])
@pytest.mark.parametrize("deviation", [60.0, 200.0])
def test_the_plan_is_that_of_the_cpu(
    device: ComputeDevice, name: str, range_: int, amount: float | None, deviation: float
) -> None:
    frame, grid = dark_frame(name, 64, 48, range_=range_), brightening()
    there, noise = StateOnDevice(device, frame), noise_of(frame, deviation)
    tell(there, noise, amount)
    device.kernels.restoring.plan(device.put(grid), there.step)
    slope = curve_slope(frame, grid)
    share = noise.share(slope, careful=amount is None)
    wanted = np.clip((slope - 1.05) / 0.3, 0, 1) if amount is None else amount
    plan = there.made_plan()
    assert plan["learns"]
    weights = np.asarray(wanted) * share * WHOLE
    np.testing.assert_allclose(plan["cells"] & 0xFFFF, weights, atol=0.01 * WHOLE)
    counts = noise.deviation(slope)
    np.testing.assert_allclose(plan["cells"] >> 16, counts * share, atol=0.01 * deviation + 1)
    np.testing.assert_allclose(plan["quiet"], 1 / counts, rtol=1e-3)
    np.testing.assert_array_equal(plan["measured"], noise.luma)


def test_nothing_is_done_where_nothing_is_seen_but_what_is_known_is_kept_up_for_a_while(
    device: ComputeDevice,
) -> None:
    frame = dark_frame("nv12", 64, 48)
    there = StateOnDevice(device, frame)
    noise, grid = noise_of(frame, 200), device.put(brightening())

    def learns(*, unsure: bool = False, restarts: bool = False) -> tuple[bool, bool]:
        noise.sure = not unsure
        tell(there, noise, None)
        there.state["restarts"] = restarts
        device.kernels.restoring.plan(grid, there.step)
        plan = there.made_plan()
        return bool(plan["learns"]), bool(plan["restarts"])

    assert learns(unsure=True, restarts=True)[0] is False
    assert learns() == (True, True)
    assert learns() == (True, False)
    assert [learns(unsure=True) for _ in range(30)] == [(True, False)] * 30
    assert learns(unsure=True)[0] is False
    assert learns() == (True, True)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_it_is_learnt_by_what_moves(
    device: ComputeDevice, name: str, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(1)
    before, frame = dark_frame(name, *size), dark_frame(name, *size, seed=2)
    upper: Any = frame.planes[0][: size[1] // 2]
    upper += upper.dtype.type(7 * level_of(frame))  # it moves
    there = StateOnDevice(device, frame)
    fill_known(there, fixed_planes(before))
    noise = noise_of(frame, 380)
    tell(there, noise, 1.0)
    deviation = np.maximum(noise.luma, 300)  # of single levels, at the least
    there.plan["quiet"], there.plan["measured"] = 1 / deviation, noise.luma
    there.plan["cells"] = np.arange(100, 356) << 16
    there.put_plan()
    planes = fixed_planes(frame)
    half = np.rint(exact.halved(planes[0].astype(float))).astype(np.int16)
    there.fill("half", half)
    there.fill("last", half + np.int16(1))  # all of the picture was sent anew
    evidence = rng.integers(ONE_FRAME, 16 * ONE_FRAME, half.shape).astype(np.uint8)
    there.fill("evidence", evidence)
    known = [there.read(plane).astype(float) for plane in ("known", "u", "v")]
    luma = there.read("luma")[:, : size[0]].astype(float)
    device.kernels.restoring.learn(on_device(device, frame), there.step)

    change = np.array([half, *planes[1:]]) - np.array(known)
    frames, leans = evidence / ONE_FRAME, (binomial_lean(0.7), wide_lean(0.7))
    of_cells = deviation[half >> 7], noise.luma[half >> 7]
    wide = exact.wide_changes(half, known[0], *of_cells, leans[1], TOLD)
    moved = exact.motion(change, wide, of_cells[0], noise.chroma, frames, leans)
    after = exact.evidence_after(moved, frames)
    np.testing.assert_allclose(there.read("evidence") / ONE_FRAME, after, atol=0.51 / ONE_FRAME)
    share = 1 / after
    for plane, (new, old) in {
        "new_u": (planes[1], known[1]),
        "new_v": (planes[2], known[2]),
    }.items():
        np.testing.assert_allclose(there.read(plane), old + (new - old) * share, atol=2)
    spread = share.repeat(2, 0).repeat(2, 1)[: size[1], : size[0]]
    expected = luma + (planes[0] - luma) * spread
    found = there.read("luma")[:, : size[0]]
    np.testing.assert_allclose(found, expected, atol=2)
    made = there.read("new_known")
    np.testing.assert_allclose(made, exact.halved(found.astype(float)), atol=0.5)
    remains = exact.remaining(there.read("evidence") / ONE_FRAME)
    np.testing.assert_allclose(there.read("remains"), 256 * remains, atol=1)
    flat = exact.spread(exact.flatness(half, known[0], *of_cells, TOLD), half.shape)
    smoothed = (100 + (made >> 7)) * flat
    np.testing.assert_allclose(there.read("deviation"), smoothed * remains, atol=1)


def test_what_a_codec_skipped_says_nothing_new(device: ComputeDevice) -> None:
    frame = dark_frame("nv12", 64, 48)
    planes = fixed_planes(frame)
    there = StateOnDevice(device, frame)
    fill_known(there, planes)
    noise = noise_of(frame, 300)
    tell(there, noise, 1.0)
    there.plan["quiet"] = 1 / noise.luma
    there.put_plan()
    half = there.read("known")
    there.fill("half", half)
    there.fill("last", half)
    there.fill("evidence", np.full(half.shape, 5 * ONE_FRAME))
    device.kernels.restoring.learn(on_device(device, frame), there.step)
    assert (there.read("evidence") == 5 * ONE_FRAME).all()
    assert (there.read("luma") == planes[0]).all()


@pytest.mark.parametrize("name", FORMATS)
def test_a_new_scene_is_taken_as_it_is(device: ComputeDevice, name: str) -> None:
    frame = dark_frame(name, 67, 45)
    there = StateOnDevice(device, frame)
    there.plan["restarts"] = 1
    there.put_plan()
    device.kernels.restoring.learn(on_device(device, frame), there.step)
    for plane, found in zip(fixed_planes(frame), ("luma", "new_u", "new_v"), strict=True):
        assert (there.read(found)[:, : plane.shape[1]] == plane).all()
    assert (there.read("evidence") == ONE_FRAME).all()


def smoothed_exactly(estimate: Array, sizes: int, tolerances: list[Array], top: int) -> Array:
    """A plane smoothed from coarse to fine, in float64."""
    pyramid = [estimate.astype(float)]
    for _ in range(sizes - 1):
        pyramid.append(np.floor(exact.halved(pyramid[-1]) + 0.5))
    change: Array | None = None
    for plane, tolerance in zip(pyramid[::-1], tolerances[::-1], strict=True):
        lifted = plane if change is None else plane + exact.enlarged(change, plane.shape)
        change = exact.smoothed(lifted.clip(0, top), tolerance) - plane
    assert change is not None
    return pyramid[0] + change


@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_what_time_left_is_smoothed_from_coarse_to_fine(
    device: ComputeDevice, name: str, size: tuple[int, int], still: bool
) -> None:
    rng = np.random.default_rng(3)
    frame, past = dark_frame(name, *size), fixed_planes(dark_frame(name, *size, seed=4))
    there = StateOnDevice(device, frame)
    fill_known(there, past)
    half = there.read("known")
    for new, old in (("new_known", "known"), ("new_u", "u"), ("new_v", "v")):
        there.fill(new, there.read(old))
    evidence = rng.integers(ONE_FRAME, 16 * ONE_FRAME, half.shape)
    remains = exact.remaining(evidence / ONE_FRAME)
    deviations, weights = rng.integers(0, 400, 256), rng.integers(0, WHOLE + 1, 256)
    there.plan["cells"] = deviations << 16 | weights
    there.put_plan()
    there.fill("remains", remains * 256)
    there.fill("deviation", np.rint(remains * deviations[half >> 7]))
    noise = noise_of(frame, 300)
    by_size = StillNoise(noise.luma, rng.uniform(0.2, 1, (3, 3)), noise.seen)
    factors = still_tolerance_factors(by_size) if still else tolerance_factors(noise)
    there.state["factors"], there.state["still"] = factors, still
    device.kernels.restoring.smooth(on_device(device, frame), there.step)

    depth = frame.format.depth
    top, drop = ((1 << depth) - 1) << (15 - depth), 15 - max(depth, 10)
    deviation, weight = remains * deviations[half >> 7], weights[half >> 7] / WHOLE
    restored = there.read("restored_luma"), there.read("restored_chroma")
    found = [
        restored[0][:, : size[0]],
        *(restored[1][:, first : 2 * half.shape[1] : 2] for first in (0, 1)),
    ]
    for plane, (own, estimate) in enumerate(zip(fixed_planes(frame), past, strict=True)):
        by_cell = deviation if plane == 0 or still else remains * 256
        doubled = by_cell.repeat(2, 0).repeat(2, 1)[: size[1], : size[0]]
        cells = [by_cell, by_cell[::2, ::2], by_cell[::4, ::4]]
        cells = [doubled, *cells] if plane == 0 else cells
        tolerances = [
            np.minimum(factor * of, 1300)
            for factor, of in zip(factors[plane][plane > 0 :], cells, strict=True)
        ]
        smooth = smoothed_exactly(estimate, len(cells), tolerances, top)
        share = weight
        if plane == 0:
            share = weight.repeat(2, 0).repeat(2, 1)[: size[1], : size[0]]
        expected = (own + share * (smooth - own)) / (1 << drop)
        difference = np.abs(found[plane] - expected)
        # Tolerances are whole units on the way, and double: an edge may flow a little more.
        assert difference.max() <= 1.5
        assert difference.mean() <= 0.35


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("name", FORMATS)
def test_a_grid_reads_what_was_restored_with_its_fractions(
    device: ComputeDevice, name: str, range_: int, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(5)
    frame, grid = dark_frame(name, *size, range_=range_), random_grid()
    there = StateOnDevice(device, frame)
    across, most = -(-size[0] // 2), 1021 if name == "nv12" else 1024
    luma = there.read("restored_luma")
    luma[:, : size[0]] = rng.integers(0, most, (size[1], size[0]))
    chroma = there.read("restored_chroma")
    chroma[:, : 2 * across] = rng.integers(0, most, (chroma.shape[0], 2 * across))
    there.fill("restored_luma", luma)
    there.fill("restored_chroma", chroma)
    out = poisoned_planes(device, frame, 7)
    given = on_device(device, frame), device.put(grid), out, there.step
    device.kernels.restoring.apply_grid(*given)
    planes: Any = (
        np.ascontiguousarray(luma[:, : size[0]]),
        *(np.ascontiguousarray(chroma[:, first : 2 * across : 2]) for first in (0, 1)),
    )
    seen = Frame(planes, "yuv420p10le", color=frame.color)
    near = Tolerance(1, 0.15 if min(size) > 8 else 1)
    wanted = apply_grid(frame, grid, seen=seen)
    found = [device.get(plane) for plane in out]
    assert_planes_close(found, wanted, near, shift=frame.format.shift)

    there.plan["learns"] = 0
    there.put_plan()
    device.kernels.restoring.apply_grid(given[0], given[1], out, there.step)
    found = [device.get(plane) for plane in out]
    assert_planes_close(found, apply_grid(frame, grid), near, shift=frame.format.shift)
