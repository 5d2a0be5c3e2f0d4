"""The restoring stage as a whole: what it takes out, and what it leaves alone."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from support.grids import brightening
from support.random_frames import on_another_device, random_frame
from support.tolerance import CPU, assert_planes_close

from tapetum.realtime import make_enhancer
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.fixed_point import frame_samples, halve
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.noise_level import NoiseLevel
from tapetum.realtime.cpu.restoring import Restorer, curve_slope
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import PQ, ColorInfo, Frame
from tapetum.realtime.media.av_frame import from_av, to_av
from tapetum.realtime.sample_range import sample_range
from tapetum.realtime.segments.handover import memory_of, recall

Array = npt.NDArray[Any]

LIMITED = ColorInfo(matrix=6, range=1)
HEIGHT, WIDTH = 192, 320


def scene(shift: int = 0, level: float = 50) -> Array:
    """A dark picture of soft waves and one hard edge, as 8-bit luma levels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    waves = level + 12 * np.sin((x + shift) / 17) + 8 * np.sin(y / 11)
    picture: Array = waves + 25 * (((x + shift) % WIDTH) > WIDTH / 2)
    return picture


def noisy(clean: Array, seed: int, deviation: float = 3.0, pts: int | None = None) -> Frame:
    rng = np.random.default_rng(seed)
    half = HEIGHT // 2, WIDTH // 2
    planes = (
        clean + rng.normal(0, deviation, clean.shape),
        *(128 + rng.normal(0, deviation, half) for _ in range(2)),
    )
    eight = tuple(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes)
    return Frame(eight, "yuv420p", pts=pts, color=LIMITED)


def error(frame: Frame | None, clean: Array, where: tuple[slice, slice] = np.s_[:, :]) -> float:
    """Root mean square error of luma, in 8-bit levels."""
    assert frame is not None
    scale = 1 << (frame.format.depth - 8)
    return float(np.sqrt(np.mean((frame.planes[0] / scale - clean)[where] ** 2)))


def halved(frame: Frame) -> list[npt.NDArray[np.int16]]:
    """Y, U and V at half size."""
    planes = [np.empty((HEIGHT // 2, WIDTH // 2), np.int16) for _ in range(3)]
    for index, (source, plane) in enumerate(zip(frame_samples(frame), planes, strict=True)):
        halve(source, int(index == 0), int(index == 0), plane)
    return planes


def texture(shift: int) -> Array:
    """A clean picture that is full of texture, moved."""
    rough = np.random.default_rng(5).normal(0, 1, (HEIGHT + 7, WIDTH + 167))
    soft = sum(rough[y : y + HEIGHT, x : x + WIDTH + 160] for y in range(8) for x in range(8))
    picture: Array = 60 + 0.5 * np.asarray(soft)[:, shift : shift + WIDTH]
    return picture


def spread_noise(seed: int, deviation: float, times: int = 1) -> Array:
    """Noise as colour filters spread it, in a tent of 3x3 pixels; or wider, as a codec does."""
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH))
    for _ in range(times):
        for axis in (0, 1):
            beside = np.roll(noise, 1, axis) + np.roll(noise, -1, axis)
            noise = (2 * noise + beside) / 4
    spread: Array = noise * deviation / noise.std()
    return spread


def measured_in_moving_texture(
    pixels: int, *, deviation: float, contrast: Array | float = 1.0
) -> NoiseLevel:
    """The level after five frames, each moved on by so many pixels."""
    noise, last = NoiseLevel(sample_range(noisy(texture(0), 0, 0)), 8), None
    for step in range(5):
        frame = noisy(60 + contrast * (texture(pixels * step) - 60), step, deviation)
        half = halved(frame)
        noise.measure(frame_samples(frame)[0], half, last)
        last = half[0]
    return noise


@pytest.mark.parametrize("pixels", [3, 15, 40])
def test_texture_that_moves_is_no_noise(pixels: int) -> None:
    noise = measured_in_moving_texture(pixels, deviation=0)
    assert noise.share(np.full(256, 2.0), careful=True)[60] < 0.1


@pytest.mark.parametrize(("degrees", "scale"), [(2.0, 1.0), (0.0, 1.03)])
def test_texture_that_turns_or_grows_is_no_noise(degrees: float, scale: float) -> None:
    """Where it is finer than what following a block can find."""
    rough = np.random.default_rng(5).normal(0, 1, (HEIGHT, WIDTH))
    fine = (60 + 60 * cv2.GaussianBlur(rough, (0, 0), 1.6)).astype(np.float32)
    noise, last = NoiseLevel(sample_range(noisy(fine, 0, 0)), 8), None
    for step in range(5):
        turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees * step, 1.3 * scale**step)
        turned = cv2.warpAffine(fine, turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
        frame = noisy(turned, step, 0)
        half = halved(frame)
        noise.measure(frame_samples(frame)[0], half, last)
        last = half[0]
    assert noise.share(np.full(256, 2.0), careful=True)[60] < 0.1


def test_noise_of_texture_that_moves_is_measured() -> None:
    noise = measured_in_moving_texture(4, deviation=4)
    assert noise.luma[60] / 128 == pytest.approx(2.0, rel=0.3)


@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_noise_is_measured_where_there_is_less_texture(pixels: int) -> None:
    """Texture that moved by a whole cell adds nothing to noise, and was taken out of it."""
    rows = np.arange(HEIGHT)[:, np.newaxis]
    contrast = np.where(rows < HEIGHT // 2, 0.2, 1.5)
    noise = measured_in_moving_texture(pixels, deviation=1.2, contrast=contrast)
    assert noise.luma[60] / 128 == pytest.approx(0.6, rel=0.4)


def test_the_blocks_of_a_codec_are_told_from_a_whole_picture() -> None:
    soft = scene(0, 22) / 2 + 8
    blocks = np.rint(soft[4::8, 4::8]).repeat(8, 0).repeat(8, 1)
    for picture, blocked in ((soft, 0.0), (blocks, 1.0)):
        frame = noisy(picture, 1, 0)
        noise = NoiseLevel(sample_range(frame), 8)
        noise.measure(frame_samples(frame)[0], halved(frame), None)
        assert noise.blocked == pytest.approx(blocked, abs=0.05)


def single_levels(seed: int, level: float = 26) -> Frame:
    """A very dark picture, of which few samples are a level off, as a codec leaves noise."""
    rng, size = np.random.default_rng(seed), (HEIGHT, WIDTH)
    off = rng.choice((-1, 0, 1), size, p=(0.06, 0.88, 0.06))
    return noisy(np.full(size, level) + off, 0, 0, pts=seed)


@pytest.mark.parametrize("denoise", ["auto", 1.0])
def test_single_levels_that_come_and_go_are_noise_where_they_become_stark(denoise: Denoise) -> None:
    steep = identity_grid()
    steep[0] = 6
    restorer = Restorer(denoise)
    for seed in range(16):
        restored = restorer(single_levels(seed), steep)
    assert error(restored, np.full((HEIGHT, WIDTH), 26.0)) < 0.5 * 0.12**0.5


def test_single_levels_stay_where_nobody_sees_them() -> None:
    gentle = identity_grid()
    gentle[0] = 1.9
    restorer = Restorer("auto")
    assert [restorer(single_levels(seed), gentle) for seed in range(8)][-1] is None


def test_a_level_of_10_bits_is_not_stark_where_one_of_8_is() -> None:
    eight, ten = (NoiseLevel(sample_range(noisy(scene(), 0)), depth) for depth in (8, 10))
    slope = np.full(256, 5.0, np.float32)
    assert eight.share(slope, careful=False).min() == 1
    assert ten.share(slope, careful=False).max() == 0


def test_an_exposure_step_is_no_motion() -> None:
    restorer = Restorer(1.0)
    for step in range(12):
        level = 1.0 if step < 9 else 1.25
        followed = restorer(noisy(16 + (scene() - 16) * level, step), brightening())
    bright = 16 + (scene() - 16) * 1.25
    assert error(followed, bright) < 0.35 * 3


def test_a_clean_picture_is_left_alone() -> None:
    restorer = Restorer("auto")
    assert all(restorer(noisy(scene(step), step, 0), brightening()) is None for step in range(4))


def test_noise_is_measured_as_it_is() -> None:
    frame, past = noisy(scene(), 1, 4.0), noisy(scene(), 2, 4.0)
    noise = NoiseLevel(sample_range(frame), 8)
    noise.measure(frame_samples(frame)[0], halved(frame), halved(past)[0])
    assert noise.luma[50] / 128 == pytest.approx(2.0, rel=0.15)
    assert noise.chroma / 128 == pytest.approx(4.0, rel=0.2)
    assert noise.fineness == pytest.approx(2.0, rel=0.15)


@pytest.mark.parametrize(("times", "width"), [(0, 0.0), (1, 0.0), (5, 1.0)])
@pytest.mark.parametrize("pixels", [0, 3])
def test_how_wide_noise_is_is_measured_where_things_rest_and_where_they_move(
    times: int, width: float, pixels: int
) -> None:
    noise, last = NoiseLevel(sample_range(noisy(texture(0), 0, 0)), 8), None
    assert noise.width == 1
    for step in range(5):
        seen = texture(pixels * step) + spread_noise(step, 4.0, times)
        frame = noisy(seen, step, 0.3)
        half = halved(frame)
        noise.measure(frame_samples(frame)[0], half, last)
        last = half[0]
    assert noise.width == pytest.approx(width, abs=0.2 if pixels == 0 else 0.4)


def test_a_lamp_that_beats_with_the_lines_of_a_camera_is_no_noise() -> None:
    """Bands of light run down the picture: their change was taken for what a codec leaves."""
    noise, last = NoiseLevel(sample_range(noisy(texture(0), 0, 0)), 8), None
    rows = np.arange(HEIGHT)[:, np.newaxis]
    for step in range(8):
        lamp = 1 + 0.25 * np.sin(rows / 12 + 2 * step)
        frame = noisy((scene() - 16) * lamp + 16 + spread_noise(step, 4), step, 0.3)
        half = halved(frame)
        noise.measure(frame_samples(frame)[0], half, last)
        last = half[0]
    assert noise.width < 0.3
    assert noise.luma[60] / 128 == pytest.approx(3.0, rel=0.2)


def test_detail_that_moves_in_noise_is_not_smoothed_away() -> None:
    """Noise that colour filters spread was taken for a codec's, and detail with it."""
    restorer, errors = Restorer("auto"), list[float]()
    moving = np.s_[:, WIDTH * 5 // 8 :]
    for step in range(8):
        clean = texture(0) - 20
        clean[moving] = texture(3 * step)[moving] - 20
        frame = noisy(clean + spread_noise(step, 2.0), step, 0.3)
        restored = restorer(frame, brightening())
        # Of the first, whose colours have no noise, it is not sure.
        assert step == 0 or restored is not None
        if step >= 4:
            own, left = (error(made, clean, moving) for made in (frame, restored))
            errors.append((left / own) ** 2)
    assert np.mean(errors) < 0.9


def test_fine_texture_that_drifts_by_parts_of_a_pixel_stays() -> None:
    """Faint noise: each step was within it, and texture lagged behind and was smoothed."""
    restorer, y = Restorer("auto"), np.arange(HEIGHT)[:, np.newaxis]
    for step in range(14):
        x = np.arange(WIDTH) - 0.15 * step
        fine = 7 * np.sin(x * 1.3) * np.sin(y * 1.1)
        clean = 60 + fine * (x < WIDTH / 2)  # so that no camera is followed
        frame = noisy(clean, step, 1.2)
        restored = restorer(frame, brightening())
    left = np.s_[:, : WIDTH // 2 - 16]
    assert restored is not None
    own, made = (
        float(np.sqrt(np.mean((plane - clean)[left] ** 2)))
        for plane in (frame.planes[0], restored.planes[0] / 4)
    )
    assert made < 1.03 * own  # 0.3 dB
    assert error(restored, clean) < 0.8 * error(frame, clean)


def test_live_noise_that_stays_the_same_is_measured_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = list[int]()
    measure = NoiseLevel.measure
    sparing, thorough, clean = Restorer(1.0, sparing=True), Restorer(1.0), scene()
    frames = [noisy(clean, number, 2.0 if number < 40 else 4.0) for number in range(120)]
    by_all = [error(thorough(frame, brightening()), clean) for frame in frames]

    def counted(self: NoiseLevel, *planes: Any) -> None:
        measured[-1] += 1
        measure(self, *planes)

    monkeypatch.setattr(NoiseLevel, "measure", counted)
    errors = []
    for frame in frames:
        measured.append(0)
        errors.append(error(sparing(frame, brightening()), clean))
    assert sum(measured[:12]) == 12
    assert sum(measured[16:40]) <= 12
    assert sum(measured[40:48]) >= 4, "noise that grew is followed"
    assert errors[39] < 1.05 * by_all[39]
    assert errors[-1] < 1.05 * by_all[-1]


def test_what_rests_is_averaged_over_time() -> None:
    restorer, clean = Restorer(1.0), scene()
    errors = [error(restorer(noisy(clean, seed), brightening()), clean) for seed in range(16)]
    assert errors[0] < 0.6 * 3
    assert errors[-1] < 0.25 * 3


def test_chroma_that_a_codec_made_wide_is_no_motion() -> None:
    """Second differences see little of it, and all of the picture seemed to move by its colours."""
    restorer, bright, restored = Restorer("auto"), brightening(), None
    for step in range(12):
        frame = noisy(scene(), step, 4)
        y, *chroma = frame.planes
        shape = chroma[0].shape
        wide = (spread_noise(step + at, 2, 6)[: shape[0], : shape[1]] for at in (100, 200))
        u, v = (np.rint(128 + own).astype(np.uint8) for own in wide)
        restored = restorer(replace(frame, planes=(y, u, v)), bright)
    assert error(restored, scene()) < 1.3


def test_what_moves_leaves_no_trail() -> None:
    restorer, fresh = Restorer(1.0), Restorer(1.0)
    for step in range(10):
        moved = scene(6 * step)
        followed = restorer(noisy(moved, step), brightening())
    alone = fresh(noisy(moved, step), brightening())
    assert error(followed, moved) < 1.15 * error(alone, moved)


def test_a_cut_starts_anew() -> None:
    restorer, other = Restorer(1.0), scene(WIDTH // 2, 90)
    for seed in range(8):
        restorer(noisy(scene(), seed), brightening())
    after = restorer(noisy(other, 9), brightening())
    assert error(after, other) < 1.15 * error(Restorer(1.0)(noisy(other, 9), brightening()), other)


@pytest.mark.parametrize("frames_to_a_cut", [7, 99])
def test_a_clean_picture_that_rests_is_left_alone_from_cut_to_cut(frames_to_a_cut: int) -> None:
    """All blocks of the one differed from the other, and none after: that stayed noise."""
    restorer = Restorer("auto")
    for step in range(30):
        picture = np.rint(0.6 * texture(160 * (step // frames_to_a_cut % 2)) + 10)
        frame = noisy(picture, 0, 0)
        seen = restorer(frame, brightening())
        assert error(seen or frame, picture) < 0.1


def test_a_jump_in_time_and_a_new_size_forget_the_past() -> None:
    restorer = Restorer(1.0)
    first = restorer(noisy(scene(), 1, pts=0), brightening())
    assert first is not None
    luma = first.planes[0].copy()
    later = restorer(noisy(scene(), 1, pts=5000), brightening())
    assert later is not None
    assert (luma == later.planes[0]).all()
    other = random_frame("yuv420p", 300, 200)
    restored = restorer(other, brightening())
    assert restored is not None
    assert restored.planes[0].shape == (200, 300)


def test_a_repeated_frame_changes_nothing() -> None:
    restorer = Restorer(1.0)
    for seed in range(4):
        before = restorer(noisy(scene(), seed), brightening())
    assert before is not None
    before = replace(before, planes=tuple(plane.copy() for plane in before.planes))
    again = restorer(noisy(scene(), 3), brightening())
    assert again is not None
    assert np.abs(before.planes[0].astype(int) - again.planes[0]).mean() < 0.5


def test_a_picture_that_is_not_brightened_is_left_alone() -> None:
    assert Restorer("auto")(noisy(scene(), 1), identity_grid()) is None
    assert Restorer("off")(noisy(scene(), 1), brightening()) is None
    assert Restorer(0.0)(noisy(scene(), 1), brightening()) is None


def test_hdr_is_left_alone() -> None:
    frame = replace(random_frame("yuv420p10le", 32, 18), color=ColorInfo(9, 1, 9, PQ))
    assert Restorer(1.0)(frame, brightening()) is None


def test_auto_restores_what_is_brightened_alone() -> None:
    grid = identity_grid()
    grid[0] = 2.0
    frame = noisy(scene(), 1)
    assert curve_slope(frame, grid) == pytest.approx(2.0, abs=0.01)
    two = Restorer(1.0), Restorer("auto")
    for restorer in two:
        assert error(restorer(noisy(scene(), 2), grid), scene()) < 0.6 * 3
    all_of_it, auto = (restorer(frame, grid) for restorer in two)
    assert all_of_it is not None
    assert auto is not None
    assert error(auto, scene()) < 0.8 * 3


def test_noise_goes_where_the_curve_is_flat_for_a_few_levels() -> None:
    """It stayed in these alone, as spots with hard edges."""
    grid = brightening()
    grid[1, 1] -= 0.06  # dark levels become no brighter, one to the next
    flat = np.full((HEIGHT, WIDTH), 21.0)
    restorer = Restorer("auto")
    for seed in range(8):
        seen = restorer(noisy(flat, seed), grid)
    assert error(seen, flat) < 0.5 * 3


def after_h264(frames: list[Frame], bits_per_pixel: float) -> list[Frame]:
    file, rate = io.BytesIO(), 30
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = round(bits_per_pixel * WIDTH * HEIGHT * rate)
        for index, frame in enumerate(frames):
            picture = to_av(frame)
            picture.pts, picture.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as coded:
        pictures = enumerate(coded.decode(video=0))
        return [from_av(each, pts=at, time_base=Fraction(1, rate)) for at, each in pictures]


def test_noise_that_a_codec_left_is_taken_out() -> None:
    frames = after_h264([noisy(scene(), seed, 2.0) for seed in range(24)], 0.6)
    restorer = Restorer("auto")
    for frame in frames:
        seen = restorer(frame, brightening())
    assert error(seen, scene()) < 0.6 * error(frames[-1], scene())


@pytest.mark.parametrize(("bits", "most"), [(0.15, 0.64), (0.3, 0.55)])
@pytest.mark.parametrize("pixels", [0, 1])
def test_noise_that_a_codec_left_in_some_blocks_is_taken_out_of_all(
    pixels: int, bits: float, most: float
) -> None:
    """The calmest blocks of a coded picture tell of less noise than there is in it."""
    pictures = [0.4 * texture(pixels * step) + 10 for step in range(24)]
    frames = after_h264(
        [noisy(clean + spread_noise(at, 3), at, 0.3) for at, clean in enumerate(pictures)], bits
    )
    restorer, left = Restorer("auto"), list[float]()
    for frame, clean in zip(frames, pictures, strict=True):
        seen = restorer(frame, brightening())
        left.append(error(seen or frame, clean) / error(frame, clean))
    assert np.mean(left[8:]) < most


@pytest.mark.parametrize("shape", [(4, 4), (40, 2)], ids=["flakes", "streaks"])
@pytest.mark.parametrize("many", [20, 60])
def test_what_falls_through_a_clean_picture_is_no_noise(many: int, shape: tuple[int, int]) -> None:
    """It was all that differed in a picture that rests, and in most of its blocks alike."""
    rng = np.random.default_rng(1)
    tall, broad = shape
    rows, columns = rng.integers(0, HEIGHT, many), rng.integers(0, WIDTH - broad, many)
    speeds = rng.integers(1, 4, many) * tall // 4
    noise, last = NoiseLevel(sample_range(noisy(texture(0), 0, 0)), 8), None
    for step in range(16):
        picture = np.rint(texture(0))
        for row, column, speed in zip(rows, columns, speeds, strict=True):
            places = (row + speed * step + np.arange(tall)) % HEIGHT
            picture[places, column : column + broad] += 6
        frame = noisy(picture, 0, 0)
        half = halved(frame)
        noise.measure(frame_samples(frame)[0], half, last)
        last = half[0]
    assert noise.coded < 0.1
    assert (noise.luma < 1.3 * noise.floor)[noise.seen > 0].all()


def test_a_key_frame_is_restored_by_its_own_noise() -> None:
    """A codec lets it stay until the next: by the noise between, all of it seemed to move."""
    restorer, left = Restorer("auto"), list[float]()
    for step in range(33):
        pattern = spread_noise(step // 8, 3.0)
        frame = noisy(scene() + pattern, step, 0.8)
        seen = restorer(frame, brightening())
        if step and step % 8 == 0:
            left.append(error(seen, scene()) / error(frame, scene()))
    assert np.mean(left[1:]) < 0.75


def test_a_share_takes_out_a_share() -> None:
    frame = noisy(scene(), 1)
    whole, half = (Restorer(share)(frame, brightening()) for share in (1.0, 0.5))
    assert whole is not None
    assert half is not None
    between = (4 * frame.planes[0].astype(float) + whole.planes[0]) / 2
    np.testing.assert_allclose(half.planes[0], between, atol=1.6)


@pytest.mark.parametrize(
    "name", ["yuv420p", "yuvj420p", "nv12", "p010le", "yuv422p", "yuv444p12le", "yuv420p10le"]
)
@pytest.mark.parametrize("size", [(33, 21), (2, 2), (1, 1), (64, 36)])
def test_every_format_and_size_is_brightened_after(name: str, size: tuple[int, int]) -> None:
    frame, restorer = random_frame(name, *size), Restorer(1.0)
    for _ in range(2):
        seen = restorer(frame, brightening())
        planes = apply_grid(frame, brightening(), seen=seen)
        assert [plane.shape for plane in planes] == [plane.shape for plane in frame.planes]
        assert [plane.dtype for plane in planes] == [plane.dtype for plane in frame.planes]


@pytest.mark.parametrize("name", ["yuv420p", "yuvj420p", "nv12", "yuv444p"])
def test_more_bits_of_the_same_picture_are_brightened_alike(name: str) -> None:
    frame, grid = random_frame(name, 50, 31), brightening()
    planes = frame.planes
    if frame.format.semi_planar:
        planes = planes[0], planes[1][:, 0::2], planes[1][:, 1::2]
    infix = "444" if not frame.format.chroma_x else "420"
    color = replace(frame.color, range=2 if frame.full_range else 1)
    deep: Any = tuple(plane.astype(np.uint16) << 2 for plane in planes)
    seen = Frame(deep, f"yuv{infix}p10le", color=color)
    assert_planes_close(apply_grid(frame, grid, seen=seen), apply_grid(frame, grid), CPU)


def test_a_frame_elsewhere_is_refused() -> None:
    with pytest.raises(DeviceError, match="main memory"):
        Restorer(1.0)(on_another_device(random_frame("yuv420p", 16, 16)), identity_grid())


def test_what_is_remembered_of_noise_is_given_on_to_the_next_segment(gain_model: Path) -> None:
    """As a file's bytes, which hold numbers alone, no frames."""
    first, second = (make_enhancer(gain_model, denoise=1.0) for _ in range(2))
    frames = [noisy(scene(), seed, pts=seed) for seed in range(6)]
    for frame in frames[:-1]:
        first(frame)
    recall(second, memory_of(first))
    for found, wanted in zip(second(frames[-1]).planes, first(frames[-1]).planes, strict=True):
        np.testing.assert_array_equal(found, wanted)
