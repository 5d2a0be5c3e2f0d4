"""Grids for a page that brightens its camera's pictures by itself: thumbnails in, grids out.

The picture never leaves the browser, but for a thumbnail of 256x256: the network looks at that
here, and the page's shader applies the grid that comes of it to the very picture on the screen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import THUMBNAIL
from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.errors import ModelError, ServeError
from tapetum.realtime.live.ladder import stays_well_lit
from tapetum.realtime.live.look_pace import PacedGrids

_THUMBNAIL_BYTES = 3 * THUMBNAIL * THUMBNAIL
_SINGLE = 64


@dataclass(frozen=True, slots=True)
class Lit:
    """What makes a page's grids.

    Attributes:
        mode: the model's name.
        runs_on: what runs where, like "grid on CPU, OpenVINO f32".
    """

    mode: str
    runs_on: str


def gives_grids(model: str | Path) -> bool:
    """Whether a model gives grids; not so if it cannot be read, which is told who chooses it."""
    try:
        return find_model(model).description.kind == "grid"
    except ModelError:
        return False


class Lighting:
    """Makes the grids of one page's picture; its methods take a while and belong in a thread.

    Attributes:
        aim: when pictures are made bright, and how bright; may be set at any time.
        strength: from 0 to 2, at which the page shows its grids; may be set at any time.
        model: what was loaded last, or begins to be.
        well_lit: whether the last picture stayed as it was because it was well lit.
    """

    def __init__(self, aim: Aim = Aim()) -> None:  # noqa: B008 - it is immutable
        self.aim = aim
        self.strength = 1.0
        self.model: str | Path | None = None
        self.well_lit = False
        self._enhancer: GridEnhancer | None = None
        self._paced = PacedGrids(aim)

    def load(self, model: str | Path) -> Lit:
        """Take a model, with no past.

        Raises:
            ServeError: it gives no grid.
            ModelError: it cannot be loaded.
        """
        self.model = model
        enhancer = make_enhancer(model)
        if not isinstance(enhancer, GridEnhancer):
            raise ServeError(f"{Path(model).name} makes whole pictures, which the server must do")
        self._enhancer = enhancer
        return Lit(Path(model).stem, enhancer.description)

    def grid(self, thumbnail: bytes) -> bytes:
        """The steady grid of the picture now.

        Args:
            thumbnail: (256, 256, 3) RGB, then (64, 64) luma of single pixels, each byte 255 times
                the square root of a value in [0, 1].

        Returns:
            (8, 8, 16, 16) float32, little-endian.

        Raises:
            ServeError: it is no thumbnail, or no model was loaded.
            EngineError: the network fails.
        """
        enhancer = self._enhancer
        if enhancer is None or len(thumbnail) != _THUMBNAIL_BYTES + _SINGLE * _SINGLE:
            raise ServeError("a thumbnail that this server does not expect")
        values = np.square(np.frombuffer(thumbnail, np.uint8) / np.float32(255))
        rgb = values[:_THUMBNAIL_BYTES].reshape(1, THUMBNAIL, THUMBNAIL, 3).transpose(0, 3, 1, 2)
        single = values[_THUMBNAIL_BYTES:].reshape(_SINGLE, _SINGLE)
        enhancer.aim = self.aim
        small, now_s = np.ascontiguousarray(rgb), time.monotonic()
        grid = enhancer.steady_grid(small, time_s=now_s)
        self.well_lit = stays_well_lit(self.well_lit, enhancer.most_needed())
        paced = self._paced(grid, small, single, now_s, self.aim, strength=self.strength)
        return paced.astype("<f4").tobytes()
