"""`tapetum jobs`: long films that were begun and are not whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapetum.realtime.counted import counted

if TYPE_CHECKING:
    from tapetum.realtime.segments.job_folder import UnfinishedJob

jobs = typer.Typer(
    help="List or remove what is kept of long films that are not whole yet. To continue one, give"
    " the command that began it again.",
    invoke_without_command=True,
)

_Folder = Annotated[
    Path,
    typer.Argument(
        metavar="[FOLDER]",
        exists=True,
        file_okay=False,
        help="Where the outputs are to be; folders in it count. By default the one you are in.",
        show_default=False,
    ),
]


@jobs.callback()
def _list_here(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_jobs()


@jobs.command("list")
def list_jobs(folder: _Folder = Path()) -> None:
    """Say which films are not whole, and how far they are."""
    for job in _found(folder):
        running = ", a process is at work on it" if job.is_running else ""
        size_mb = job.size_bytes / 1e6
        frames = counted(job.frames, "frame")
        typer.echo(f"{job.output}: {frames} of {job.input}, {size_mb:.1f} MB{running}")


@jobs.command("clean")
def clean(folder: _Folder = Path()) -> None:
    """Remove what is kept of them, but of those that a process is at work on."""
    from tapetum.realtime.segments.job_folder import remove_job

    for job in _found(folder):
        if job.is_running:
            typer.echo(f"{job.output}: kept, a process is at work on it")
        else:
            remove_job(job)
            typer.echo(f"{job.output}: removed {counted(job.frames, 'frame')}")


def _found(folder: Path) -> Iterator[UnfinishedJob]:
    """The unfinished jobs below a folder; where there is none, a person reads that."""
    from tapetum.realtime.segments.job_folder import unfinished_jobs

    job = None
    for job in unfinished_jobs(folder):
        yield job
    if job is None:
        typer.echo(f"no unfinished films in {folder.absolute()}", err=True)
