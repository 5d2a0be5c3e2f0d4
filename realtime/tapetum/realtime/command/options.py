"""What the sub-commands share: exit statuses, options, and the values that options take.

A value is text in, checked value or a clear refusal out.
"""

from __future__ import annotations

import math
import re
import time
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

import typer

from tapetum.realtime.aim import checked_brightness
from tapetum.realtime.choices import Denoise
from tapetum.realtime.enhancer import (
    check_device,
    check_model,
    checked_denoise,
    checked_strength,
)
from tapetum.realtime.errors import ModelError
from tapetum.realtime.live.governor import LONGEST_BUDGET_MS

OK = 0
FAILED = 1
USAGE = 2
DAMAGED_INPUT = 3
"""The output is whole, but the input was cut short or had packets that did not decode."""

HELP = (
    "Exit status: 0 done; 1 failed, one line says why; 2 an option is wrong; 3 done, but the"
    " input was cut short or damaged; 130 stopped by Ctrl-C; 143 stopped by SIGTERM;"
    " 129 its terminal was closed."
)

_WHOLE, _DECIMAL = r"[0-9]{1,9}", r"(?:[0-9]{1,9}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})"
"""No value has more digits; a number with a large exponent would take all memory as a fraction."""
_SIZE = re.compile(r"([1-9][0-9]{0,8})[x:]([1-9][0-9]{0,8})")
_AMOUNT = re.compile(rf"({_DECIMAL})\s*(ms|s)?")
_AGE = re.compile(rf"({_DECIMAL})([mhd])")
_CLOCK = re.compile(rf"(?:(?:({_WHOLE}):)?([0-5]?[0-9]):)?([0-5]?[0-9](?:\.[0-9]{{0,12}})?)")
_RATE = re.compile(rf"{_DECIMAL}|{_WHOLE}/{_WHOLE}")


def model_name(name: str) -> str:
    """A model's name or an existing model file."""
    try:
        check_model(name)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from None
    return name


def device_name(name: str) -> str:
    """auto, cpu, cuda or cuda:INDEX."""
    try:
        check_device(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return name


def number(text: str) -> float:
    """Any number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise typer.BadParameter(f"{text!r} is no number")
    return value


def parse_strength(text: str) -> float:
    """A number from 0 to 2."""
    try:
        return checked_strength(number(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_brightness(text: str) -> float | None:
    """A number over 0 and under 1."""
    try:
        return checked_brightness(number(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_denoise(text: str) -> Denoise:
    """`auto`, `off`, or a number from 0 to 1."""
    if text == "auto":
        return "auto"
    if text == "off":
        return "off"
    try:
        return checked_denoise(float(text))
    except ValueError:
        raise typer.BadParameter(f"it is auto, off, or from 0 to 1; got {text}") from None


def parse_workers(text: str) -> int | Literal["auto"]:
    """`auto`, or 1 or more."""
    if text == "auto":
        return "auto"
    if not text.isdecimal() or not int(text):
        raise typer.BadParameter(f"workers are 1 or more, or auto; got {text}")
    return int(text)


def parse_time_s(text: str) -> float:
    """`90s`, `90.5`, `250ms`, `1:30`, `01:30.250` or `1:00:00`, in seconds."""
    if (plain := _AMOUNT.fullmatch(text)) is not None:
        return float(plain[1]) / (1000 if plain[2] == "ms" else 1)
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no time; write seconds, like 90 or 1.5s, or [HH:]MM:SS[.mmm]"
        )
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def parse_moment_s(text: str) -> float:
    """`90m`, `12h` or `7d` ago, or a date such as `2026-11-29`, in seconds since 1970."""
    if (age := _AGE.fullmatch(text)) is not None:
        return time.time() - float(age[1]) * {"m": 60, "h": 3600, "d": 86_400}[age[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no age or date; write 90m, 12h, 7d, or 2026-11-29"
        ) from None


def parse_duration_s(text: str) -> float:
    """A time over 0 s."""
    seconds = parse_time_s(text)
    if seconds <= 0:
        raise typer.BadParameter(f"a duration is a time over 0 s; got {text}")
    return seconds


def camera_name(text: str | None) -> str | None:
    """A camera's number, device or name; which exist is seen when it is opened."""
    if text is None or text.isdecimal() or text.startswith("/dev/"):
        return text
    return f"camera:{text}"


def one_source(source: str | None, camera: str | None) -> str | None:
    """What --source or --camera names; None without both of them."""
    if source is not None and camera is not None:
        raise typer.BadParameter("--source and --camera are two sources; give one of them")
    return source if camera is None else camera


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size; write WIDTHxHEIGHT, like 1280x720")
    return int(match[1]), int(match[2])


def parse_rate(text: str) -> Fraction:
    """Frames per second."""
    text = text.strip()
    if _RATE.fullmatch(text) is None:
        raise typer.BadParameter(f"{text!r} is no rate; write 30, 29.97 or 30000/1001")
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"{text!r} is no rate; write 30, 29.97 or 30000/1001") from None
    if not 0 < rate <= 1000:
        raise typer.BadParameter(f"a rate is over 0 and up to 1000 frames per second; got {text}")
    return rate


def parse_budget_ms(text: str) -> float:
    """A time with its unit, over 0 and up to a minute, like 50ms or 0.05s, in ms."""
    match = _AMOUNT.fullmatch(text)
    if match is not None and match[2] is None and float(match[1]) > 0:
        # Other options take a plain number for seconds, and nobody means fifty of them here.
        raise typer.BadParameter(f"{text} of what? Write {text}ms or {text}s")
    budget_ms = 0.0 if match is None else float(match[1]) * (1000 if match[2] == "s" else 1)
    if budget_ms <= 0:
        raise typer.BadParameter(f"{text!r} is no time over 0; write 50ms or 0.05s")
    if budget_ms > LONGEST_BUDGET_MS:
        raise typer.BadParameter(f"{text!r} is longer than a minute; write 50ms or 0.05s")
    return budget_ms


REPORT = "Output on the screen"
"""The panel of the help for options that change what is printed."""
MANY = "Many files"
"""The panel of the help for options of jobs of many files."""

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
        metavar="0..2",
        parser=parse_strength,
        help="0 leaves the picture as it is, 1 is the model's own output, 2 the most.",
    ),
]

WhenDarkOption = Annotated[
    bool,
    typer.Option(
        "--when-dark/--always",
        help="Leave what is well lit as it is, or give every picture the model's output.",
    ),
]

BrightnessOption = Annotated[
    float | None,
    typer.Option(
        metavar="0..1",
        parser=parse_brightness,
        help="Bring every picture to this mean luma, like 0.45, as far as strengths up to 2 can."
        " For [b]grid[/b].",
        show_default=False,
    ),
]

WorkersOption = Annotated[
    Any,  # typer knows no unions
    typer.Option(
        metavar="N|auto",
        parser=parse_workers,
        help="Share the work among so many processes of one thread each, the segments of a long"
        " film too; auto is one for each core.",
        rich_help_panel=MANY,
        show_default=False,
    ),
]

DenoiseOption = Annotated[
    Any,  # typer knows no unions
    typer.Option(
        metavar="auto|off|0..1",
        parser=parse_denoise,
        help="How much noise to take out: by how much the picture is brightened, or a share of it.",
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

LoopOption = Annotated[
    bool,
    typer.Option("--loop/--no-loop", help="Play a file over and over, or once."),
]

QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print errors and warnings only.", rich_help_panel=REPORT),
]
