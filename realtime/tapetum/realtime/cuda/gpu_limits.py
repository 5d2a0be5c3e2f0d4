"""What is left undone on a GPU, as lines for the user: for files, live video and pictures alike."""

from __future__ import annotations

from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise

ALWAYS = "unet makes every picture brighter on a GPU, well-lit ones too"
NOISE = "on a GPU noise stays in the picture; --device cpu takes it out"
BARS = "on a GPU black bars are made brighter too"
HDR = "HDR becomes too bright on a GPU, where it is enhanced as if it were SDR; use --device cpu"


def left_undone(*, gives_grids: bool, aim: Aim, denoise: Denoise) -> tuple[str, ...]:
    """What a model does on the CPU, and not on a GPU.

    Args:
        gives_grids: whether it is of the kind `grid`; else it is `unet`.
        aim: when pictures shall be made bright.
        denoise: whether noise shall be taken out, which `grid` does.
    """
    if gives_grids:
        return (BARS,) if denoise == "off" else (BARS, NOISE)
    return (BARS, ALWAYS) if aim.when_dark else (BARS,)
