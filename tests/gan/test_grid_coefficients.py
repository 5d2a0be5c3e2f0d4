"""What bounds the grid network: colour follows light, and hue stays."""

from __future__ import annotations

import math

import torch

from tapetum.gan.bilateral_grid import apply_grid, level_luma
from tapetum.gan.grid import GridGenerator, thumbnail


def test_colour_grows_by_all_that_light_grows_and_turns_little() -> None:
    torch.manual_seed(1)
    generator = GridGenerator().eval()
    for parameter in generator.head.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    dark = 0.2 * torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        grid = generator.learned_grid(thumbnail(dark))
    levels = level_luma(grid)[3:].view(-1, 1, 1)
    growth = grid[0, 0, 3:] + grid[0, 1, 3:] / levels
    for diagonal in (2, 5):
        ratio = grid[0, diagonal, 3:] / growth.clamp(min=1e-6)
        assert ratio[growth > 0.1].min() > 0.45
        assert ratio[growth > 0.1].max() < 1.55
    turned = [
        torch.atan2(
            grid[0, 4, 3:] * u + grid[0, 5, 3:] * v, grid[0, 2, 3:] * u + grid[0, 3, 3:] * v
        )
        - math.atan2(v, u)
        for u, v in ((0.2, 0.0), (0.1, 0.1), (0.0, 0.2))
    ]
    turns = torch.stack(turned)[:, growth > 0.1]
    assert turns.abs().max() < math.radians(20)


def test_a_network_that_says_nothing_leaves_light_as_it_is() -> None:
    generator = GridGenerator().eval()
    for parameter in generator.head.parameters():
        torch.nn.init.zeros_(parameter)
    picture = torch.rand(1, 1, 64, 64), 0.1 * torch.rand(1, 2, 64, 64)
    with torch.no_grad():
        grid = generator.learned_grid(torch.rand(1, 3, 256, 256))
        luma, _ = apply_grid(grid, *picture)
    torch.testing.assert_close(luma, picture[0])
