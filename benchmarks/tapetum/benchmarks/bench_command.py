"""`tapetum bench`: how fast Tapetum is on this machine, and what is done with files of runs."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tapetum.benchmarks.bench_versions_command import ab, compare
from tapetum.benchmarks.measure.choices import (
    BUILT_IN,
    DEFAULT_SIZES,
    PRECISIONS,
    QUICK_SIZES,
    SCENARIOS,
    SINGLE_STREAM,
)
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime.command.options import DenoiseOption, device_name

if TYPE_CHECKING:
    from tapetum.benchmarks.bench.subjects import Subject
    from tapetum.benchmarks.bench.suite import Plan
    from tapetum.benchmarks.bench.trial import Settings
    from tapetum.benchmarks.measure.frames import Input
    from tapetum.realtime.choices import Denoise
    from tapetum.realtime.cpu.network_shapes import Precision

bench = typer.Typer()


def _known_scenarios(names: list[str] | None) -> list[str] | None:
    return _all_known(names, SCENARIOS)


def _all_known(names: list[str] | None, known: tuple[str, ...]) -> list[str] | None:
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]} is none of {', '.join(known)}")
    return names


def _known_precisions(names: list[str] | None) -> list[str] | None:
    return _all_known(names, PRECISIONS)


@bench.callback(invoke_without_command=True)
def measure(
    context: typer.Context,
    *,
    scenarios: Annotated[
        list[str] | None,
        typer.Option(
            "--scenario",
            metavar="NAME",
            callback=_known_scenarios,
            help=f"One of {', '.join(SCENARIOS)}; may be repeated. By default all.",
            show_default=False,
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="grid|unet|FILE",
            help="What to measure; may be repeated. By default grid. The name empty measures"
            " the harness alone.",
            show_default=False,
        ),
    ] = None,
    precisions: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            metavar="|".join(PRECISIONS),
            callback=_known_precisions,
            help="What the models' networks are computed in; may be repeated. By default auto:"
            " bf16 where the CPU has it, else f32.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            metavar="auto|cpu|cuda[:N]",
            callback=device_name,
            help="Where Tapetum's models run. On a GPU, uploading and downloading each frame is"
            " measured too. What --vs names runs on the CPU.",
        ),
    ] = "auto",
    denoise: DenoiseOption = "auto",
    sizes: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="360p, 540p, 720p, 1080p, 1440p, 4K or WxH; may be repeated."
            " By default 720p, 1080p and 4K; a clip's own.",
            show_default=False,
        ),
    ] = None,
    peers: Annotated[
        str | None,
        typer.Option(
            "--vs",
            metavar="NAMES",
            help="Also measure these on the same frames, separated by commas: clahe, gamma,"
            " ffmpeg:FILTER, torch-grid, torch-unet\\[:FILE], onnxruntime:FILE. docs/bench.md"
            " has their options, such as torch-unet:mode=compile.",
            show_default=False,
        ),
    ] = None,
    truths: Annotated[
        list[Path] | None,
        typer.Option(
            "--truth",
            metavar="FOLDER",
            help="Also measure quality: on clips or pairs of tapetum simulate, or on photos in low"
            " and high; may be repeated.",
            show_default=False,
        ),
    ] = None,
    clip: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar=f"FILE|{BUILT_IN}",
            help="Measure on this clip, or on the one that ships, instead of on synthetic frames.",
            show_default=False,
        ),
    ] = None,
    capacity: Annotated[
        bool,
        typer.Option(
            "--capacity",
            help="Search how many streams of --rate frames a second fit, instead of scenarios.",
            show_default=False,
        ),
    ] = False,
    with_codec: Annotated[
        bool,
        typer.Option(
            "--with-codec",
            help="In single-stream, also decode and encode each frame.",
            show_default=False,
        ),
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=86_400, help="Least time of a measurement.")
    ] = 6.0,
    samples: Annotated[int, typer.Option(min=1, help="Least number of samples.")] = 100,
    repeats: Annotated[int, typer.Option(min=1, help="Times that it is begun anew.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic frames.")] = 0,
    streams: Annotated[int, typer.Option(min=1, help="Streams at once in multi-stream.")] = 2,
    rate_fps: Annotated[
        float,
        typer.Option("--rate", min=1, max=1000, help="Frames per second of the camera in paced."),
    ] = 30.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Less of everything: under 40 s, and less certain.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write every sample, and the machine, here."),
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write one line a result here.")
    ] = None,
) -> None:
    """Measure how fast Tapetum is on this machine.

    Output is checked against a reference, no sample is left out, and an
    estimate of the machine's best stands beside each figure.

    For example:

      tapetum bench --quick --json before.json

      tapetum bench --input dark.mp4 --scenario single-stream
    """
    if context.invoked_subcommand is not None:
        return
    _check_single_stream(scenarios, with_codec=with_codec, truths=truths)
    if capacity and (scenarios or with_codec or truths or csv_file):
        raise typer.BadParameter(
            "--capacity is a measurement of its own, of enhancing alone; leave out --scenario,"
            " --with-codec, --truth and --csv"
        )
    if json_file is not None and csv_file is not None and json_file.resolve() == csv_file.resolve():
        raise typer.BadParameter("--json and --csv name one file; give each its own")
    from tapetum.benchmarks.bench.suite import run_and_show
    from tapetum.benchmarks.bench.trial import Settings
    from tapetum.benchmarks.measure.sampling import Effort

    effort = Effort(seconds, samples, repeats)
    settings = Settings(
        effort, seed, streams, rate_fps, with_codec=with_codec, truths=tuple(truths or ())
    )
    subjects = _subjects(models or ["grid"], precisions or ["auto"], device, denoise, peers)
    inputs = _inputs(sizes or _default_sizes(clip, quick=quick), clip)
    if capacity:
        from tapetum.benchmarks.bench.capacity import run_and_show as search_and_show

        search_and_show(
            subjects,
            inputs,
            rate_fps=rate_fps,
            seconds=seconds,
            seed=seed,
            command=_command(sys.argv[1:]),
            json_file=json_file,
        )
        return
    plan = _plan(
        scenarios or list(SCENARIOS), subjects, inputs, settings.quick() if quick else settings
    )
    run_and_show(plan, json_file=json_file, csv_file=csv_file)


def _check_single_stream(
    scenarios: list[str] | None, *, with_codec: bool, truths: list[Path] | None
) -> None:
    """Refuse options of single-stream where it is not measured, instead of passing them over."""
    if not scenarios or SINGLE_STREAM in scenarios:
        return
    for option, given in (("--with-codec", with_codec), ("--truth", bool(truths))):
        if given:
            raise typer.BadParameter(f"{option} is for single-stream; add --scenario single-stream")


def _default_sizes(clip: str | None, *, quick: bool) -> list[str]:
    if clip is not None:
        return []
    return list(QUICK_SIZES if quick else DEFAULT_SIZES)


def _inputs(sizes: list[str], clip: str | None) -> list[Input]:
    from tapetum.benchmarks.measure.choices import parse_size
    from tapetum.benchmarks.measure.frames import Input, clip_path

    file = None if clip is None else clip_path(clip)
    if not sizes:
        return [Input(file, None)]
    return [Input(file, parse_size(size)) for size in sizes]


def _subjects(
    models: list[str], precisions: list[str], device: str, denoise: Denoise, peers: str | None
) -> list[Subject]:
    from tapetum.benchmarks.bench.named_subjects import different_names, peer, subject
    from tapetum.benchmarks.bench.subjects import EMPTY

    others = [peer(name) for name in (peers or "").split(",") if name.strip()]
    if peers is not None and not others:
        raise typer.BadParameter("--vs names nothing; one of them is clahe")
    ours = [
        subject(model, device, cast("Precision", precision), denoise)
        for model in models
        for precision in (["auto"] if model == EMPTY else precisions)
    ]
    return different_names(ours + others)


def _plan(
    scenarios: list[str], subjects: list[Subject], inputs: list[Input], settings: Settings
) -> Plan:
    from tapetum.benchmarks.bench.suite import Plan

    return Plan(
        scenarios=tuple(name for name in SCENARIOS if name in scenarios),
        subjects=tuple(subjects),
        inputs=tuple(inputs),
        settings=settings,
        command=_command(sys.argv[1:]),
    )


def _command(arguments: list[str]) -> str:
    """The command as typed, but of absolute paths the name: results are shown to others."""
    shown = (Path(word).name if Path(word).is_absolute() else word for word in arguments)
    return shlex.join(["tapetum", *shown])


bench.command()(compare)
bench.command()(ab)


@bench.command()
def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Files of --json.")],
    *,
    html: Annotated[
        Path, typer.Option(metavar="FILE", help="The report: one file, no network needed.")
    ] = Path("bench.html"),
    chart_folder: Annotated[
        Path | None,
        typer.Option(
            "--charts", metavar="FOLDER", help="Also write each chart here, as SVG and PNG."
        ),
    ] = None,
) -> None:
    """Make a report with charts of one run or several.

    For example:

      tapetum bench report before.json after.json --html report.html
    """
    from tapetum.benchmarks.bench.result import read_run
    from tapetum.gan.whole_file import write_whole

    if chart_folder is not None:
        _check_stems(files)
    runs = [(file.name, read_run(file)) for file in files]
    try:
        from tapetum.benchmarks.bench.report import charts, html_report, write_charts
    except ImportError as error:
        raise BenchmarkError(
            f"tapetum bench report needs {error.name}: pip install 'tapetum[bench]'"
        ) from error
    try:
        if chart_folder is not None:
            chart_folder.mkdir(parents=True, exist_ok=True)  # or nothing is written at all
        write_whole(html, html_report(runs), error=BenchmarkError)
        if chart_folder is not None:
            for name, run in runs:
                write_charts(charts(run["results"]).items(), chart_folder / Path(name).stem)
    except OSError as error:
        raise BenchmarkError(f"{error.filename} cannot be written: {error.strerror}") from error
    typer.echo(f"{html}: {html.stat().st_size / 1e6:.2f} MB")


def _check_stems(files: list[Path]) -> None:
    """Each run's charts have a folder named after its file: none may take another's."""
    stems = [file.stem for file in files]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice is not None:
        raise typer.BadParameter(
            f"with --charts each file needs its own name; {twice} is there twice"
        )


if find_spec("tapetum.benchmarks.documents") is not None:  # in a checkout

    @bench.command()
    def document(
        *,
        results: Annotated[
            Path, typer.Option(metavar="FOLDER", help="Holds bench-*.json and cpu.json.")
        ] = Path("benchmarks/results"),
        target: Annotated[
            Path, typer.Option("--document", metavar="FILE", help="Has the marks for the tables.")
        ] = Path("docs/performance.md"),
    ) -> None:
        """Write the tables and charts of docs/performance.md anew from benchmarks/results."""
        from tapetum.benchmarks.documents.performance import write_document

        write_document(results, target)
