"""The modes of a live stream: what each does for a frame, and how often frames are made."""

from __future__ import annotations

from tapetum.realtime.live.grid_stream import Effort

PASSTHROUGH = "passthrough"
"""The mode of frames that are left as they are, because the strength is 0."""
START = "start"
"""The mode of frames that come while the model loads: a curve that their luma suggests."""
_PAUSES_S = {"15-fps": 1 / 15, "8-fps": 1 / 8}
"""Ends of the names of modes that leave frames out, and the time from one frame to the next."""
_LENIENCY = {"15-fps": 2.0, "8-fps": 4.0}
"""Budgets that such a frame may take: leaving out more cures no lateness that comes of waiting for
a processor, and the next one comes late anyway."""
START_PAUSES_S = {START: 0.0, **{f"{START}-{pace}": time_s for pace, time_s in _PAUSES_S.items()}}
"""The modes of a start, and the time from one frame to the next in each."""


CURVE = "curve"
"""The mode of frames where nothing runs models on the CPU: a curve that their luma suggests."""
CURVES = {
    CURVE: Effort(frames=1, flat=True),
    **{
        f"{CURVE}-{pace}": Effort(1, flat=True, pause_s=time_s)
        for pace, time_s in _PAUSES_S.items()
    },
}
"""That, and the same with frames left out."""


def efforts(model: str, *, restores: bool = True) -> dict[str, Effort]:
    """The modes of a grid model, from the best to the cheapest, all of one brightness.

    Where noise is taken out, that is the first thing to be left: the picture changes least by it.
    """
    rarely = 1 << 30
    best = {model: Effort(frames=2, restores=True), f"{model}-noisy": Effort(frames=2)}
    return {
        **(best if restores else {model: Effort(frames=2)}),
        f"{model}-4": Effort(frames=4),
        f"{model}-held": Effort(frames=rarely),
        f"{model}-curve": Effort(frames=rarely, seconds=2.0, flat=True),
        **{
            f"{model}-curve-{pace}": Effort(rarely, 2.0, flat=True, pause_s=pause_s)
            for pace, pause_s in _PAUSES_S.items()
        },
    }


def leniency(prefix: str) -> dict[str, float]:
    """How many budgets a frame of the modes that leave frames out may take.

    Args:
        prefix: of their names, like "grid-curve".
    """
    return {f"{prefix}-{pace}": budgets for pace, budgets in _LENIENCY.items()}
