"""What the GPU must do at least: bytes that a kernel moves, arithmetic of a network.

Held against the ceilings that were measured on the same card, as in a roofline (Williams,
Waterman, Patterson, 2009).
"""

from __future__ import annotations

from typing import Literal

KernelName = Literal["planes_to_rgb", "change_to_planes", "thumbnail", "apply_grid"]
NetworkKind = Literal["unet", "grid"]

_RGB_BYTES = 3 * 2
"""A pixel of a network's input, or of its output: three halves."""
_THUMBNAIL_BYTES = 3 * 256 * 256 * 4
_GRID_BYTES = 8 * 8 * 16 * 16 * 4
_STRIDE = 16


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
    }[kernel]


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
