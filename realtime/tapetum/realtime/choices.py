"""The names that options take, in one place that is light to import."""

from __future__ import annotations

from typing import Literal, get_args

Device = str
"""`auto` is the CPU, `cuda` the first NVIDIA GPU and `cuda:1` the second."""

Denoise = Literal["auto", "off"] | float
"""`auto` takes noise out where the picture is brightened; a number from 0 to 1, that share of it
everywhere; `off` leaves it in."""

Layout = Literal["side-by-side", "wipe"]
"""`side-by-side`: twice the width, original on the left. `wipe`: a divider moves across."""

PipeFormat = Literal["y4m", "rawvideo"]
"""`y4m`: size, pixel format and rate are in the stream. `rawvideo`: nothing but pixels."""

Sync = Literal["repeat", "drop"]
"""Where a pipe lacks a frame: `repeat` the last, so that time stays right, or `drop` it."""

DEVICES = "auto, cpu, cuda or cuda:INDEX"
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
PIPE_FORMATS: tuple[PipeFormat, ...] = get_args(PipeFormat)
SYNCS: tuple[Sync, ...] = get_args(Sync)
