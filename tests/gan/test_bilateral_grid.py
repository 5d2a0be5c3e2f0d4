"""Slicing and applying a bilateral grid, against arithmetic done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tapetum.gan.bilateral_grid import (
    apply_grid,
    identity_grid,
    slice_grid,
    with_local_contrast,
    within_range,
    without_unseen,
)
from tapetum.gan.color import BT601, BT709, rgb_to_yuv, yuv_to_rgb


def _weights(coordinate: float, cells: int) -> dict[int, float]:
    """Linear interpolation between cell centres, clamped to the outermost ones."""
    place = min(max(coordinate * cells - 0.5, 0.0), cells - 1.0)
    below = min(int(place), cells - 2) if cells > 1 else 0
    share = place - below
    return {below: 1 - share, min(below + 1, cells - 1): share} if share else {below: 1.0}


def _sliced_by_hand(grid: np.ndarray, luma: float, row: float, column: float) -> np.ndarray:
    _, levels, rows, columns = grid.shape
    result = np.zeros(grid.shape[0])
    for k, a in _weights(np.sqrt(luma), levels).items():
        for i, b in _weights(row, rows).items():
            for j, c in _weights(column, columns).items():
                result += a * b * c * grid[:, k, i, j]
    return result


def test_slices_trilinearly_between_cell_centres() -> None:
    torch.manual_seed(0)
    grid = torch.randn(1, 8, 8, 16, 16, dtype=torch.float64)
    luma = torch.rand(1, 1, 37, 51, dtype=torch.float64)
    sliced = slice_grid(grid, luma)[0].numpy()
    for y, x in [(0, 0), (36, 50), (0, 50), (18, 25), (7, 44)]:
        expected = _sliced_by_hand(
            grid[0].numpy(), float(luma[0, 0, y, x]), (y + 0.5) / 37, (x + 0.5) / 51
        )
        np.testing.assert_allclose(sliced[:, y, x], expected, atol=1e-9)


def test_identity_grid_changes_nothing() -> None:
    luma, chroma = torch.rand(2, 1, 20, 30), torch.rand(2, 2, 20, 30) - 0.5
    grid = identity_grid().expand(2, -1, -1, -1, -1)
    enhanced_luma, enhanced_chroma = apply_grid(grid, luma, chroma)
    torch.testing.assert_close(enhanced_luma, luma)
    torch.testing.assert_close(enhanced_chroma, chroma)


def test_a_uniform_grid_is_one_affine_map() -> None:
    coefficients = torch.tensor([3.0, 0.1, 2.0, 0.5, -0.25, 1.5, 0.01, -0.02])
    grid = coefficients.view(1, 8, 1, 1, 1).expand(1, 8, 8, 16, 16)
    luma, chroma = torch.full((1, 1, 4, 4), 0.2), torch.tensor([0.1, -0.2]).view(1, 2, 1, 1)
    enhanced_luma, enhanced_chroma = apply_grid(grid, luma, chroma.expand(1, 2, 4, 4))
    torch.testing.assert_close(enhanced_luma, torch.full((1, 1, 4, 4), 0.7))
    u, v = 2.0 * 0.1 + 0.5 * -0.2 + 0.01, -0.25 * 0.1 + 1.5 * -0.2 - 0.02
    torch.testing.assert_close(enhanced_chroma[0, :, 0, 0], torch.tensor([u, v]))


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (1, 1)])
def test_half_size_chroma_looks_up_the_mean_of_the_luma_it_covers(size: tuple[int, int]) -> None:
    height, width = size
    torch.manual_seed(1)
    grid, luma = torch.rand(1, 8, 8, 16, 16), torch.rand(1, 1, height, width)
    chroma = torch.rand(1, 2, -(-height // 2), -(-width // 2)) - 0.5
    _, enhanced = apply_grid(grid, luma, chroma)
    assert enhanced.shape == chroma.shape
    covered = luma[0, 0, -1:, -1:] if height % 2 else luma[0, 0, -2:, -2:]
    y, x = chroma.shape[-2] - 1, chroma.shape[-1] - 1
    c = _sliced_by_hand(
        grid[0].double().numpy(),
        float(covered.mean()),
        (y + 0.5) / chroma.shape[-2],
        (x + 0.5) / chroma.shape[-1],
    )
    u, v = (float(value) for value in chroma[0, :, y, x])
    assert float(enhanced[0, 0, y, x]) == pytest.approx(c[2] * u + c[3] * v + c[6], abs=1e-5)
    assert float(enhanced[0, 1, y, x]) == pytest.approx(c[4] * u + c[5] * v + c[7], abs=1e-5)


def test_slicing_is_differentiable_in_grid_and_luma() -> None:
    torch.manual_seed(2)
    grid = torch.rand(1, 8, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    # Off the kinks at level centres, where a one-sided difference would disagree.
    luma = (torch.rand(1, 1, 3, 3, dtype=torch.float64) * 0.2 + 0.3).requires_grad_()
    chroma = (torch.rand(1, 2, 3, 3, dtype=torch.float64) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(apply_grid, (grid, luma, chroma))


@pytest.mark.parametrize("weights", [BT601, BT709])
def test_yuv_round_trip_is_exact_and_a_gain_on_rgb_is_the_same_on_yuv(
    weights: tuple[float, float],
) -> None:
    rgb = torch.rand(1, 3, 5, 5, dtype=torch.float64)
    luma, chroma = rgb_to_yuv(rgb, weights)
    torch.testing.assert_close(yuv_to_rgb(luma, chroma, weights), rgb)
    torch.testing.assert_close(yuv_to_rgb(3 * luma, 3 * chroma, weights), 3 * rgb)


def test_primaries_have_the_chroma_of_bt601() -> None:
    red = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).view(1, 3, 1, 1)
    luma, chroma = rgb_to_yuv(red, BT601)
    assert luma.item() == pytest.approx(0.299)
    assert chroma.flatten().tolist() == pytest.approx([-0.299 / 1.772, 0.5])


def test_local_contrast_is_a_power_of_the_ratio_to_the_cells_mean() -> None:
    grid = with_local_contrast(identity_grid(), torch.full((1, 3, 256, 256), 0.2))
    levels, floor = ((np.arange(8) + 0.5) / 8) ** 2, 20 / 255
    ratio = (levels + floor) / (0.2 + floor)
    by_hand = np.clip(ratio ** np.where(ratio > 1, 0.25 * (1 - levels), 0.25), 3 / 4, 4 / 3)
    assert 3 / 4 in by_hand
    # The gain and both diagonal entries of the chroma matrix are 1 in the identity.
    for coefficient in (0, 2, 5):
        np.testing.assert_allclose(grid[0, coefficient, :, 7, 7].numpy(), by_hand, rtol=1e-5)


def test_local_contrast_is_of_a_cells_own_surroundings() -> None:
    picture = torch.full((1, 3, 256, 256), 0.02)
    picture[..., 128:] = 0.8
    gain = with_local_contrast(identity_grid(), picture)[0, 0]
    assert gain[1:, :, :8].min() > 1
    assert gain[:7, :, 8:].max() < 1
    assert gain[1, 3, 12] == pytest.approx(3 / 4)


def test_an_even_picture_keeps_its_light() -> None:
    even = torch.full((1, 1, 64, 64), 0.25)
    grid = with_local_contrast(identity_grid(), even.expand(1, 3, -1, -1))
    luma, _ = apply_grid(grid, even, torch.zeros(1, 2, 32, 32))
    torch.testing.assert_close(luma, even, atol=0.01, rtol=0)


def thumbnail_of(luma: torch.Tensor) -> torch.Tensor:
    return luma.expand(1, 3, 256, 256)


def test_an_even_black_gets_no_gain_and_a_noisy_one_all_of_it() -> None:
    grid = 5 * identity_grid()
    even = without_unseen(grid, thumbnail_of(torch.full((256, 256), 3 / 255)))
    torch.testing.assert_close(even[:, :, 0], identity_grid()[:, :, 0])
    torch.testing.assert_close(even[:, :, 1], (grid + identity_grid())[:, :, 1] / 2)
    torch.testing.assert_close(even[:, :, 2:], grid[:, :, 2:])
    noise = torch.rand((256, 256), generator=torch.Generator().manual_seed(1)) / 255
    noisy = without_unseen(grid, thumbnail_of(2.5 / 255 + noise))
    torch.testing.assert_close(noisy, grid)


def test_black_blocks_of_a_codec_beside_a_lit_road_get_no_gain() -> None:
    blocks = (torch.arange(256) // 64 % 2 + 2) / 255  # 2 and 3 of 255
    picture = blocks.expand(256, 256).clone()
    picture[160:] += 0.2 * torch.rand((96, 256), generator=torch.Generator().manual_seed(1))
    gain = without_unseen(5 * identity_grid(), thumbnail_of(picture))[0, 0, 0]
    assert gain[:6].max() == 1
    assert gain[10:].min() > 4.5
    assert gain[11:].min() == 5


def test_no_cell_of_an_even_black_stands_out_for_the_little_detail_that_it_has() -> None:
    generator = torch.Generator().manual_seed(1)
    picture = torch.full((256, 256), 2 / 255)
    picture[112:128, 128:144] += torch.randint(0, 2, (16, 16), generator=generator) / 255
    gain = without_unseen(5 * identity_grid(), thumbnail_of(picture))[0, 0, 0]
    assert gain[7, 8] > 3
    steps = torch.cat([gain.diff(dim=0).abs().flatten(), gain.diff(dim=1).abs().flatten()])
    assert steps.max() < gain.max() / 3
    assert gain[0].max() == 1


def color_thumbnail(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, 256, 256)


def brightened(grid: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    return yuv_to_rgb(*apply_grid(grid, *rgb_to_yuv(picture)))


def test_an_orange_lamp_keeps_its_hue_where_it_would_clip() -> None:
    lamp = color_thumbnail(0.6, 0.3, 0.05)
    grid = 4 * identity_grid()
    assert brightened(grid, lamp).max() > 2
    made = brightened(within_range(grid, lamp), lamp)
    assert 0.85 < made.max() < 1.05
    torch.testing.assert_close(made / made.amax(1, keepdim=True), lamp / 0.6, atol=1e-3, rtol=0)


def test_what_stays_within_range_keeps_its_light() -> None:
    grid = 2 * identity_grid()
    grey = color_thumbnail(0.15, 0.14, 0.16)
    made = brightened(within_range(grid, grey), grey)
    torch.testing.assert_close(made, 2 * grey, atol=0.01, rtol=0)


def test_nothing_becomes_darker_than_it_was_to_stay_within_range() -> None:
    bright = color_thumbnail(1.0, 0.9, 0.2)
    made = brightened(within_range(identity_grid(), bright), bright)
    torch.testing.assert_close(made, bright, atol=1e-5, rtol=0)


def test_a_lamp_does_not_dim_the_other_side_of_the_picture() -> None:
    picture = color_thumbnail(0.2, 0.2, 0.2).clone()
    picture[..., :64] = torch.tensor((0.6, 0.2, 0.02)).view(3, 1, 1)
    gain = within_range(3 * identity_grid(), picture)[0, 0]
    assert gain[3, :, 12:].min() > 2.9
    assert gain[4, :, :2].max() < 2
