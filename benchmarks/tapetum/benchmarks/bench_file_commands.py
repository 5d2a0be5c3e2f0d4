"""`tapetum bench compare`, `report` and `document`: what is done with the files of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapetum.benchmarks.bench.choices import LEAST_REPEATS
from tapetum.benchmarks.bench.errors import BenchmarkError

if TYPE_CHECKING:
    from tapetum.benchmarks.bench.comparison import Change


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no percentage, like 5%") from None
    if not percent >= 0:  # nor is nan, which nothing is above
        raise typer.BadParameter(f"a limit is 0% or more; got {text}")
    return percent


def compare(
    before_file: Annotated[Path, typer.Argument(metavar="BEFORE", help="A file of --json.")],
    after_file: Annotated[Path, typer.Argument(metavar="AFTER", help="Another.")],
    *,
    fail_above: Annotated[
        float | None,
        typer.Option(
            parser=_percent,
            metavar="PERCENT",
            help="Exit with status 1 if anything is significantly slower by more than this.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say what got slower or faster between two runs on one machine.

    A change counts where its whole 95 % confidence interval is on one
    side of 0: more than the noise between repeats explains.

    For example:

      tapetum bench compare before.json after.json --fail-above 5%
    """
    from rich.console import Console

    from tapetum.benchmarks.bench import comparison
    from tapetum.benchmarks.bench.result import read_run
    from tapetum.benchmarks.bench.result_table import change_table, comparison_notes

    before, after = read_run(before_file), read_run(after_file)
    changes = comparison.compare(before, after)
    console = Console(highlight=False, markup=False, emoji=False)  # a clip may be "[night].mp4"
    console.print(change_table(changes))
    alone = comparison.only_in_one(before, after)
    for line in comparison_notes(before, after, changes, alone):
        console.print(line)
    if fail_above is not None:
        for change in changes:
            if change.hides(fail_above):
                most = f"{change.percent_ci95[1]:+.1f} %"
                console.print(f"note: {change.key}: too noisy, it may be {most}")
        _fail_above(fail_above, changes)


def _fail_above(limit_percent: float, changes: list[Change]) -> None:
    unsure = [str(each.key) for each in changes if each.verdict == "too few repeats"]
    if unsure:
        raise BenchmarkError(
            f"nothing can be said with fewer than {LEAST_REPEATS} repeats: {'; '.join(unsure)}"
        )
    failed = [str(each.key) for each in changes if each.fails(limit_percent)]
    if failed:
        raise BenchmarkError(f"slower by more than {limit_percent:g} %: {'; '.join(failed)}")


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
        from tapetum.benchmarks.bench.charts import charts, write_charts
        from tapetum.benchmarks.bench.html_report import html_report
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
    from tapetum.benchmarks.performance_tables import write_document

    write_document(results, target)
