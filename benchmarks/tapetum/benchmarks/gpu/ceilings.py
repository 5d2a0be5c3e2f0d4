"""The two roofs that all else is held against: a copy within the GPU, and a matrix product."""

from __future__ import annotations

from statistics import median
from typing import Any

import torch

from tapetum.benchmarks.gpu.event_clock import Clock, steady_samples

COPIED_BYTES = 1 << 30
MATRIX = 8192
_SAMPLES = 20
_BATCH = 5


def measure_ceilings(
    device: torch.device, clock: Clock, *, copied_bytes: int = COPIED_BYTES, matrix: int = MATRIX
) -> dict[str, Any]:
    """Measure the bandwidth of a copy and the rate of a half-precision matrix product.

    Args:
        device: where; PyTorch's current stream there is the clock's.
        clock: times the stream.
        copied_bytes: of the array that is copied: far more than any cache holds.
        matrix: rows and columns of the matrices.

    Returns:
        `copy_bytes_per_s` (read plus written), `fp16_flops_per_s`, and what was measured.
    """
    copy = _copy_ms(device, clock, copied_bytes)
    product = _product_ms(device, clock, matrix)
    return {
        "copied_bytes": copied_bytes,
        "copy_bytes_per_s": round(2 * copied_bytes / (copy / 1000)),
        "matrix": matrix,
        "fp16_flops_per_s": round(2 * matrix**3 / (product / 1000)),
    }


def _copy_ms(device: torch.device, clock: Clock, size: int) -> float:
    source = torch.randint(0, 256, (size,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    batch = lambda: clock.calls_ms(lambda _: target.copy_(source), _BATCH)  # noqa: E731
    return median(steady_samples(batch, _SAMPLES).times_ms)


def _product_ms(device: torch.device, clock: Clock, size: int) -> float:
    """Of random matrices: a GPU multiplies zeros faster, because it can raise its clocks."""
    left, right = (
        torch.randn(size, size, device=device).to(torch.float16).mul_(size**-0.5) for _ in range(2)
    )
    product = torch.empty_like(left)
    batch = lambda: clock.calls_ms(lambda _: torch.mm(left, right, out=product), _BATCH)  # noqa: E731
    return median(steady_samples(batch, _SAMPLES).times_ms)
