"""`tapetum demo`: the sample clip made bright, and shown."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from tapetum.realtime.command.options import QuietOption

_DEFAULT = Path("tapetum-demo.mp4")


def demo(
    output_path: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT",
            help=f"File to write; by default {_DEFAULT}, which is replaced.",
            show_default=False,
        ),
    ] = None,
    *,
    is_opened: Annotated[
        bool,
        typer.Option("--open/--no-open", help="Open the result in this system's player."),
    ] = True,
    quiet: QuietOption = False,
) -> None:
    """Make the clip that ships with Tapetum bright: before on the left, after on the right.

    For example:

      tapetum demo

      tapetum demo before-after.mkv --no-open
    """
    from tapetum.realtime.command.enhance_command import enhance
    from tapetum.realtime.sample_clip import sample_clip

    output = output_path or _DEFAULT
    enhance(
        [str(sample_clip())],
        output,
        compare="side-by-side",
        overwrite=output_path is None,
        quiet=quiet,
    )
    if is_opened and not _is_shown(output) and not quiet:
        typer.echo(f"this system has no player that could be opened; look at {output}", err=True)
    if not quiet:
        typer.echo("yours next: tapetum enhance dark.mp4 bright.mp4", err=True)


def _is_shown(path: Path) -> bool:
    """Hand a file to the system's player; False where there is no screen or no player."""
    if sys.platform not in {"win32", "darwin"}:
        screens = ("DISPLAY", "WAYLAND_DISPLAY")
        if not any(os.environ.get(name) for name in screens) or shutil.which("xdg-open") is None:
            return False
    return typer.launch(str(path.absolute())) == 0
