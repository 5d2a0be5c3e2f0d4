"""From a model to an enhancer, and NumPy images through it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.command_line import python
from support.tiny_networks import grid_network, pointwise_network

from tapetum.gan.grid import GridGenerator
from tapetum.realtime import (
    Enhancer,
    ModelError,
    SyntheticSource,
    make_enhancer,
)
from tapetum.realtime.choices import Device
from tapetum.realtime.cpu.rgb import RgbImage, frame_from_rgb, rgb_from_frame

GRAY = np.full((40, 60, 3), 30, np.uint8)


def test_every_rgb_colour_survives_the_way_through_yuv() -> None:
    levels = np.arange(0, 256, dtype=np.uint8)
    for red in range(0, 256, 5):
        image = np.empty((256, 256, 3), np.uint8)
        image[..., 0], image[..., 1], image[..., 2] = red, levels[:, None], levels
        np.testing.assert_array_equal(rgb_from_frame(frame_from_rgb(image)), image)


@settings(max_examples=20)
@given(
    image=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    reversed_rows=st.booleans(),
)
def test_any_size_and_layout_survives(image: RgbImage, reversed_rows: bool) -> None:
    shown = image[::-1] if reversed_rows else image
    np.testing.assert_array_equal(rgb_from_frame(frame_from_rgb(shown)), shown)


def test_strength_0_returns_the_image_bit_for_bit(gain_model: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    enhanced = Enhancer(gain_model, strength=0)(image)
    np.testing.assert_array_equal(enhanced, image)
    assert enhanced is not image


def test_a_gain_of_3_makes_gray_three_times_brighter(gain_model: Path) -> None:
    enhanced = Enhancer(gain_model)(GRAY)
    assert enhanced.dtype == np.uint8
    np.testing.assert_allclose(enhanced, 90, atol=1)


def test_strength_mixes_and_can_be_changed(gain_model: Path) -> None:
    enhancer = Enhancer(gain_model, strength=0.5)
    np.testing.assert_allclose(enhancer(GRAY), 60, atol=1)
    enhancer.strength = 1.0
    np.testing.assert_allclose(enhancer(GRAY), 90, atol=1)
    with pytest.raises(ValueError, match="got 3"):
        enhancer.strength = 3


def test_bgr_is_rgb_with_the_channels_reversed(gain_model: Path) -> None:
    image = np.random.default_rng(1).integers(0, 80, (32, 32, 3), np.uint8)
    enhancer = Enhancer(gain_model)
    from_rgb = enhancer(image)
    enhancer.reset()
    from_bgr = enhancer(np.ascontiguousarray(image[..., ::-1]), order="bgr")
    np.testing.assert_array_equal(from_bgr[..., ::-1], from_rgb)


def test_the_default_model_brightens_a_dark_picture() -> None:
    enhancer = Enhancer()
    assert enhancer.description.startswith("grid on CPU, OpenVINO")
    dark = np.random.default_rng(2).integers(5, 35, (90, 160, 3), np.uint8)
    assert enhancer(dark).mean() > 1.5 * dark.mean()


def test_a_frame_keeps_its_format_and_time(gain_model: Path) -> None:
    (frame,) = SyntheticSource(64, 36, frames=1, format_name="yuv420p10le")
    enhanced = Enhancer(gain_model).enhance_frame(frame)
    assert (enhanced.format_name, enhanced.pts) == (frame.format_name, frame.pts)
    assert enhanced.planes[0].mean() > frame.planes[0].mean()


@pytest.mark.parametrize("format_name", ["yuv420p", "nv12", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("change", ["all", "bars", "strength 0"])
def test_planes_that_are_given_get_the_picture(
    format_name: str, change: str, gain_model: Path
) -> None:
    """Where the kernels write to them and where they do not, as with bars."""
    (frame,) = SyntheticSource(200, 120, frames=1, format_name=format_name)
    if change == "bars":
        for plane, black in zip(frame.planes, (16, 128, 128), strict=False):
            rows = plane.shape[0] // 5
            plane[:rows] = plane[-rows:] = black << frame.format.shift + frame.format.depth - 8
    enhancer = Enhancer(gain_model, strength=0 if change == "strength 0" else 1, when_dark=False)
    wanted = enhancer.enhance_frame(frame)
    enhancer.reset()
    out = tuple(np.full_like(plane, 77) for plane in frame.planes)
    made = enhancer.enhance_frame(frame, out=out)
    assert all(one is other for one, other in zip(made.planes, out, strict=True))
    for one, other in zip(out, wanted.planes, strict=True):
        np.testing.assert_array_equal(one, other)


def test_planes_that_cannot_get_a_picture_are_refused(gain_model: Path) -> None:
    (frame,) = SyntheticSource(64, 36, frames=1)
    enhancer = Enhancer(gain_model)
    luma, *chroma = (np.empty_like(plane) for plane in frame.planes)
    for wrong in (
        (luma,),
        (luma[:-1], *chroma),
        (luma.astype(np.uint16), *chroma),
        (np.empty((72, 64), np.uint8)[::2], *chroma),
    ):
        with pytest.raises(ValueError, match=r"out is writable planes .* of \(36, 64\) uint8, "):
            enhancer.enhance_frame(frame, out=wrong)
    with pytest.raises(ValueError, match="the frame's own memory"):
        enhancer.enhance_frame(frame, out=(frame.planes[0], *chroma))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4,), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_refused(image: RgbImage, gain_model: Path) -> None:
    with pytest.raises(ValueError, match=r"an image is \(H, W\), .* uint8; got"):
        Enhancer(gain_model)(image)


def test_what_is_no_array_is_refused_in_words(gain_model: Path) -> None:
    with pytest.raises(TypeError, match=r"an image is a NumPy array; got list: np\.asarray"):
        Enhancer(gain_model)([[[0, 0, 0]]])  # type: ignore[arg-type]


PICTURE = np.random.default_rng(4).integers(0, 90, (48, 70, 4), np.uint8)


@pytest.fixture(params=["grid", "unet"])
def brightening(request: pytest.FixtureRequest, gain_model: Path, tmp_path: Path) -> Enhancer:
    """An enhancer of each kind, of which no picture comes back as it went in."""
    if request.param == "grid":
        return Enhancer(gain_model)
    path = tmp_path / "double.onnx"
    path.write_bytes(pointwise_network(2 * np.eye(3), np.ones(3)))
    return Enhancer(path)


def after_a_cut(enhancer: Enhancer, image: RgbImage, out: RgbImage | None = None) -> RgbImage:
    enhancer.reset()
    return enhancer(image, out=out)


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[::-1],
        lambda image: image[:, ::-1],
        lambda image: image[::2, 1:-3],
        lambda image: image[..., ::-1],
        lambda image: image.transpose(1, 0, 2),
        lambda image: np.broadcast_to(image[:1], image.shape),
    ],
    ids=["up", "left", "part", "channels", "turned", "broadcast"],
)
def test_any_view_is_what_its_copy_is(
    view: Callable[[RgbImage], RgbImage], brightening: Enhancer
) -> None:
    shown = view(PICTURE[..., :3])
    wanted = after_a_cut(brightening, shown.copy())
    np.testing.assert_array_equal(after_a_cut(brightening, shown), wanted)
    room = view(np.zeros((48, 70, 3), np.uint8))
    if room.flags.writeable:
        assert after_a_cut(brightening, shown, out=room) is room
        np.testing.assert_array_equal(room, wanted)


def test_the_output_may_be_the_image_or_overlap_it(brightening: Enhancer) -> None:
    wanted = after_a_cut(brightening, PICTURE)
    here = PICTURE.copy()
    assert after_a_cut(brightening, here, out=here) is here
    np.testing.assert_array_equal(here, wanted)
    shared = np.concatenate((PICTURE[:1], PICTURE))
    np.testing.assert_array_equal(after_a_cut(brightening, shared[1:], out=shared[:-1]), wanted)


def test_alpha_is_kept_and_does_not_matter(brightening: Enhancer) -> None:
    enhanced = after_a_cut(brightening, PICTURE)
    np.testing.assert_array_equal(enhanced[..., 3], PICTURE[..., 3])
    without = after_a_cut(brightening, PICTURE[..., :3])
    np.testing.assert_array_equal(enhanced[..., :3], without)


def test_a_grey_image_stays_grey(brightening: Enhancer) -> None:
    grey = PICTURE[..., 0]
    enhanced = after_a_cut(brightening, grey)
    assert enhanced.shape == grey.shape
    colored = after_a_cut(brightening, np.stack([grey] * 3, 2))
    np.testing.assert_allclose(enhanced, colored[..., 1], atol=1)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((48, 70, 3), np.uint8),
        np.zeros(PICTURE.shape, np.int16),
        np.broadcast_to(np.uint8(0), PICTURE.shape),
        [[0]],
    ],
)
def test_an_output_of_another_kind_is_refused(out: RgbImage, gain_model: Path) -> None:
    message = r"out is a writable \(48, 70, 4\) uint8 array; got"
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        Enhancer(gain_model)(PICTURE, out=out)
    assert ("read-only" in str(caught.value)) == (getattr(out, "base", None) is not None)


@pytest.mark.parametrize("time_s", ["1", np.nan, -np.inf])
def test_what_is_no_time_is_refused_and_forgotten(time_s: float, gain_model: Path) -> None:
    enhancer = Enhancer(gain_model)
    enhancer(GRAY, time_s=1)
    with pytest.raises(ValueError, match="time_s is a number of seconds, or None; got"):
        enhancer(GRAY, time_s=time_s)
    enhancer(GRAY, time_s=np.float64(1.5))


def test_numbers_that_are_none_are_refused(gain_model: Path) -> None:
    with pytest.raises(ValueError, match="strength is from 0 to 2; got '1'"):
        Enhancer(gain_model, strength="1")  # type: ignore[arg-type] # a user's mistake
    with pytest.raises(ValueError, match="denoise is auto, off, or from 0 to 1; got None"):
        Enhancer(gain_model, denoise=None)  # type: ignore[arg-type] # a user's mistake


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_has_the_settings_and_no_past(
    copied: Callable[[Enhancer], Enhancer], gain_model: Path
) -> None:
    enhancer = Enhancer(gain_model, 0.5, when_dark=False, denoise="off")
    wanted = enhancer(PICTURE)
    enhancer.strength = 1.5
    enhancer(PICTURE // 2)
    other = copied(enhancer)
    assert other.strength == 1.5
    other.strength = 0.5
    np.testing.assert_array_equal(other(PICTURE), wanted)


def test_threads_that_share_an_enhancer_get_their_own_pictures(gain_model: Path) -> None:
    rng, enhancer = np.random.default_rng(6), Enhancer(gain_model, when_dark=False)
    stripes = 40 * (np.arange(160) // 20 % 2)
    plain = [np.broadcast_to(16 + side, (160, 160)) for side in (stripes, stripes[:, None])]
    noise = rng.normal(0, 4, (2, 6, 160, 160, 3))

    def likeness(thread: int) -> float:
        own, other = (plane - plane.mean() for plane in (plain[thread], plain[1 - thread]))
        made = (
            enhancer((plain[thread][..., None] + one).astype(np.uint8)) for one in noise[thread]
        )
        pictures = [np.asarray(picture.mean(axis=2)) for picture in made]
        return max(float(abs((one * other).mean()) / (one * own).mean()) for one in pictures)

    with ThreadPoolExecutor(2) as threads:
        assert max(threads.map(likeness, range(2))) < 0.1


def test_an_unknown_order_is_refused(gain_model: Path) -> None:
    with pytest.raises(ValueError, match="'gbr'"):
        Enhancer(gain_model)(GRAY, order="gbr")  # type: ignore[arg-type] # a user's mistake


def test_an_rgb_network_is_run_as_a_unet(tmp_path: Path) -> None:
    path = tmp_path / "double.onnx"
    path.write_bytes(pointwise_network(2 * np.eye(3), np.ones(3)))  # in [-1, 1]: x + (x + 1)
    enhancer = Enhancer(path)
    assert enhancer.description.startswith("unet on CPU, OpenVINO")
    np.testing.assert_allclose(enhancer(GRAY), 60, atol=1)


def test_a_network_of_other_shapes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(grid_network(np.zeros((8, 4, 4, 4), np.float32)))
    with pytest.raises(ModelError, match=r"small\.onnx is neither a grid model .* nor a unet"):
        Enhancer(path)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("a letter")
    with pytest.raises(ModelError, match=r"text\.onnx is not an ONNX model") as caught:
        make_enhancer(path)
    assert "neither" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("gird", "unknown model gird.*did you mean grid"),
        ("resnet", "unknown model resnet: choose grid, unet or a file"),
        ("missing.onnx", r"model file missing\.onnx does not exist"),
    ],
)
def test_a_model_that_does_not_exist_is_refused(model: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make_enhancer(model)


@pytest.mark.slow
def test_a_checkpoint_is_converted_when_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "grid.pth"
    torch.save(GridGenerator().state_dict(), path)
    enhancer = make_enhancer(path)
    assert enhancer.description.startswith("grid on CPU")


def test_a_checkpoint_without_torch_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"")
    code = (
        "import sys; sys.modules['torch'] = sys.modules['onnx'] = None\n"
        "from tapetum.realtime import make_enhancer, ModelError\n"
        f"try: make_enhancer({str(tmp_path / 'weights.pth')!r})\n"
        "except ModelError as error: print(error)"
    )
    assert "pip install 'tapetum[train]'" in python(code)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_share_of_noise_is_for_models_behind_a_grid(tmp_path: Path, device: Device) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(pointwise_network(np.eye(3), np.zeros(3)))
    with pytest.raises(ModelError, match=r"denoise is for grid models, .*own\.onnx is neither"):
        make_enhancer(path, device=device, denoise=0.5)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ValueError, match="'tpu'"):
        make_enhancer(device="tpu")
