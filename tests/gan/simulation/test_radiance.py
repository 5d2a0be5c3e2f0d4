"""Views of panoramas, and photos' light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from tapetum.gan.errors import DataError
from tapetum.gan.simulation.clips import Motion, moving_views
from tapetum.gan.simulation.good_camera import srgb
from tapetum.gan.simulation.radiance import View, linear_photo, look, read_panorama


def panorama_of_headings() -> np.ndarray:
    """Red is the heading and green the elevation, both as a share of the panorama."""
    rows, columns = 180, 360
    pixels = np.zeros((rows, columns, 3), np.float32)
    pixels[..., 0] = (np.arange(columns) + 0.5) / columns
    pixels[..., 1] = (np.arange(rows)[:, None] + 0.5) / rows
    return pixels


@pytest.mark.parametrize("heading", [-120.0, 0.0, 45.0, 90.0, 150.0])
@pytest.mark.parametrize("elevation", [-30.0, 0.0, 20.0])
def test_the_middle_of_a_view_is_where_the_camera_looks(heading: float, elevation: float) -> None:
    seen = look(panorama_of_headings(), View(heading, elevation), 65, 49)[24, 32]
    assert seen[0] * 360 - 180 == pytest.approx(heading, abs=0.6)
    assert 90 - seen[1] * 180 == pytest.approx(elevation, abs=0.6)


def test_a_view_is_as_wide_as_its_field() -> None:
    seen = look(panorama_of_headings(), View(0, field_degrees=60), 600, 200)[100, :, 0] * 360 - 180
    assert seen[-1] - seen[0] == pytest.approx(60, abs=0.5)
    assert np.all(np.diff(seen) > 0)  # right is right


def test_a_panorama_has_no_seam_behind_the_camera() -> None:
    pixels = np.zeros((64, 128, 3), np.float32)
    angle = np.arange(128) / 128 * 2 * np.pi
    pixels[..., :] = (2 + np.sin(angle))[None, :, None]
    seen = look(pixels, View(180), 200, 50)[25, :, 0]
    assert np.abs(np.diff(seen)).max() < 0.03


def test_rolling_the_camera_turns_the_picture() -> None:
    upright = look(panorama_of_headings(), View(0), 101, 101)
    turned = look(panorama_of_headings(), View(0, roll_degrees=90), 101, 101)
    # Turned clockwise, the camera has the scene's top at its left.
    np.testing.assert_allclose(turned, np.rot90(upright), atol=0.01)


def test_the_energy_of_an_even_sky_is_kept() -> None:
    sky = np.full((64, 128, 3), 0.37, np.float32)
    np.testing.assert_allclose(look(sky, View(33, 12, 5, 80), 90, 60), 0.37, rtol=1e-5)


def test_linear_light_comes_back_as_the_photo_below_the_highlights() -> None:
    photo = np.arange(225, dtype=np.uint8).repeat(3).reshape(15, 15, 3)
    again = np.rint(srgb(linear_photo(photo)) * 255)
    np.testing.assert_array_equal(again, photo)


def test_white_is_brighter_than_its_number() -> None:
    white = np.full((2, 2, 3), 255, np.uint8)
    np.testing.assert_allclose(linear_photo(white), 4.0, rtol=1e-5)


def test_an_exr_panorama_is_read_without_what_no_light_can_be(tmp_path: Path) -> None:
    pixels = np.full((4, 8, 3), 0.5, np.float16)
    pixels[0, 0], pixels[1, 1] = np.nan, -1
    header = {"compression": OpenEXR.DWAB_COMPRESSION, "type": OpenEXR.scanlineimage}
    path = tmp_path / "scene.exr"
    OpenEXR.File(header, {"RGB": pixels}).write(str(path))
    read = read_panorama(path)
    assert read.dtype == np.float32
    assert np.isfinite(read).all()
    assert read.min() >= 0
    assert read[3, 3] == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_is_no_panorama_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.exr"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.exr is not a readable OpenEXR file"):
        read_panorama(path)


def test_a_square_picture_is_no_panorama(tmp_path: Path) -> None:
    path = tmp_path / "square.exr"
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": np.ones((4, 4, 3), np.float16)}).write(str(path))
    with pytest.raises(DataError, match="twice as wide"):
        read_panorama(path)


def test_a_pan_turns_at_its_speed_and_a_hand_sways_as_much_as_is_said() -> None:
    rng = np.random.default_rng(1)
    panned = list(moving_views(View(10), Motion(12), frames=31, fps=30, rng=rng))
    assert panned[0].heading_degrees == 10
    assert panned[30].heading_degrees == pytest.approx(22)
    swaying = moving_views(View(0), Motion(0, 0.5), frames=6000, fps=30, rng=rng)
    headings = np.array([view.heading_degrees for view in swaying])
    assert headings.std() == pytest.approx(0.5, rel=0.15)
    assert np.diff(headings).std() < 0.25 * headings.std() * 2  # it drifts, it does not jump
