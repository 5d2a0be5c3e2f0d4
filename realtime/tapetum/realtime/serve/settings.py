"""How the page is served, with the defaults of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.serve.limits import Limits


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to serve.

    Attributes:
        host: address to listen on; beyond this machine a token is asked for.
        port: TCP port, 0 for any that is free.
        source: a camera, stream or file of this machine to offer, or None.
        size: width and height in pixels to ask that camera for.
        rate: frames per second to ask it for.
        loop: whether a file is played over and over while it is watched.
        models: names and files of the models to offer, the default first; at least one.
        strength: that pages start with, from 0 to 2.
        when_dark: whether pages start with well-lit pictures left as they are.
        brightness: mean luma that pages start with wanting of grid models, or None.
        device: `auto` or `cpu`, or a GPU such as `cuda`, for pictures and files alike.
        denoise: how much noise `grid` takes out: `auto`, `off`, or from 0 to 1.
        latency_budget_ms: how long a live frame may be with us.
        limits: how much a page may ask for.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    source: str | None = None
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    loop: bool = False
    models: Sequence[str | Path] = ("grid",)
    strength: float = 1.0
    when_dark: bool = True
    brightness: float | None = None
    device: Device = "auto"
    denoise: Denoise = "auto"
    latency_budget_ms: float = 50.0
    limits: Limits = field(default_factory=Limits)
