"""Runs a plan for somebody at a terminal, and for the files that were asked for."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tapetum.benchmarks.bench.result_csv import write_csv
from tapetum.benchmarks.bench.result_table import (
    notes,
    quality_table,
    result_tables,
    stage_tables,
    usage_table,
)
from tapetum.benchmarks.bench.suite import Plan, Run, run_suite
from tapetum.benchmarks.json_file import write_json


def run_and_show(plan: Plan, *, json_file: Path | None, csv_file: Path | None) -> None:
    """Measure all of a plan, write the files as it goes on, and print the tables.

    What was measured before an error, or before the user stopped it, is written and printed too.

    Raises:
        TapetumError: a measurement cannot be made, or a file cannot be written.
    """
    latest: list[Run] = []
    errors = Console(stderr=True)

    def keep(run: Run) -> None:
        latest[:] = [run]
        _write(run, json_file, csv_file)

    try:
        with errors.status("setting up") if errors.is_terminal else nullcontext() as status:
            show = (lambda line: status.update(Text(line))) if status else (lambda _: None)
            run_suite(plan, keep=keep, tell=show)
    finally:
        for run in latest:
            _print(run)


def _write(run: Run, json_file: Path | None, csv_file: Path | None) -> None:
    if json_file is not None:
        write_json(run, json_file)
    if csv_file is not None:
        write_csv(run, csv_file)


def _print(run: Run) -> None:
    results = run["results"]
    if not results:
        return
    console = Console(highlight=False, markup=False, emoji=False)  # a clip may be "[night].mp4"
    tables = (*result_tables(results), usage_table(results), *stage_tables(results))
    for table in (*tables, quality_table(results)):
        if table.row_count:
            console.print(table)
    for line in notes(run):
        console.print(line)
