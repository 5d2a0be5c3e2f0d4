"""`tapetum live`: the command line of `enhance_live`."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from tapetum.realtime.choices import PipeFormat, Sync
from tapetum.realtime.command.options import (
    REPORT,
    BrightnessOption,
    DenoiseOption,
    DeviceOption,
    LoopOption,
    ModelOption,
    QuietOption,
    RateOption,
    SizeOption,
    StrengthOption,
    WhenDarkOption,
    camera_name,
    one_source,
    parse_budget_ms,
    parse_duration_s,
    parse_size,
)
from tapetum.realtime.command.program_output import program_output
from tapetum.realtime.counted import counted
from tapetum.realtime.errors import MediaError

if TYPE_CHECKING:
    from rich.console import Console

    from tapetum.realtime.live.summary import LiveStatus, LiveSummary

_FIRST_CAMERA = "0"
_BUDGET_MS = 50.0
_WELL_LIT = "the picture is well lit and stays as it is; --always gives it the model's output"


def live(
    *,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="A URL (rtsp, http, udp), a file, [b]screen[/b], a test pattern as"
            " lavfi:PATTERN, a camera, or - for stdin.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE",
            callback=camera_name,
            help="A camera's number, device or name. Without this and --source: the first.",
            show_default=False,
        ),
    ] = None,
    sinks: Annotated[
        list[str] | None,
        typer.Option(
            "--sink",
            metavar="SINK",
            help="[b]window[/b] (default), [b]virtual[/b] camera, [b]null[/b], a FILE to record"
            " to, a URL (udp, rtmp, rtsp), or - for stdout. May be given several times; the first"
            " one is measured.",
            show_default=False,
        ),
    ] = None,
    pipe_format: Annotated[
        PipeFormat,
        typer.Option(
            help="What --sink - writes: y4m, which says what it is, or rawvideo, nothing but"
            " pixels; a line on stderr says how to read it.",
        ),
    ] = "y4m",
    sync: Annotated[
        Sync,
        typer.Option(
            help="Where a frame for --sink - is dropped: repeat the last one, so that 5 s stay 5 s"
            " for a reader, or drop it. From stdin to stdout none is dropped, unless this is drop.",
        ),
    ] = "repeat",
    size: SizeOption = None,
    rate: RateOption = None,
    loop: LoopOption = False,
    model: ModelOption = "grid",
    strength: StrengthOption = 1.0,
    when_dark: WhenDarkOption = True,
    brightness: BrightnessOption = None,
    device: DeviceOption = "auto",
    denoise: DenoiseOption = "auto",
    budget_ms: Annotated[
        float | None,
        typer.Option(
            "--latency-budget",
            parser=parse_budget_ms,
            metavar="TIME",
            help="How long a frame may take from the source's hand-over, like 50ms or 0.1s. A"
            " cheaper mode is taken before it takes longer, down to one curve for the picture; it"
            " stays as bright.",
            show_default="50ms",
        ),
    ] = None,
    duration_s: Annotated[
        float | None,
        typer.Option(
            "--duration",
            parser=parse_duration_s,
            metavar="TIME",
            help="Stop after so much video, from its first frame: seconds, or [HH:]MM:SS[.mmm].",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing files.", show_default=False)
    ] = False,
    cameras: Annotated[
        bool,
        typer.Option("--list-cameras", help="List the cameras and exit.", show_default=False),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object on stdout at the end.",
            rich_help_panel=REPORT,
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="Say which mode runs where, and all figures.",
            show_default=False,
            rich_help_panel=REPORT,
        ),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Make a dark camera or stream bright while it runs.

    The newest frame is always the one that is shown. Ctrl-C ends it; recordings
    can be played however it ends. Keys in the window: q quit, space
    before/after, w wipe that follows the mouse, + and - strength, m model,
    r record, s snapshot.

    For example:

      tapetum live

      tapetum live --camera 2 --size 1280x720 --rate 30 --sink window --sink virtual

      tapetum live --source rtsp://camera.local/main --sink evening.mkv --duration 1:00:00

      tapetum live --sink - --pipe-format rawvideo | your-program

      ffmpeg ... -f yuv4mpegpipe - | tapetum live --source - --sink - | ffplay -

      tapetum live --source lavfi:testsrc2=s=1280x720:r=30 --sink null --duration 10 --json
    """
    if cameras:
        _list_cameras()
        return
    places = sinks or ["window"]
    wanted_source = one_source(source, camera)
    _check_sinks(places, pipe_format, as_json=as_json)
    wanted_size = None if size is None else parse_size(size)
    if "window" in places:
        from tapetum.realtime.live.sinks.window_toolkit import window_toolkit

        window_toolkit()  # before the imports below bring PyAV

    from rich.console import Console

    from tapetum.realtime.live.controls import KEYS_HELP
    from tapetum.realtime.live.enhance_live import enhance_live

    def finish(summary: LiveSummary) -> None:
        report.finish(summary)
        if write_json is not None:
            write_json(dataclasses.asdict(summary))

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    keys = KEYS_HELP if "window" in places else ""
    for_programs = program_output(is_wanted=True) if as_json else nullcontext()
    with (
        for_programs as write_json,
        _Report(console, quiet=quiet, verbose=verbose, keys=keys) as report,
    ):
        summary = enhance_live(
            _FIRST_CAMERA if wanted_source is None else wanted_source,
            places,
            model=model,
            strength=strength,
            when_dark=when_dark,
            brightness=brightness,
            device=device,
            denoise=denoise,
            size=wanted_size,
            rate=rate,
            loop=loop,
            latency_budget_ms=budget_ms or _BUDGET_MS,
            duration_s=duration_s,
            overwrite=overwrite,
            pipe_format=pipe_format,
            sync=sync,
            on_start=report.start,
            on_notice=report.notice,
            on_status=report.status,
            on_end=finish,
        )
    if summary.failed:
        raise MediaError("; ".join(summary.failed.values()))


def _check_sinks(places: list[str], pipe_format: PipeFormat, *, as_json: bool) -> None:
    files = [Path(place).resolve() for place in places]
    twice = next((place for place in places if files.count(Path(place).resolve()) > 1), None)
    if twice is not None:
        raise typer.BadParameter(f"--sink {twice} is given twice")
    if as_json and "-" in places:
        raise typer.BadParameter("--json and --sink - both write to stdout; leave one of them out")
    if pipe_format != "y4m" and "-" not in places:
        raise typer.BadParameter(f"--pipe-format {pipe_format} is for --sink -, which is missing")


def _list_cameras() -> None:
    from tapetum.realtime.live.cameras import list_cameras

    found = list_cameras()
    for camera in found:
        remedy = "" if camera.usable else "  (no permission: sudo usermod -aG video $USER)"
        typer.echo(f"{camera.device}  {camera.name}{remedy}")
    if not found:
        typer.echo("no cameras were found", err=True)


class _Report:
    """Writes to a console, with a status line where it is a terminal; use it in a `with`."""

    def __init__(
        self, console: Console, *, quiet: bool = False, verbose: bool = False, keys: str = ""
    ) -> None:
        """Make a report.

        Args:
            console: where it is written.
            quiet: say only what the user should know.
            verbose: say each mode, and all figures.
            keys: what the keys of a window do.
        """
        self._console = console
        self._keys = keys
        self._quiet = quiet
        self._verbose = verbose
        self._said: set[str] = set()
        self._line = console.status("starting") if console.is_terminal and not quiet else None
        self._mode: str | None = None

    def start(self, description: str) -> None:
        """Say what is about to run."""
        if not self._quiet:
            self._say(description)
        if self._keys and not self._quiet:
            self._say(f"keys: {self._keys}")

    def notice(self, line: str) -> None:
        """Say what the user should know, also when quiet."""
        self._say(f"note: {line}")
        self._said.add(line)

    def status(self, status: LiveStatus) -> None:
        """Show the state; why the picture is simpler than asked for gets a line of its own."""
        if self._line is not None:
            self._line.update(status.figures if self._verbose else str(status))
        if status.mode != self._mode and self._verbose:
            self._say(f"mode: {status.runs_on}")
        self._mode = status.mode
        if self._quiet:
            return
        if status.warning and status.note not in self._said:
            self.notice(status.note)
        if status.well_lit and _WELL_LIT not in self._said:
            self.notice(_WELL_LIT)

    def finish(self, summary: LiveSummary) -> None:
        """Say what was done."""
        if self._quiet:
            return
        latency, frames = summary.latency_ms, counted(summary.frames, "frame")
        self._say(
            f"{frames}, {summary.dropped} dropped, {summary.fps:.1f} fps, added"
            f" latency p50 {latency['p50']:.1f} p99 {latency['p99']:.1f} ms"
        )

    def __enter__(self) -> Self:
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._line is not None:
            self._line.stop()

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)
