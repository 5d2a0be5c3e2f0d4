"""Records what `tapetum bench` does not measure: GPUs, and in a checkout live video and more."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import typer

from tapetum.benchmarks.gpu_commands import gpu
from tapetum.gan.errors import TapetumError
from tapetum.gan.plain_help import with_plain_help

IN_CHECKOUT = find_spec("tapetum.benchmarks.experiments") is not None
"""Whether this is the repository, which has experiments that no installation has."""

_ONLY_GPUS = (
    " This installation has the measurements of GPUs alone. Those of memory, training, live video,"
    " the browser, and the tables of the documents belong to the repository: run it in a checkout."
)

app = typer.Typer(
    help=f"{__doc__}{'' if IN_CHECKOUT else _ONLY_GPUS}", no_args_is_help=True, add_completion=False
)
app.add_typer(gpu, name="gpu")
if IN_CHECKOUT:
    from tapetum.benchmarks.experiments.commands import experiments

    app.add_typer(experiments)
with_plain_help(app)


def main() -> None:
    """Run the command line; what cannot be measured is one line on stderr, and status 1."""
    try:
        app()
    except TapetumError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
