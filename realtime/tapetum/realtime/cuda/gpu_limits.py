"""What is left undone on a GPU, as lines for the user: for files, live video and pictures alike."""

from __future__ import annotations

from tapetum.gan.model_kinds import ModelDescription
from tapetum.realtime.choices import Denoise

NOISE = (
    "on a GPU a moving camera is not followed while noise is taken out of 4:2:0;"
    " --device cpu does that"
)
HDR = (
    "HDR becomes too bright on a GPU, where it is enhanced as if it were SDR, and keeps its noise;"
    " use --device cpu"
)


def left_undone(model: ModelDescription, *, denoise: Denoise) -> tuple[str, ...]:
    """What a model does on the CPU, and not on a GPU.

    Args:
        model: which.
        denoise: whether noise shall be taken out, as `grid` does, and what is behind one.
    """
    return (NOISE,) if model.has_grid and denoise != "off" else ()
