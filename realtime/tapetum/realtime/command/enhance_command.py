"""`tapetum enhance`: the command line of `enhance_file`."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapetum.realtime.choices import Layout
from tapetum.realtime.command.options import (
    DAMAGED_INPUT,
    REPORT,
    BrightnessOption,
    DenoiseOption,
    DeviceOption,
    ModelOption,
    QuietOption,
    StrengthOption,
    WhenDarkOption,
    number,
    parse_duration_s,
    parse_rate,
    parse_time_s,
)

if TYPE_CHECKING:
    from rich.console import Console

    from tapetum.realtime.enhance_media import EnhanceResult, Started


def _crf(text: str) -> int:
    value = number(text)
    if value not in range(64):
        raise typer.BadParameter(f"crf is a whole number from 0 to 63; got {text}")
    return int(value)


_ENCODER = "Output encoding"


def enhance(
    input_path: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="Video or photo to read, an address (http://...), pictures (img_%04d.png), or -"
            " for stdin.",
            show_default=False,
        ),
    ],
    output_path: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="File to write; its suffix chooses the format (.mp4 .mkv .mov .webm .png .jpg)."
            " With - as IN and as OUT y4m goes to stdout.",
            show_default=False,
        ),
    ],
    *,
    model: ModelOption = "grid",
    strength: StrengthOption = 1.0,
    when_dark: WhenDarkOption = True,
    brightness: BrightnessOption = None,
    device: DeviceOption = "auto",
    denoise: DenoiseOption = "off",
    compare: Annotated[
        Layout | None,
        typer.Option(
            help="Show before and after in one picture, side by side or with a moving divider.",
            show_default=False,
        ),
    ] = None,
    start_s: Annotated[
        float | None,
        typer.Option(
            "--start",
            parser=parse_time_s,
            metavar="TIME",
            help="Begin here: seconds, or [HH:]MM:SS[.mmm].",
            show_default=False,
        ),
    ] = None,
    duration_s: Annotated[
        float | None,
        typer.Option(
            "--duration",
            parser=parse_duration_s,
            metavar="TIME",
            help="Enhance this much of the input: seconds, or [HH:]MM:SS[.mmm].",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        Fraction | None,
        typer.Option(
            parser=parse_rate,
            metavar="FPS",
            help="Pictures a second of a series of pictures (img_%04d.png); 25 if not given.",
            show_default=False,
        ),
    ] = None,
    deinterlace: Annotated[
        bool,
        typer.Option(
            "--deinterlace",
            help="Make interlaced pictures progressive, one of each.",
            show_default=False,
        ),
    ] = False,
    codec: Annotated[
        str | None,
        typer.Option(
            help="Encoder by FFmpeg's name, such as libx264, libx265, libsvtav1, libvpx-vp9."
            " By default one that suits the container.",
            rich_help_panel=_ENCODER,
            show_default=False,
        ),
    ] = None,
    crf: Annotated[
        int | None,
        typer.Option(
            parser=_crf,
            metavar="0..63",
            help="Constant quality, lower is better. By default what suits the encoder.",
            rich_help_panel=_ENCODER,
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Speed of the encoder, such as veryfast or slow.",
            rich_help_panel=_ENCODER,
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUT if it exists.", show_default=False)
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object about the result on stdout.",
            rich_help_panel=REPORT,
        ),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Make a dark video or photo bright.

    Timestamps, sound, subtitles, chapters, metadata, rotation, colour tags
    and bit depth of the input are kept.

    For example:

      tapetum enhance dark.mp4 bright.mp4

      tapetum enhance dark.mov bright.mkv --strength 0.7 --codec libx265 --crf 22

      tapetum enhance dark.mp4 wipe.mp4 --compare wipe --start 1:05 --duration 8

      tapetum enhance photo.jpg photo-bright.png

      ffmpeg -i dark.mp4 -f yuv4mpegpipe - | tapetum enhance - - | ffplay -
    """
    from rich.console import Console

    from tapetum.realtime.command.progress_bar import ProgressBar
    from tapetum.realtime.enhance_media import enhance_file

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    report = _Report(console, quiet=quiet)
    if _PIPE in (input_path, str(output_path)):
        _check_pipes(input_path, str(output_path), as_json=as_json)
        encoding = (start_s, duration_s, rate, codec, crf, preset, deinterlace or None)
        if any(option is not None for option in encoding):
            raise typer.BadParameter(_FOR_FILES)
        from tapetum.realtime.aim import Aim
        from tapetum.realtime.live.enhance_pipe import enhance_pipe

        enhance_pipe(
            model=model,
            strength=strength,
            aim=Aim(when_dark, brightness),
            device=device,
            denoise=denoise,
            compare=compare,
            on_start=report.line,
            on_notice=report.line,
        )
        return
    with ProgressBar(console, visible=not quiet) as bar:
        result = enhance_file(
            input_path,
            output_path,
            model=model,
            strength=strength,
            when_dark=when_dark,
            brightness=brightness,
            device=device,
            denoise=denoise,
            start_s=start_s or 0.0,
            duration_s=duration_s,
            rate=rate,
            deinterlace=deinterlace,
            compare=compare,
            codec=codec,
            crf=crf,
            preset=preset,
            overwrite=overwrite,
            on_start=report.start,
            on_progress=bar,
            on_build=bar.build,
        )
    report.finish(result)
    if as_json:
        typer.echo(json.dumps(_as_json(result)))
    if not result.intact:
        raise typer.Exit(DAMAGED_INPUT)


_PIPE = "-"
_FOR_FILES = (
    "from - to - every frame goes through, uncompressed: --start, --duration, --rate, --codec,"
    " --crf, --preset and --deinterlace are for files"
)


def _check_pipes(input_path: str, output_path: str, *, as_json: bool) -> None:
    if input_path != output_path:
        raise typer.BadParameter(
            "- reads stdin and writes stdout, both or neither; tapetum live has --source and --sink"
            " for a file and a pipe"
        )
    if as_json:
        raise typer.BadParameter("--json and video cannot both go to stdout")


class _Report:
    """What a person reads on stderr: one line at the start, notices, one line at the end."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._said: set[str] = set()

    def start(self, started: Started) -> None:
        if not self._quiet:
            self._say(started.description)
        self._note(started.notices)

    def line(self, line: str) -> None:
        """Say one line, unless there shall be none."""
        if not self._quiet:
            self._say(line)

    def finish(self, result: EnhanceResult) -> None:
        self._note(result.notices)
        if not result.intact:
            self._say(f"warning: {result.input_path} is damaged; what it holds was enhanced")
        if not self._quiet:
            self._say(_summary(result))

    def _note(self, notices: tuple[str, ...]) -> None:
        for notice in notices:
            if not self._quiet and notice not in self._said:
                self._said.add(notice)
                self._say(f"note: {notice}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)


def _summary(result: EnhanceResult) -> str:
    size_mb = result.size_bytes / 1e6
    if result.media_s == 0:
        return f"{result.output_path}: {size_mb:.2f} MB in {result.elapsed_s:.1f} s"
    return (
        f"{result.output_path}: {result.frames} frames, {size_mb:.2f} MB in"
        f" {result.elapsed_s:.1f} s, {result.fps:.1f} fps, {result.speed:.2f}x real time"
    )


def _as_json(result: EnhanceResult) -> dict[str, object]:
    fields = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(result).items()
    }
    pace = {"fps": round(result.fps, 2), "speed": round(result.speed, 3)}
    return fields | pace | {"intact": result.intact}
