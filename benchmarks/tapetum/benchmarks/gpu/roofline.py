"""What a card can do at best, and what a kernel or a network must do at least.

The bytes that a kernel moves and the arithmetic of a network are held against a copy within the
GPU and a matrix product on the same card, as in a roofline (Williams, Waterman, Patterson, 2009).
"""

from __future__ import annotations

from statistics import median
from typing import Any, Literal

import torch

from tapetum.benchmarks.measure.clocks import Clock
from tapetum.benchmarks.measure.sampling import steady_samples

KernelName = Literal["planes_to_rgb", "change_to_planes", "thumbnail", "apply_grid", "restore"]
"""A kernel; `restore` is all of those of the restoring stage together."""
NetworkKind = Literal["unet", "grid"]

_RGB_BYTES = 3 * 2
"""A pixel of a network's input, or of its output: three halves."""
_THUMBNAIL_BYTES = 3 * 256 * 256 * 4
_GRID_BYTES = 8 * 8 * 16 * 16 * 4
_STRIDE = 16
PIXEL_INSTRUCTIONS: dict[KernelName, int] = {"apply_grid": 78, "restore": 800}
"""What a kernel executes for a pixel of 4:2:0, where that takes longer than its bytes: counted in
its code for compute capability 9.0, see `tests/realtime/cuda/test_kernel_costs.py`."""


def padded_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the picture that `unet` is given: multiples of 16."""
    return -(-width // _STRIDE) * _STRIDE, -(-height // _STRIDE) * _STRIDE


def plane_bytes(width: int, height: int, itemsize: int) -> int:
    """Bytes of the planes of an NV12 (1 byte a sample) or P010 (2) picture."""
    chroma = ((width + 1) // 2) * ((height + 1) // 2)
    return (width * height + 2 * chroma) * itemsize


def kernel_bytes(kernel: KernelName, width: int, height: int, itemsize: int) -> int:
    """Bytes that a kernel reads and writes at least: each once."""
    planes = plane_bytes(width, height, itemsize)
    padded_width, padded_height = padded_size(width, height)
    return {
        "planes_to_rgb": planes + padded_width * padded_height * _RGB_BYTES,
        "change_to_planes": 2 * planes + width * height * _RGB_BYTES,
        "thumbnail": planes + _THUMBNAIL_BYTES,
        "apply_grid": 2 * planes + _GRID_BYTES,
        "restore": restoring_bytes(width, height, itemsize),
    }[kernel]


def restoring_bytes(width: int, height: int, itemsize: int) -> int:
    """Bytes that the kernels of the restoring stage move where the light stays, each by itself.

    Counted for a cell of 2x2 pixels, in the order of the kernels.
    """
    luma, chroma = 4 * itemsize, 2 * itemsize
    quarter, eighth = 3 * 2 / 4, 3 * 2 / 16  # planes of Y, U and V, of 2 bytes a sample
    by_cell = (
        luma
        + 2  # the frame at half size
        + 2
        + 2  # blocks: of the frame and of what was known
        + 72 / 16  # seven means of each, written and read, and what comes of them
        + 3 * 2
        + luma
        + chroma
        + 4
        + 8
        + 1  # learn: halves, the frame, estimates, evidence
        + 1
        + 8
        + 2
        + 4
        + 2
        + 2  # written: evidence, luma, its half, chroma, noise that remains
        + 6
        + quarter
        + quarter
        + eighth  # smaller planes
        + 3 * eighth
        + 3 * quarter
        + eighth  # corrected: planes, tolerances, changes
        + 3 * 2
        + quarter / 3  # luma of half the size
        + 8
        + 2
        + 2
        + 2
        + luma
        + 8  # luma finished
        + 4
        + 2 * quarter / 3
        + 2
        + 2
        + chroma
        + 4  # chroma finished
    )
    return round(by_cell * ((width + 1) // 2) * ((height + 1) // 2))


def kernel_instructions(kernel: KernelName, width: int, height: int) -> int:
    """Instructions of single threads that a kernel executes; 0 where its bytes take longer."""
    return PIXEL_INSTRUCTIONS.get(kernel, 0) * width * height


def network_shape(kind: NetworkKind, width: int, height: int) -> tuple[int, int, int, int]:
    """The shape of a network's input for frames of a size."""
    if kind == "grid":
        return 1, 3, 256, 256
    padded_width, padded_height = padded_size(width, height)
    return 1, 3, padded_height, padded_width


def network_flops(kind: NetworkKind, width: int, height: int) -> int:
    """Floating-point operations of one run: two for each product that is added up."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from tapetum.gan.checkpoint import build_generator
    from tapetum.gan.grid import GridGenerator
    from tapetum.gan.unet import UNetGenerator

    with torch.device("meta"):  # shapes without numbers
        generator = build_generator(kind).eval()
        picture = torch.empty(network_shape(kind, width, height))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        if isinstance(generator, UNetGenerator):
            generator.enhance_padded(picture)
        elif isinstance(generator, GridGenerator):
            generator.predict(picture)
    return int(counter.get_total_flops())


def network_bytes(kind: NetworkKind, width: int, height: int, parameters: int) -> int:
    """Bytes of input, output and weights of one run in half precision, each moved once."""
    _, _, rows, columns = network_shape(kind, width, height)
    pixels = rows * columns
    output = pixels * _RGB_BYTES if kind == "unet" else _GRID_BYTES // 2
    return pixels * _RGB_BYTES + output + 2 * parameters


def floor_ms(flops: float, moved_bytes: float, ceilings: dict[str, float]) -> float:
    """The longer of the two: arithmetic at the matrix rate, or bytes at the copy's bandwidth.

    Args:
        flops: of one run.
        moved_bytes: by one run.
        ceilings: has `fp16_flops_per_s` and `copy_bytes_per_s`.
    """
    arithmetic_s = flops / ceilings["fp16_flops_per_s"]
    memory_s = moved_bytes / ceilings["copy_bytes_per_s"]
    return 1000 * max(arithmetic_s, memory_s)


COPIED_BYTES = 1 << 30
MATRIX = 8192
_SAMPLES = 20
_BATCH = 5


def measure_ceilings(
    device: torch.device, clock: Clock, *, copied_bytes: int = COPIED_BYTES, matrix: int = MATRIX
) -> dict[str, Any]:
    """Measure the bandwidth of a copy and the rates of matrix products.

    Args:
        device: where; PyTorch's current stream there is the clock's.
        clock: times the stream.
        copied_bytes: of the array that is copied: far more than any cache holds.
        matrix: rows and columns of the matrices.

    Returns:
        `copy_bytes_per_s` (read plus written), `fp16_flops_per_s`, `fp32_flops_per_s` (without
        TF32, so that half of it is the rate of instructions of single threads), and what was
        measured.
    """
    copy = _copy_ms(device, clock, copied_bytes)
    product = _product_ms(device, clock, matrix, torch.float16)
    single = _product_ms(device, clock, matrix // 2, torch.float32)
    return {
        "copied_bytes": copied_bytes,
        "copy_bytes_per_s": round(2 * copied_bytes / (copy / 1000)),
        "matrix": matrix,
        "fp16_flops_per_s": round(2 * matrix**3 / (product / 1000)),
        "fp32_flops_per_s": round(2 * (matrix // 2) ** 3 / (single / 1000)),
    }


def _copy_ms(device: torch.device, clock: Clock, size: int) -> float:
    source = torch.randint(0, 256, (size,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    batch = lambda: clock.calls_ms(lambda _: target.copy_(source), _BATCH)  # noqa: E731
    return median(steady_samples(batch, _SAMPLES)[0])


def _product_ms(device: torch.device, clock: Clock, size: int, dtype: torch.dtype) -> float:
    """Of random matrices: a GPU multiplies zeros faster, because it can raise its clocks."""
    left, right = (
        torch.randn(size, size, device=device).to(dtype).mul_(size**-0.5) for _ in range(2)
    )
    product = torch.empty_like(left)
    batch = lambda: clock.calls_ms(lambda _: torch.mm(left, right, out=product), _BATCH)  # noqa: E731
    return median(steady_samples(batch, _SAMPLES)[0])
