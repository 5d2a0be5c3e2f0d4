"""BatchNorm over several processes, in a group of one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import HashStore  # type: ignore[attr-defined]  # torch names it in no __all__

from tapetum.gan.processes import GlobalBatchNorm2d


@pytest.fixture
def group() -> Iterator[None]:
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("level", [0.0, 30.0, 300.0])
def test_a_nearly_constant_channel_is_normalised_as_by_torch(level: float) -> None:
    """In float32, E[x^2] - E[x]^2 of such a channel may be less than nothing."""
    torch.manual_seed(0)
    features = (level + 1e-3 * torch.rand(4, 8, 16, 16)).requires_grad_()
    ours, theirs = GlobalBatchNorm2d(8), nn.BatchNorm2d(8)
    found, wanted = ours(features), theirs(features)
    torch.testing.assert_close(found, wanted, atol=2e-2, rtol=0)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    assert torch.autograd.grad(found.square().sum(), features)[0].isfinite().all()


@pytest.mark.usefixtures("group")
def test_a_constant_channel_becomes_the_bias() -> None:
    normal = GlobalBatchNorm2d(2)
    for level in (0.1, 100.1, 12345.6):
        torch.testing.assert_close(
            normal(torch.full((2, 2, 31, 17), level)), torch.zeros(2, 2, 31, 17), atol=0.4, rtol=0
        )
