"""`tapetum bench compare` and `tapetum bench ab`: whether one version is slower than another."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapetum.benchmarks.measure.choices import BUILT_IN, LEAST_REPEATS
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.model_kinds import KINDS

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


_FailAboveOption = Annotated[
    float | None,
    typer.Option(
        parser=_percent,
        metavar="PERCENT",
        help="Exit with status 1 if anything is significantly slower by more than this.",
        show_default=False,
    ),
]


def compare(
    before_file: Annotated[Path, typer.Argument(metavar="BEFORE", help="A file of --json.")],
    after_file: Annotated[Path, typer.Argument(metavar="AFTER", help="Another.")],
    *,
    fail_above: _FailAboveOption = None,
) -> None:
    """Say what got slower or faster between two runs on one machine.

    A change counts where its whole 95 % confidence interval is on one
    side of 0: more than the noise between repeats explains. What differs
    between two sessions on one machine is not seen, and is often 5 %:
    tapetum bench ab measures two versions in one session.

    For example:

      tapetum bench compare before.json after.json --fail-above 5%
    """
    from rich.console import Console

    from tapetum.benchmarks.bench import comparison
    from tapetum.benchmarks.bench.result import read_run
    from tapetum.benchmarks.bench.tables import change_table, comparison_notes

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


def ab(
    old: Annotated[
        Path,
        typer.Argument(metavar="OLD", help="A checkout, a virtual environment or a Python."),
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another.")],
    *,
    model: Annotated[str, typer.Option(metavar="grid|unet|FILE", help="What enhances.")] = "grid",
    sizes: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="Of frames, as for tapetum bench; may be repeated. By default 720p and 1080p.",
            show_default=False,
        ),
    ] = None,
    clip: Annotated[
        str,
        typer.Option(
            "--input", metavar=f"FILE|{BUILT_IN}|none", help="The clip of the file job, or none."
        ),
    ] = BUILT_IN,
    rounds: Annotated[
        int, typer.Option(min=5, help="In each, two processes of OLD and one of NEW.")
    ] = 10,
    fail_above: _FailAboveOption = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all that was measured here."),
    ] = None,
) -> None:
    """Measure two versions against each other, in turns, and say if they differ.

    OLD runs twice in each round: by what it differs from itself, nothing
    can be told on this machine.

    For example:

      git worktree add ../before main~1

      tapetum bench ab ../before . --fail-above 5%
    """
    from rich.console import Console

    from tapetum.benchmarks.bench import ab as versions
    from tapetum.benchmarks.bench.tables import difference_notes, difference_table
    from tapetum.benchmarks.measure.choices import parse_size
    from tapetum.benchmarks.measure.files import write_json
    from tapetum.benchmarks.measure.frames import clip_path
    from tapetum.gan.model import find_model

    find_model(model)  # a wrong name is said before anything runs
    name = model if model in KINDS else str(Path(model).absolute())
    file = None if clip == "none" else clip_path(clip)
    if file is not None and not file.is_file():
        raise BenchmarkError(f"{file} does not exist; give a clip as --input, or none")
    pixels = [parse_size(size) for size in sizes or ("720p", "1080p")]
    old_side, new_side = versions.side(old), versions.side(new)
    errors = Console(stderr=True, highlight=False, markup=False)
    with errors.status("") if errors.is_terminal else nullcontext() as status:
        seen = versions.observe(
            old_side,
            new_side,
            versions.figures(Path(model).stem, pixels, file),
            model=name,
            rounds=rounds,
            tell=status.update if status else (lambda _line: None),
        )
    found = versions.differences(seen)
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(difference_table(found))
    for line in difference_notes(found, fail_above):
        console.print(line, soft_wrap=True)
    if json_file is not None:
        write_json(versions.as_json(old_side, new_side, seen, found), json_file)
    slower = [each.figure for each in found if fail_above is not None and each.fails(fail_above)]
    if slower:
        raise BenchmarkError(f"slower by more than {fail_above:g} %: {'; '.join(slower)}")
