"""`python -m tapetum.gan.export_command MODEL OUTPUT`: a checkpoint as an ONNX file.

Of a model that is an ONNX file already, only what it says of itself is written anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import onnx
import typer

from tapetum.gan.checkpoint import load_generator
from tapetum.gan.errors import TapetumError
from tapetum.gan.export import described_by_itself, export_onnx
from tapetum.gan.model import find_model
from tapetum.gan.plain_help import run_alone
from tapetum.gan.whole_file import whole_file


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="grid, unet or a model file.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The ONNX file to write.")],
    *,
    half: Annotated[bool, typer.Option("--half", help="Store a checkpoint in float16.")] = False,
) -> None:
    """Write a model as an ONNX file that says what it is; the numbers of an ONNX file stay."""
    try:
        found = find_model(model)
        if found.is_checkpoint:
            export_onnx(load_generator(found.path), output, half=half)
            return
        said = found.description
        network = described_by_itself(
            onnx.load_from_string(found.onnx()), said.kind, light=said.light
        )
        with whole_file(output) as unfinished:
            onnx.save(network, unfinished)
    except (TapetumError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    run_alone(export)
