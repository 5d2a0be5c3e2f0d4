"""The `tapetum` command: finds the sub-commands, runs one, and turns errors into one line.

A package adds a sub-command by an entry point in the group `tapetum.commands` that names a
function (with Typer's annotations) or a `typer.Typer`; the module must be light to import.
"""

from __future__ import annotations

import errno
import io
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer

from tapetum.gan.errors import TapetumError
from tapetum.gan.plain_help import PlainCommand, PlainGroup, with_plain_help
from tapetum.realtime.background import exit_process
from tapetum.realtime.command.options import FAILED, HELP, OK, USAGE
from tapetum.realtime.command.stopped import Stopped, StopSignals

COMMANDS = "tapetum.commands"
"""The entry point group of sub-commands."""

_OWN = {
    "demo": "demo_command",
    "enhance": "enhance_command",
    "live": "live_command",
    "serve": "serve_command",
    "doctor": "doctor",
    "jobs": "jobs_command",
    "plugin": "plugin_command",
}
"""The modules of this package's own commands, each of which has the command under its name."""
_TELLING_MORE = ("demo", "enhance", "live", "serve")
"""Those whose help ends with where there is more."""
_VERSION = "--version"


_ANY_ARGUMENTS = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
"""For a command that has one answer to all of them."""


_STDOUT_ERRORS = (errno.ENOSPC, errno.EIO)
"""Its disk is full, or its terminal gone; other outputs tell of theirs by `MediaError`."""


_NO_MEMORY = ("Cannot allocate memory", "failed to map segment", "std::bad_alloc")
"""What the system's loader and C++ say where memory runs out."""


def main() -> None:
    """Run the command line of this process and exit."""
    exit_process(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run `tapetum ARGUMENTS...` and return the exit status; errors are one line on stderr."""
    try:
        with StopSignals():
            return (
                _app(*arguments[:1])(list(arguments), prog_name="tapetum", standalone_mode=False)
                or OK
            )
    except typer.TyperException as error:
        return _usage(error)
    except TapetumError as error:
        return _fail(str(error), FAILED)
    except Stopped as error:
        return _fail(str(error), error.exit_status)
    except Exception as error:  # noqa: BLE001
        return _unexpected(error)


def _usage(error: typer.TyperException) -> int:
    message = error.format_message()
    if not message:  # `tapetum` alone: the help was shown
        return USAGE
    context = getattr(error, "ctx", None)
    command = "tapetum" if context is None else context.command_path
    return _fail(f"{message} ({command} --help tells more)", USAGE)


def _unexpected(error: Exception) -> int:
    """Tell of a full stdout or memory in one line, or else of a bug in Tapetum, with all of it."""
    if isinstance(error, OSError) and error.filename is None and error.errno in _STDOUT_ERRORS:
        sys.stdout = io.StringIO()  # Python flushes it at its end, and would fail again
        return _fail(f"cannot write to stdout: {error.strerror}", FAILED)
    if _lacks_memory(error):
        few = "there is too little memory; close other programs, raise the limit (ulimit -v), or"
        return _fail(f"{few} take a smaller picture", FAILED)
    traceback.print_exception(error)
    return _fail("this is a bug in Tapetum; please report it with the lines above", FAILED)


def _lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out, here or where a library was loaded."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    if any(words in str(error) for words in _NO_MEMORY):
        return True
    before = error.__cause__ or error.__context__
    return before is not None and _lacks_memory(before)


def _fail(message: str, status: int) -> int:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    return status


def _app(asked: str = "") -> typer.Typer:
    """The command, with the one sub-command that is asked for where there is one of that name.

    What the others take is loaded and described only where all are listed.
    """
    app = typer.Typer(
        name="tapetum",
        cls=PlainGroup,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=HELP,
    )
    app.callback()(_tapetum)
    if asked == _VERSION:
        return app
    if asked in _OWN:
        _add_own(app, asked)
        return app
    entries = sorted(entry_points(group=COMMANDS), key=lambda entry: entry.name)
    named = [entry for entry in entries if entry.name == asked]
    for name in () if named else _OWN:
        _add_own(app, name)
    for entry in named or entries:
        _add(app, entry)
    return app


def _add_own(app: typer.Typer, name: str) -> None:
    command = getattr(import_module(f"tapetum.realtime.command.{_OWN[name]}"), name)
    _register(app, name, command, epilog=HELP if name in _TELLING_MORE else None)


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    """Add a command; one that cannot be had says so where it is asked for, and harms no other."""
    try:
        command = entry.load()
        _check(command)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything
        app.command(entry.name, hidden=True, context_settings=_ANY_ARGUMENTS)(_broken(entry, error))
    else:
        _register(app, entry.name, command)


def _check(command: Any) -> None:  # noqa: ANN401 - as it was loaded
    """Raise what Typer raises for it: asked of the whole app, that would end every command."""
    alone = typer.Typer()
    _register(alone, "alone", command)
    typer.main.get_command(alone)


def _register(
    app: typer.Typer,
    name: str,
    command: Any,  # noqa: ANN401 - as it was loaded
    epilog: str | None = None,
) -> None:
    if isinstance(command, typer.Typer):
        app.add_typer(with_plain_help(command), name=name)
    else:
        app.command(name, cls=PlainCommand, epilog=epilog)(command)


def _broken(entry: EntryPoint, error: BaseException) -> Callable[[], None]:
    """A command that tells why there is none."""
    package = "its package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
    reason = f"{type(error).__name__}: {error}"

    def tell() -> None:
        raise TapetumError(
            f"tapetum {entry.name} cannot be loaded ({reason}); install {package} anew, with all"
            " that it needs, or remove it"
        )

    return tell


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tapetum {version('tapetum')}, MIT licence")
        raise typer.Exit


def _tapetum(
    _version: Annotated[
        bool,
        typer.Option(
            _VERSION, callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Make dark videos and photos bright, in real time; no GPU is needed."""
