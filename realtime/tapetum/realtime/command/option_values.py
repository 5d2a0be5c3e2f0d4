"""Option values that several sub-commands take: text in, checked value or a clear refusal out."""

from __future__ import annotations

import re
from fractions import Fraction

import typer

from tapetum.realtime.command.time_text import parse_time
from tapetum.realtime.enhancer import check_device, check_model, checked_strength
from tapetum.realtime.errors import ModelError
from tapetum.realtime.live.governor import LONGEST_BUDGET_MS

_SIZE = re.compile(r"([1-9]\d*)[x:]([1-9]\d*)")
_BUDGET = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s)?")


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
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number") from None


def parse_strength(text: str) -> float:
    """A number from 0 to 1."""
    try:
        return checked_strength(number(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_time_s(text: str) -> float:
    """Seconds, or [HH:]MM:SS[.mmm]."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_duration_s(text: str) -> float:
    """A time over 0 s."""
    seconds = parse_time_s(text)
    if seconds <= 0:
        raise typer.BadParameter(f"a duration is a time over 0 s; got {text}")
    return seconds


def camera_name(text: str | None) -> str | None:
    """A camera's number or device; which exist is seen when it is opened."""
    if text is None or text.isdecimal() or text.startswith("/dev/"):
        return text
    raise typer.BadParameter(
        f"{text!r} is no camera; give its number or device, like 0 or /dev/video0"
    )


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
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"{text!r} is no rate; write 30, 29.97 or 30000/1001") from None
    if not 0 < rate <= 1000:
        raise typer.BadParameter(f"a rate is over 0 and up to 1000 frames per second; got {text}")
    return rate


def parse_budget_ms(text: str) -> float:
    """A time over 0 and up to a minute, like 50ms, in ms."""
    match = _BUDGET.fullmatch(text)
    budget_ms = 0.0 if match is None else number(match[1]) * (1000 if match[2] == "s" else 1)
    if budget_ms <= 0:
        raise typer.BadParameter(f"{text!r} is no time over 0; write 50ms or 0.05s")
    if budget_ms > LONGEST_BUDGET_MS:
        raise typer.BadParameter(f"{text!r} is longer than a minute; write 50ms or 0.05s")
    return budget_ms
