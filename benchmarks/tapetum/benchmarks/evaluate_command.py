"""`tapetum evaluate`: how good the pictures of a model are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapetum.gan.errors import ModelError
from tapetum.realtime.command.options import DenoiseOption

if TYPE_CHECKING:
    from tapetum.benchmarks.evaluate.evaluation import Evaluation


def evaluate(  # noqa: PLR0917 - Typer reads options from positional parameters
    model: Annotated[
        str, typer.Argument(help="grid, unet, a model file, or 'input' for the photos themselves.")
    ] = "grid",
    pairs: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="LOW HIGH",
            help="A folder of dark photos, and one of references under the same names.",
        ),
    ] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="A folder of dark photos; may be repeated."),
    ] = None,
    clips: Annotated[
        list[Path] | None,
        typer.Option("--clip", metavar="CLIP", help="A dark clip; may be repeated."),
    ] = None,
    noisy: Annotated[
        list[Path] | None,
        typer.Option(
            "--noise",
            metavar="CLIP",
            help="A well-lit clip, which is made dark and noisy; may be repeated.",
        ),
    ] = None,
    moved: Annotated[
        list[Path] | None,
        typer.Option(
            "--motions",
            metavar="FOLDER",
            help="Well-lit photos, which are moved in known ways in the dark; may be repeated.",
        ),
    ] = None,
    denoise: DenoiseOption = "auto",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all figures, photo by photo, here."),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a PNG of inputs, outputs and references here."),
    ] = None,
) -> None:
    """Measure a model: PSNR and SSIM on pairs, NIQE and colours on any photos, flicker on clips.

    What tapetum enhance writes of each photo is measured. Of photos that are well lit, the PSNR to
    themselves (kept dB) says whether they are left alone. With --noise, what takes noise out is
    compared with filters of the ffmpeg program; with --motions, measured where things move.

    Example: tapetum evaluate grid --pairs low/ high/ --photos dark/ --sheet look.png
    """
    if not (pairs or photos or clips or noisy or moved):
        raise typer.BadParameter(
            "name something to measure: --pairs, --photos, --clip, --noise or --motions"
        )
    folders = [*(pairs or ()), *(photos or ())]
    if sheet:
        _require_usable_sheet(sheet, folders, json_file)
    for output in filter(None, (json_file, sheet)):
        _require_place(output, folders)
    try:
        from tapetum.benchmarks.evaluate.evaluation import PhotoSet
        from tapetum.benchmarks.evaluate.evaluation import evaluate as measure
    except ImportError as error:
        raise ModelError(
            f"tapetum evaluate needs {error.name}: pip install 'tapetum[train]'"
        ) from error
    photo_sets = [PhotoSet(*pairs)] if pairs else []
    photo_sets += [PhotoSet(folder) for folder in photos or []]
    work = partial(
        measure, model, photo_sets, clips or [], noisy or [], moved or [], denoise=denoise
    )
    result = _evaluate_visibly(model, work)
    _print_tables(result)
    if json_file:
        _write_json(result, json_file)
    if sheet:
        from tapetum.benchmarks.evaluate.contact_sheet import write_contact_sheet

        write_contact_sheet(result, sheet)


def _require_usable_sheet(sheet: Path, folders: list[Path], json_file: Path | None) -> None:
    if not folders:
        raise typer.BadParameter("--sheet shows photos; add --pairs or --photos")
    if sheet.suffix.lower() != ".png":
        raise typer.BadParameter(f"--sheet writes a PNG; name {sheet} so")
    if json_file and sheet.resolve() == json_file.resolve():
        raise typer.BadParameter("--json and --sheet name one file; give each its own")


def _require_place(output: Path, folders: list[Path]) -> None:
    """Refuse, before all the work, an output with no folder or that would be one of the photos."""
    from tapetum.benchmarks.measure.errors import BenchmarkError
    from tapetum.gan.photos import SUFFIXES

    if not output.parent.is_dir():
        raise BenchmarkError(f"{output} cannot be written: there is no folder {output.parent}")
    if output.is_dir():
        raise BenchmarkError(f"{output} cannot be written: it is a folder; name a file in it")
    for folder in folders:
        if output.suffix.lower() in SUFFIXES and output.resolve().is_relative_to(folder.resolve()):
            raise BenchmarkError(f"{output} would be one of the photos in {folder}; name another")


def _evaluate_visibly(model: str, work: Callable[..., Evaluation]) -> Evaluation:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(model))
        return work(
            on_progress=lambda what, done, total: bar.update(
                task, description=escape(what), completed=done, total=total
            )
        )


def _print_tables(result: Evaluation) -> None:
    from rich.console import Console

    from tapetum.benchmarks.evaluate.evaluation import MEANING, clip_table, photo_table
    from tapetum.benchmarks.evaluate.motion_scores import motion_table
    from tapetum.benchmarks.evaluate.restoring import restoring_tables

    console = Console()
    tables = [photo_table(result.photos), clip_table(result.clips)]
    for table in [*tables, *restoring_tables(result.noisy), motion_table(result.motions)]:
        if table.row_count:
            console.print(table)
    if result.photos:
        console.print(MEANING, highlight=False)


def _write_json(result: Evaluation, path: Path) -> None:
    from tapetum.benchmarks.measure.files import write_json
    from tapetum.benchmarks.measure.machine import machine

    scores = {
        "photos": [asdict(score) for score in result.photos],
        "clips": [asdict(score) for score in result.clips],
        "noise": [asdict(score) for score in result.noisy],
        "motions": [asdict(score) for score in result.motions],
    }
    write_json({"machine": machine(), "model": result.model, **scores}, path)
