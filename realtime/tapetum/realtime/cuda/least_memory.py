"""The least that pictures take of a GPU's memory: known before one is made, so that a line says so.

What a runtime takes beside it is not known before a model is loaded.
"""

from __future__ import annotations

from tapetum.gan.model_kinds import Kind, padded_size
from tapetum.realtime.cuda.surface import surface_shape
from tapetum.realtime.cuda.transfer import device_format
from tapetum.realtime.pixel_format import pixel_format
from tapetum.realtime.prefetch import DEPTH

FRAMES_OF_VIDEO = 2 * DEPTH + 4
"""Of a file that are in a GPU's memory at once, at the least: those that wait before and after the
enhancer, and that it, the decoder and the encoder are at work on."""
FRAMES_OF_PICTURE = 2
"""Of a picture that is copied there and back: as it came, and as it becomes."""
_UNET_BYTES = 2 * (3 + 3 + 32)
"""A pixel, in half precision: what the U-Net reads and fills, and the features of its first level,
which its last one needs again."""


_RESTORING_BYTES = 11
"""A pixel of 4:2:0: what is known of a video whose noise is taken out."""


def least_bytes(
    kind: Kind,
    format_name: str,
    width: int,
    height: int,
    *,
    frames: int,
    restores: bool = False,
) -> int:
    """Bytes that frames and a model take of a GPU's memory, at the least.

    Args:
        kind: of the model; what `grid` takes is the same for every size, and little.
        format_name: of the frames, in main memory or the GPU's.
        width: in pixels.
        height: in pixels.
        frames: how many there are at once.
        restores: whether noise is taken out.
    """
    layout = pixel_format(device_format(format_name))
    rows, row = surface_shape(layout, width, height)
    of_frames = frames * rows * row * (1 if layout.depth == 8 else 2)
    if restores and (layout.chroma_x, layout.chroma_y) == (1, 1):
        of_frames += _RESTORING_BYTES * width * height
    if kind == "grid":
        return of_frames
    padded_height, padded_width = padded_size(height, width)
    return of_frames + _UNET_BYTES * padded_height * padded_width
