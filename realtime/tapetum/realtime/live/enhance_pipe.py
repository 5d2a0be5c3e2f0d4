"""`enhance_pipe`: a video down one pipe, and its brighter twin up the next, frame for frame."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise, Device, Layout
from tapetum.realtime.compare import Comparison
from tapetum.realtime.enhancer import check_device_is_there, check_model, make_enhancer
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.live_source import LiveSource
from tapetum.realtime.live.outputs import open_sink
from tapetum.realtime.live.standard_input import STDIN
from tapetum.realtime.memory_limit import check_memory_limit
from tapetum.realtime.pipeline import FrameStage, run
from tapetum.realtime.protocols import notices_of

_USUAL_RATE = Fraction(25)


def enhance_pipe(
    *,
    model: str | Path = "grid",
    strength: float = 1.0,
    aim: Aim = Aim(),  # noqa: B008 - it is immutable
    device: Device = "auto",
    denoise: Denoise = "auto",
    compare: Layout | None = None,
    on_start: Callable[[str], None] = lambda _line: None,
    on_notice: Callable[[str], None] = lambda _line: None,
) -> int:
    """Enhance every frame of the video on stdin, and write each once, as y4m, to stdout.

    The reader sets the pace. Only pictures go through: sound and other streams do not.

    Args:
        model: `grid`, `unet`, or a model file.
        strength: from 0 (the picture as it is) over 1 (the model's own output) to 2.
        aim: when pictures are made bright, and how bright.
        device: `auto` or `cpu`, or a GPU such as `cuda`.
        denoise: how much noise `grid` takes out: `auto`, `off`, or from 0 to 1.
        compare: None; `side-by-side`, original left; or `wipe`, a moving divider.
        on_start: called once with one line: what is read, what runs where, what is written.
        on_notice: called with lines for the user.

    Returns:
        How many frames were written.

    Raises:
        MediaError: standard input holds no video that can be read, is closed or a terminal, or
            nobody reads standard output.
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the GPU or what it needs is missing, or there is too little memory.
    """
    check_memory_limit()
    check_model(model)
    check_device_is_there(device)
    source = LiveSource(STDIN, paced=False, on_notice=on_notice)
    try:
        rate = source.rate or _USUAL_RATE
        place = open_sink(
            STDIN,
            controls=Controls(),
            caption=str,
            rate=rate,
            waits=True,
            on_notice=on_notice,
        )
        enhancer = make_enhancer(model, strength=strength, device=device, aim=aim, denoise=denoise)
        on_start(f"{source.description} -> y4m on stdout | {enhancer.description}")
        for line in notices_of(enhancer):
            on_notice(line)
        stage: FrameStage = enhancer if compare is None else Comparison(enhancer, compare)
        return run(source, stage, place.sink)
    finally:
        source.close()
