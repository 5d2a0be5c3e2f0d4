"""The processes that train together, as torchrun starts them; one, where it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tapetum.gan.errors import TrainingError

_WITHOUT_BUFFERS = "forward_sync_buffers", "broadcast_buffers"
"""What newer and older torch call it; the newer warns of the other."""
_UNSYNCED: dict[str, Any] = dict.fromkeys(
    [name for name in _WITHOUT_BUFFERS if name in signature(DistributedDataParallel).parameters][
        :1
    ],
    False,
)


@dataclass(frozen=True)
class Processes:
    """This process's place among those that train together.

    Attributes:
        rank: number of this process over all machines; number 0 reports and writes.
        count: how many there are.
        local_rank: number of this process on its machine: its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0

    def batch_mean(self, scores: torch.Tensor) -> torch.Tensor:
        """Mean over the batches of all processes, with gradients to all of them."""
        mean = scores.mean()
        return mean if self.count == 1 else total(mean) / self.count

    def replicate(self, network: nn.Module) -> nn.Module:
        """The network with gradients that are averaged over all processes."""
        if self.count == 1:
            return network
        return DistributedDataParallel(network, **_UNSYNCED)

    def any_of(self, truth: bool, device: torch.device) -> bool:
        """Whether `truth` holds in any process."""
        if self.count == 1:
            return truth
        flag = torch.tensor(float(truth), device=device)
        dist.all_reduce(flag)
        return bool(flag.item())


class _Total(torch.autograd.Function):
    """A sum over all processes; each one's loss counts in the gradient of every summand."""

    @staticmethod
    def forward(_context: object, tensor: torch.Tensor) -> torch.Tensor:
        summed = tensor.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(_context: object, gradient: torch.Tensor) -> torch.Tensor:
        summed = gradient.clone()
        dist.all_reduce(summed)
        return summed


def total(tensor: torch.Tensor) -> torch.Tensor:
    """Sum over all processes, differentiable."""
    summed: torch.Tensor = _Total.apply(tensor)  # type: ignore[no-untyped-call]  # torch's
    return summed


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Meet the other processes that torchrun started, and part from them at the end.

    Raises:
        TrainingError: the processes cannot reach each other, or one of them, or one that reads
            photos, is lost later.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1:
        _meet(count, device)
    try:
        with _lost_processes_explained():
            yield _place(count)
    finally:
        if count > 1:
            dist.destroy_process_group()


def _meet(count: int, device: torch.device) -> None:
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"cannot join the {count} processes of this run: {error}") from error


def _place(count: int) -> Processes:
    if count == 1:
        return Processes()
    return Processes(dist.get_rank(), count, int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def _lost_processes_explained() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            lost, advice = "another process of this run is gone", "start again"
        elif "DataLoader worker" in str(error):
            lost = "a process that reads photos was killed, perhaps for want of memory"
            advice = "start again, perhaps with fewer --workers,"
        else:
            raise
        raise TrainingError(f"{lost}; {advice} to go on from the last checkpoint") from error


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the batches of all processes, on any device.

    torch's SyncBatchNorm does the same on GPUs alone. Weights and buffers are BatchNorm2d's.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Normalise (N, C, H, W); in evaluation mode as BatchNorm2d."""
        if not self.training:
            return super().forward(features)
        wide, shape = features.float(), (1, -1, 1, 1)
        mean = total(wide.mean((0, 2, 3))) / dist.get_world_size()
        # The mean goes first: of a nearly constant channel, E[x^2] - E[x]^2 is rounding alone, and
        # may be negative.
        centred = wide - mean.view(shape)
        variance = total(centred.square().mean((0, 2, 3))) / dist.get_world_size()
        self._remember(mean, variance, features.numel() // features.shape[1])
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        scaled = normal * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(features.dtype)

    @torch.no_grad()
    def _remember(self, mean: torch.Tensor, variance: torch.Tensor, places: int) -> None:
        number = places * dist.get_world_size()
        momentum = self.momentum if self.momentum is not None else 0.1
        if self.running_mean is None or self.running_var is None:
            return
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * number / (number - 1), momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def share_batch_statistics(network: nn.Module) -> None:
    """Make every BatchNorm2d of a network a `GlobalBatchNorm2d`, in place."""
    for layer in network.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = GlobalBatchNorm2d
