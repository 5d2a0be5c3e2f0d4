"""The clip that ships: a dim room, 640x360, 7.7 s; see samples/README.md."""

from __future__ import annotations

from pathlib import Path

from tapetum.realtime.errors import MediaError

_NAME = "dark_room.mp4"


def sample_clip() -> Path:
    """Where it lies: beside this module in an installation, else in the checkout's `samples`.

    Raises:
        MediaError: this installation lacks it.
    """
    here = Path(__file__)
    for path in (here.with_name(_NAME), here.parents[3] / "samples" / _NAME):
        if path.is_file():
            return path
    raise MediaError("this installation lacks its sample clip; install tapetum anew")
