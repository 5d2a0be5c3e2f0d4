"""`enhance_live`: a camera or stream in, its brighter twin out, until it ends or is stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from pathlib import Path

from tapetum.realtime.aim import Aim
from tapetum.realtime.auto_device import AutoDevice
from tapetum.realtime.choices import PIPE_FORMATS, SYNCS, Denoise, Device, PipeFormat, Sync
from tapetum.realtime.enhancer import check_device_is_there
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.live.address import is_file
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.live_device import LiveDevice, open_live_device
from tapetum.realtime.live.live_run import LiveRun
from tapetum.realtime.live.live_source import LiveSource
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.outputs import SinkPlace, open_sink
from tapetum.realtime.live.recorder import Recorder
from tapetum.realtime.live.standard_input import STDIN
from tapetum.realtime.live.summary import LiveStatus, LiveSummary
from tapetum.realtime.memory_limit import check_memory_limit

_USUAL_RATE = Fraction(30)


def enhance_live(
    source: str | int | Path = 0,
    sinks: Sequence[str | SinkPlace] = ("window",),
    *,
    model: str | Path = "grid",
    strength: float = 1.0,
    when_dark: bool = True,
    brightness: float | None = None,
    device: Device = "auto",
    denoise: Denoise = "auto",
    size: tuple[int, int] | None = None,
    rate: Fraction | None = None,
    loop: bool = False,
    latency_budget_ms: float = 50.0,
    duration_s: float | None = None,
    overwrite: bool = False,
    pipe_format: PipeFormat = "y4m",
    sync: Sync = "repeat",
    controls: Controls | None = None,
    on_start: Callable[[str], None] = lambda _line: None,
    on_notice: Callable[[str], None] = lambda _line: None,
    on_status: Callable[[LiveStatus], None] | None = None,
    on_end: Callable[[LiveSummary], None] = lambda _summary: None,
) -> LiveSummary:
    """Enhance a live stream, always showing the newest frame.

    Args:
        source: a camera's number or device, a URL, "screen", "lavfi:PATTERN", a file, which
            plays at its own pace, or "-" (stdin), which comes at its writer's.
        sinks: where frames go: "window", "virtual", "null", "-" (stdout), a URL, a file to
            record to, or a sink of your own in a `SinkPlace`. The first one is measured.
        model: `grid`, `unet`, or a model file; while it loads, a simple curve stands in.
        strength: from 0 (the picture as it is) to 1 (the model's own output), and up to 2.
        when_dark: leave well-lit pictures as they are, and go over smoothly as light falls.
        brightness: mean luma that `grid` brings every picture to; see `enhance_file`.
        device: `auto` or `cpu`, or a GPU such as `cuda`.
        denoise: how much noise `grid` takes out: `auto`, `off`, or from 0 to 1.
        size: width and height in pixels to ask a camera for.
        rate: frames per second to ask a camera for.
        loop: whether a file or test pattern that ends is played over and over.
        latency_budget_ms: how long a frame may be with us; a cheaper mode is taken before it is
            longer.
        duration_s: how much video, from its first frame; None goes on until the source ends.
        overwrite: replace existing files.
        pipe_format: what "-" writes: `y4m`, or `rawvideo`, of which a notice says how to read it.
        sync: whether "-" repeats the last frame for each that is dropped, so that its readers'
            time is right (`repeat`), or leaves them out (`drop`). From stdin to stdout none is
            dropped, unless it is `drop`.
        controls: a viewer's wishes, to be changed while it runs; None makes its own.
        on_start: called once with one line: what is read, what runs where, what is written.
        on_notice: called with a line when the source is lost or back, a sink failed, or a file is
            saved; it may be called in a reading or writing thread.
        on_status: called about twice a second.
        on_end: called with the summary, also when an exception ends the run.

    Returns:
        What was done.

    Raises:
        MediaError: a source or sink cannot be opened, or a file that is played or the last sink
            fails; the summary says which sinks failed while others went on.
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the device is missing, or the process may use too little memory.
        ValueError: a number is out of its range, there is no sink, or no such pipe format or sync.
    """
    if pipe_format not in PIPE_FORMATS:
        raise ValueError(f"pipe_format is {' or '.join(PIPE_FORMATS)}; got {pipe_format!r}")
    if sync not in SYNCS:
        raise ValueError(f"sync is {' or '.join(SYNCS)}; got {sync!r}")
    check_memory_limit()
    wishes = controls or Controls(strength=strength)
    aim = Aim(when_dark, brightness)
    device, place = _opened_device(device, model, denoise=denoise, on_notice=on_notice)
    with ExitStack() as opened:
        ladder = ladder_for(
            model,
            strength=strength,
            aim=aim,
            device=device,
            denoise=denoise,
            budget_ms=latency_budget_ms,
            memory=place.memory,
            on_notice=on_notice,
        )
        opened.callback(ladder.close)
        camera = LiveSource(
            source,
            size=size,
            rate=rate,
            loop=loop,
            decoding=place.decoding,
            on_notice=on_notice,
        )
        opened.callback(camera.close)
        caption = _Caption()
        pace = camera.rate or rate or _USUAL_RATE
        opening = partial(
            open_sink,
            controls=wishes,
            caption=caption,
            rate=pace,
            overwrite=overwrite,
            inputs=[Path(str(source))] if is_file(str(source)) else [],
            pipe_format=pipe_format,
            sync=sync,
            waits=str(source) == STDIN and sync == "repeat",
            encoding=place.encoding,
            on_notice=on_notice,
        )
        unused = opened.enter_context(ExitStack())
        places = [_place(sink, opening, unused) for sink in sinks]
        recorder = Recorder(Path(), rate=pace, encoding=place.encoding, on_notice=on_notice)
        on_start(_description(camera, ladder, places))
        ladder.wait_for_model()
        run = LiveRun(
            camera,
            ladder,
            places,
            controls=wishes,
            on_notice=on_notice,
            on_status=on_status,
            on_frame=lambda frame: recorder.follow(wishes, run, frame),
        )
        unused.pop_all()  # the run closes them
        caption.run = run
        try:
            return run.run(duration_s=duration_s)
        finally:
            recorder.end(run)
            on_end(run.summary)


def _opened_device(
    device: Device,
    model: str | Path,
    *,
    denoise: Denoise,
    on_notice: Callable[[str], None],
) -> tuple[Device, LiveDevice]:
    """The device that is meant, and what decodes and encodes there.

    Raises:
        DeviceError: the GPU that was asked for, or what it needs, is missing.
        ModelError: nothing that runs models on it is installed.
    """
    check_device_is_there(device)
    if device != "auto":
        return device, open_live_device(device)
    auto = AutoDevice()
    auto.choose(model, None, denoise=denoise)
    try:
        place = open_live_device(auto.device)
    except DeviceError as error:
        auto.leave(error)
        place = open_live_device(auto.device)
    for line in auto.notices:
        on_notice(line)
    return auto.device, place


def _place(
    sink: str | SinkPlace, opening: Callable[[str], SinkPlace], unused: ExitStack
) -> SinkPlace:
    """A sink, opened; `unused` closes it if no run comes about, unless it is the caller's."""
    if isinstance(sink, SinkPlace):
        return sink
    place = opening(sink)
    unused.callback(place.sink.discard)
    return place


class _Caption:
    """The line that a window shows; windows are made before the run that they tell about."""

    run: LiveRun | None = None

    def __call__(self) -> str:
        return "starting" if self.run is None else self.run.status.caption


def _description(source: LiveSource, ladder: Ladder, places: list[SinkPlace]) -> str:
    names = ", ".join(place.name for place in places)
    budget = f"{ladder.governor.budget_ms:g} ms budget"
    return f"{source.description} -> {names} | {ladder.description} | {budget}"
