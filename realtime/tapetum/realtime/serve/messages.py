"""What a page says to its session over the WebSocket, checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tapetum.realtime.aim import Aim
from tapetum.realtime.enhancer import checked_strength
from tapetum.realtime.errors import ServeError

Camera = Literal["browser", "server"]


@dataclass(frozen=True, slots=True)
class Look:
    """How pictures shall be enhanced, which a page may change at any time.

    Attributes:
        model: the name of one of those that the server offers.
        strength: from 0 to 2.
        aim: when pictures are made bright, and how bright.
    """

    model: str
    strength: float
    aim: Aim


@dataclass(frozen=True, slots=True)
class Watch:
    """Start a live picture: whose camera, and the browser's WebRTC offer.

    `stream` is the page's number for it. What is said of the picture carries it too, so that the
    end of one is not taken for that of the next.
    """

    stream: int
    camera: Camera
    sdp: str
    look: Look


@dataclass(frozen=True, slots=True)
class Light:
    """Make grids for a picture that the page brightens by itself; thumbnails follow as bytes."""

    stream: int
    look: Look


@dataclass(frozen=True, slots=True)
class Stop:
    """End the live picture."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for the time of the server's clock; `sent_ms` is the page's own, and comes back."""

    sent_ms: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give a file up, or throw it away."""

    file: str


Message = Watch | Light | Look | Stop | Ping | Cancel


def parse_message(text: str) -> Message:
    """Read one message.

    Raises:
        ServeError: it is none.
    """
    try:
        fields = json.loads(text)
        return _message(fields.pop("type"), fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ServeError(f"a message that this server does not understand: {error}") from error


def parse_look(query: Mapping[str, str]) -> Look:
    """Read how a file shall be enhanced from the query of its upload, in words of JSON.

    Raises:
        ServeError: it does not say.
    """
    try:
        numbers = {key: json.loads(query[key]) for key in ("strength", "when_dark", "brightness")}
        return _look({"model": query["model"], **numbers})
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ServeError(f"a file that does not say well how to enhance it: {error}") from error


def _message(kind: str, fields: dict[str, object]) -> Message:
    if kind not in _MESSAGES:
        raise ValueError(f"unknown type {kind!r}")
    return _MESSAGES[kind](fields)


def _watch(fields: dict[str, object]) -> Watch:
    return Watch(
        _whole(fields["stream"]),
        _camera(fields["camera"]),
        _text(fields["sdp"]),
        _look(fields),
    )


def _light(fields: dict[str, object]) -> Light:
    return Light(_whole(fields["stream"]), _look(fields))


def _look(fields: dict[str, object]) -> Look:
    brightness = fields["brightness"]
    aim = Aim(_truth(fields["when_dark"]), None if brightness is None else _number(brightness))
    return Look(_text(fields["model"]), checked_strength(_number(fields["strength"])), aim)


def _camera(value: object) -> Camera:
    if value == "browser":
        return "browser"
    if value == "server":
        return "server"
    raise ValueError(f"unknown camera {value!r}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


_MESSAGES: dict[str, Callable[[dict[str, object]], Message]] = {
    "watch": _watch,
    "light": _light,
    "look": _look,
    "stop": lambda _fields: Stop(),
    "ping": lambda fields: Ping(_number(fields["sent_ms"])),
    "cancel": lambda fields: Cancel(_text(fields["file"])),
}
