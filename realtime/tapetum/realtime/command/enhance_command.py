"""`tapetum enhance`: the command line of `enhance_file`."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Unpack

import typer

from tapetum.realtime.choices import Layout
from tapetum.realtime.command.file_report import FileReport, result_as_json
from tapetum.realtime.command.options import (
    DAMAGED_INPUT,
    MANY,
    REPORT,
    BrightnessOption,
    DenoiseOption,
    DeviceOption,
    ModelOption,
    QuietOption,
    StrengthOption,
    WhenDarkOption,
    WorkersOption,
    number,
    parse_duration_s,
    parse_moment_s,
    parse_rate,
    parse_time_s,
)
from tapetum.realtime.command.program_output import program_output

if TYPE_CHECKING:
    from tapetum.realtime.batch.file_maker import FileOptions
    from tapetum.realtime.command.enhance_many import ManyOptions
    from tapetum.realtime.enhance_media import EnhanceResult


def _crf(text: str) -> int:
    value = number(text)
    if value not in range(64):
        raise typer.BadParameter(f"crf is a whole number from 0 to 63; got {text}")
    return int(value)


_ENCODER = "Output encoding"


def enhance(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IN",
            help="Video or photo to read, an address (http://...), pictures (img_%04d.png), or -"
            " for stdin; or folders, several files, patterns ('night/*.mp4').",
            show_default=False,
        ),
    ] = None,
    output_path: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT",
            help="File to write; its suffix chooses the format (.mp4 .mkv .mov .webm .png .jpg)."
            " Or the folder for many. With - as IN and as OUT y4m goes to stdout.",
            show_default=False,
        ),
    ] = None,
    *,
    model: ModelOption = "grid",
    strength: StrengthOption = 1.0,
    when_dark: WhenDarkOption = True,
    brightness: BrightnessOption = None,
    device: DeviceOption = "auto",
    denoise: DenoiseOption = "auto",
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
    from_file: Annotated[
        Path | None,
        typer.Option(
            metavar="LIST",
            help="Take the inputs from a file, one a line; - is standard input.",
            rich_help_panel=MANY,
            show_default=False,
        ),
    ] = None,
    suffix: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Put this behind the names of outputs: _bright.",
            rich_help_panel=MANY,
            show_default=False,
        ),
    ] = "",
    extensions: Annotated[
        list[str] | None,
        typer.Option(
            "--ext",
            metavar="mkv|png|...",
            help="Format of all videos, or of all photos; twice for both. By default each keeps"
            " its own.",
            rich_help_panel=MANY,
            show_default=False,
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Take only such files of folders: '*.mp4', '2024/*'. May be repeated.",
            rich_help_panel=MANY,
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Leave such files of folders. May be repeated.",
            rich_help_panel=MANY,
            show_default=False,
        ),
    ] = None,
    newer_than_s: Annotated[
        float | None,
        typer.Option(
            "--newer-than",
            parser=parse_moment_s,
            metavar="AGE|DATE",
            help="Take only files changed since: 90m, 12h, 7d, or 2026-11-29.",
            rich_help_panel=MANY,
            show_default=False,
        ),
    ] = None,
    copy_others: Annotated[
        bool,
        typer.Option(
            "--copy-others",
            help="Copy files that are neither videos nor photos.",
            rich_help_panel=MANY,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be done, how long it would take and how large it would be.",
            rich_help_panel=MANY,
        ),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Then wait for more files, and enhance each when nobody writes to it any more.",
            rich_help_panel=MANY,
        ),
    ] = False,
    workers: WorkersOption = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Share it among the machines of a Ray cluster, HOST:PORT; auto is the one that"
            " this machine has joined. By default RAY_ADDRESS, where that is set.",
            rich_help_panel=MANY,
            show_default=False,
        ),
    ] = None,
    streams_per_gpu: Annotated[
        int,
        typer.Option(
            min=1,
            help="Workers of a cluster that share a GPU, with --device cuda.",
            rich_help_panel=MANY,
        ),
    ] = 1,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object about the result on stdout; of many files a line each.",
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

      tapetum enhance NIGHTS/ BRIGHT/ --dry-run

      ffmpeg -i dark.mp4 -f yuv4mpegpipe - | tapetum enhance - - | ffplay -
    """
    from rich.console import Console

    from tapetum.realtime.command.enhance_many import ManyOptions, enhance_many

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    options: FileOptions = {
        "model": model,
        "strength": strength,
        "when_dark": when_dark,
        "brightness": brightness,
        "device": device,
        "denoise": denoise,
        "deinterlace": deinterlace,
        "compare": compare,
        "codec": codec,
        "crf": crf,
        "preset": preset,
    }
    many = ManyOptions(
        from_file,
        suffix,
        tuple(extensions or ()),
        tuple(include or ()),
        tuple(exclude or ()),
        newer_than_s,
        copy_others,
        dry_run,
        watch,
        workers,
        cluster,
        streams_per_gpu,
    )
    if workers is not None and cluster is not None:
        raise typer.BadParameter("--workers are processes here; a --cluster has its own")
    places = inputs or []
    report = FileReport(console, quiet=quiet)
    if _PIPE in places or str(output_path) == _PIPE:
        given = (start_s, duration_s, rate, codec, crf, preset, deinterlace or None)
        for_files = many.is_given or any(option is not None for option in given)
        _check_pipes(places, output_path, as_json=as_json, for_files=for_files)
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
    if output_path is None or not (places or from_file):
        raise typer.BadParameter("give an input and an output", param_hint="'IN... OUT'")
    is_whole = (start_s, duration_s, rate) == (None, None, None)
    many = _with_environment(many) if is_whole else many
    are_many = replace(many, workers=None, cluster=None, streams_per_gpu=1).is_given or _are_many(
        places, output_path
    )
    is_job = many.is_given or are_many
    if is_job and not is_whole:
        raise typer.BadParameter(
            "--start, --duration and --rate are for one file, without --workers or --cluster"
        )
    with program_output(is_wanted=as_json) as write_json:
        if is_job:
            enhance_many(
                places,
                output_path,
                many,
                alone=not are_many,
                overwrite=overwrite,
                write_json=write_json,
                console=console,
                quiet=quiet,
                **options,
            )
            return
        part = _Part(start_s or 0.0, duration_s, rate)
        result = _enhance_one(places[0], output_path, part, report, overwrite=overwrite, **options)
        if write_json is not None:
            write_json(result_as_json(result))
    if not result.intact:
        raise typer.Exit(DAMAGED_INPUT)


def _with_environment(many: ManyOptions) -> ManyOptions:
    """The options with the cluster that the environment names, unless they say who works."""
    if many.workers is not None or many.cluster is not None:
        return many
    return replace(many, cluster=os.environ.get("RAY_ADDRESS") or None)


_PIPE = "-"
_FOR_FILES = (
    "from - to - every frame goes through, uncompressed: --start, --duration, --rate, --codec,"
    " --crf, --preset and --deinterlace are for files"
)


def _check_pipes(inputs: list[str], output: Path | None, *, as_json: bool, for_files: bool) -> None:
    if inputs != [_PIPE] or str(output) != _PIPE:
        raise typer.BadParameter(
            "- reads stdin and writes stdout, both or neither; tapetum live has --source and --sink"
            " for a file and a pipe"
        )
    if for_files:
        raise typer.BadParameter(_FOR_FILES)
    if as_json:
        raise typer.BadParameter("--json and video cannot both go to stdout")


class _Part(NamedTuple):
    """What of one file is enhanced."""

    start_s: float
    duration_s: float | None
    rate: Fraction | None


def _are_many(inputs: list[str], output: Path) -> bool:
    """Whether inputs mean a job of many files, and the output a folder."""
    (first, *more) = inputs
    if more or os.path.isdir(first) or os.path.isdir(output):  # noqa: PTH112 - names of any length
        return True
    return (
        not os.path.lexists(first) and "://" not in first and any(mark in first for mark in "*?[")
    )


def _enhance_one(
    source: str,
    output: Path,
    part: _Part,
    report: FileReport,
    *,
    overwrite: bool,
    **options: Unpack[FileOptions],
) -> EnhanceResult:
    from tapetum.realtime.command.progress_bar import ProgressBar
    from tapetum.realtime.enhance_media import enhance_file

    with ProgressBar(report.console, visible=not report.quiet) as bar:
        result = enhance_file(
            source,
            output,
            start_s=part.start_s,
            duration_s=part.duration_s,
            rate=part.rate,
            overwrite=overwrite,
            on_start=report.start,
            on_progress=bar,
            on_build=bar.build,
            **options,
        )
    report.finish(result)
    return result
