"""High dynamic range in the right light: PQ and HLG seen as SDR would show them, and back.

The network knows SDR. An HDR picture is shown to it on a working curve, BT.1886 with its white at
203 cd/m2 (ITU-R BT.2408), and what it does is carried over to the picture's own code values: dark
PQ video becomes as much brighter as its SDR twin. What is brighter than that white stays.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import LEVELS
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.frame import PQ, ColorInfo

Doubles = npt.NDArray[np.float64]

_WHITE_NITS = 203.0
_PQ_NITS = 10_000.0
_HLG_NITS, _HLG_GAMMA = 1000.0, 1.2
"""Peak and system gamma of HLG's reference display (ITU-R BT.2100)."""
_SDR_GAMMA = 2.4
_BT2020 = 9
"""Of ISO/IEC 23091-4."""
_BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593])
_BT709_OF_BT2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
"""From light in BT.2020's primaries to that in BT.709's (ITU-R BT.2087)."""
_HIGHLIGHTS = 0.8
"""From here on, on the working curve, nothing becomes darker: highlights join the white above."""


def to_working(code: Doubles, transfer: int) -> Doubles:
    """Luma or RGB in PQ or HLG, 0 to 1, on the working curve; over 1 for highlights."""
    nits = _pq_to_nits(code) if transfer == PQ else _hlg_to_nits(code)
    working: Doubles = (nits / _WHITE_NITS) ** (1 / _SDR_GAMMA)
    return working


def from_working(working: Doubles, transfer: int) -> Doubles:
    """The inverse of `to_working`; negative values are black."""
    nits = _WHITE_NITS * np.maximum(working, 0) ** _SDR_GAMMA
    return _nits_to_pq(nits) if transfer == PQ else _nits_to_hlg(nits)


def shown_thumbnail(thumbnail: Floats, color: ColorInfo) -> Floats:
    """A frame's thumbnail as an SDR screen shows it: of HDR, that of its SDR twin.

    Args:
        thumbnail: (1, 3, 256, 256) RGB in [0, 1].
        color: of the frame.

    Returns:
        The same, in BT.709's primaries where the frame is HDR; else `thumbnail` itself.
    """
    if not color.is_hdr:
        return thumbnail
    codes = thumbnail[0].astype(np.float64)
    nits = _pq_to_nits(codes) if color.transfer == PQ else _hlg_rgb_to_nits(codes)
    if color.primaries == _BT2020:
        nits = np.maximum(np.tensordot(_BT709_OF_BT2020, nits, 1), 0)
    working = np.minimum((nits / _WHITE_NITS) ** (1 / _SDR_GAMMA), 1)
    return working[np.newaxis].astype(np.float32)


def luma_tables(grid: Floats, luma: Floats, transfer: int) -> Floats:
    """What a grid for the working curve makes of luma in code values, at the cells' centres.

    Args:
        grid: (8, 8, 16, 16), as `apply_grid` takes it.
        luma: (count,) code values, 0 for black and 1 for white.
        transfer: `PQ` or `HLG` of `tapetum.realtime.frame`.

    Returns:
        (16, 16, count): row, column, new code value.
    """
    working = to_working(np.clip(luma.astype(np.float64), 0, 1), transfer)
    brighter = _brighter(grid[:2].astype(np.float64), working)
    codes, curve = _inverse_curve(transfer)
    return np.interp(brighter, curve, codes).astype(np.float32).transpose(1, 2, 0)


def chroma_grid(grid: Floats, transfer: int) -> Floats:
    """A grid for the working curve as one that `apply_to_chroma` takes for code values.

    Chroma is a difference of code values: what multiplies it is corrected by the slopes of the
    curve before and after the same change of light.

    Args:
        grid: (8, 8, 16, 16), as `apply_grid` takes it.
        transfer: `PQ` or `HLG` of `tapetum.realtime.frame`.
    """
    codes = ((np.arange(LEVELS) + 0.5) / LEVELS) ** 2
    working = to_working(codes, transfer)
    old = grid.astype(np.float64)
    result = _at_levels(old, np.minimum(working, 1))
    light, brighter = working[:, np.newaxis, np.newaxis], _brighter(old[:2], working)
    slopes = _slope(brighter, transfer) / _slope(light, transfer)
    result[2:] *= np.where(light > 1, 1, slopes)
    return result.astype(np.float32)


def _brighter(gain_and_offset: Doubles, working: Doubles) -> Doubles:
    """(count, 16, 16): the luma curves of a grid's cells, on the working curve."""
    gain, offset = _at_levels(gain_and_offset, np.minimum(working, 1))
    light = working[:, np.newaxis, np.newaxis]
    return kept_highlights(gain * light + offset, light)


def kept_highlights(brighter: npt.ArrayLike, light: npt.ArrayLike) -> Doubles:
    """What became of light on the working curve; highlights are no darker than before."""
    light = np.asarray(light, np.float64)
    brighter = np.clip(np.asarray(brighter, np.float64), 0, 1)
    result: Doubles = np.where(light > _HIGHLIGHTS, np.maximum(brighter, light), brighter)
    return result


def _at_levels(grid: Doubles, luma: Doubles) -> Doubles:
    """A grid's coefficients at other values of luma than its own levels'."""
    place = np.clip(np.sqrt(luma) * LEVELS - 0.5, 0, LEVELS - 1)
    below = np.minimum(place.astype(np.int64), LEVELS - 2)
    weight = (place - below)[:, np.newaxis, np.newaxis]
    coefficients: Doubles = grid[:, below] + weight * (grid[:, below + 1] - grid[:, below])
    return coefficients


def _slope(working: Doubles, transfer: int) -> Doubles:
    """Change of the code value with the working curve."""
    working = np.maximum(working, 0.01)  # where it is black, chroma is none
    step = 1e-4
    return (from_working(working + step, transfer) - from_working(working, transfer)) / step


@lru_cache(maxsize=2)
def _inverse_curve(transfer: int) -> tuple[Doubles, Doubles]:
    codes = np.linspace(0, 1, 8192)
    return codes, to_working(codes, transfer)


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
"""Of PQ (SMPTE ST 2084)."""


def _pq_to_nits(code: Doubles) -> Doubles:
    power = np.clip(code, 0, 1) ** (1 / _M2)
    nits: Doubles = _PQ_NITS * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)
    return nits


def _nits_to_pq(nits: Doubles) -> Doubles:
    power = np.clip(nits / _PQ_NITS, 0, 1) ** _M1
    code: Doubles = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return code


_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
"""Of HLG (ARIB STD-B67)."""


def _hlg_to_nits(code: Doubles) -> Doubles:
    code = np.clip(code, 0, 1)
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12)
    nits: Doubles = _HLG_NITS * scene**_HLG_GAMMA
    return nits


def _hlg_rgb_to_nits(code: Doubles) -> Doubles:
    """The same of the colours (3, H, W): the display's gamma acts on their luminance."""
    scene = (_hlg_to_nits(code) / _HLG_NITS) ** (1 / _HLG_GAMMA)
    luminance = np.tensordot(_BT2020_LUMA, scene, 1)
    nits: Doubles = _HLG_NITS * scene * luminance ** (_HLG_GAMMA - 1)
    return nits


def _nits_to_hlg(nits: Doubles) -> Doubles:
    scene = np.clip(nits / _HLG_NITS, 0, 1) ** (1 / _HLG_GAMMA)
    bright = _A * np.log(np.maximum(12 * scene - _B, 1e-6)) + _C
    code: Doubles = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    return code
