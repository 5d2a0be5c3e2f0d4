"""Option values that several sub-commands take: text in, checked value or a clear refusal out."""

from __future__ import annotations

import typer

from tapetum.realtime.command.time_text import parse_time
from tapetum.realtime.enhancer import check_device, check_model, checked_strength
from tapetum.realtime.errors import ModelError


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
