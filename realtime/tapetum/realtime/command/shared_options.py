"""Options that several sub-commands share, each declared once."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import typer

from tapetum.realtime.command.option_values import (
    device_name,
    model_name,
    parse_rate,
    parse_strength,
)

REPORT = "Output on the screen"
"""The panel of the help for options that change what is printed."""

ModelOption = Annotated[
    str,
    typer.Option(
        metavar="grid|unet|FILE",
        callback=model_name,
        help="[b]grid[/b] runs in real time on a CPU; [b]unet[/b] is EnlightenGAN's network;"
        " or a model FILE (.onnx, .safetensors, .pth, .pt).",
    ),
]

StrengthOption = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        parser=parse_strength,
        help="0 leaves the picture as it is, 1 is the model's own output.",
    ),
]

DeviceOption = Annotated[
    str,
    typer.Option(metavar="auto|cpu|cuda[:N]", callback=device_name, help="Where the model runs."),
]

SizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="WxH",
        help="Picture size to ask the camera or screen for.",
        show_default=False,
    ),
]

RateOption = Annotated[
    Fraction | None,
    typer.Option(
        parser=parse_rate,
        metavar="FPS",
        help="Frames per second to ask the camera or screen for.",
        show_default=False,
    ),
]

QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print errors and warnings only.", rich_help_panel=REPORT),
]
