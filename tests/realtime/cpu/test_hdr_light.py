"""HDR is brightened by the light of its SDR twin, and not at all where it is well lit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tapetum.realtime import ColorInfo, Frame, make_enhancer
from tapetum.realtime.cpu.hdr_light import from_working, shown_thumbnail, to_working
from tapetum.realtime.frame import HLG, PQ

HEIGHT, WIDTH = 96, 128
Doubles = npt.NDArray[np.float64]


def grey_picture(level: float) -> Doubles:
    """A grey scene on the working curve, from half to one and a half times `level`."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(3).normal(0, 0.005, (HEIGHT, WIDTH))
    scene = level * (1 + 0.5 * np.sin(x / 19) * np.cos(y / 13)) + noise
    clipped: Doubles = np.clip(scene, 0.004, 1)
    return clipped


def as_frame(code: Doubles, color: ColorInfo) -> Frame:
    luma = (64 + 876 * code).round().astype(np.uint16)
    grey = np.full((HEIGHT // 2, WIDTH // 2), 512, np.uint16)
    return Frame((luma, grey, grey.copy()), "yuv420p10le", color=color)


def nits(working: Doubles) -> Doubles:
    return 203 * working**2.4


def code_of(frame: Frame) -> Doubles:
    code: Doubles = (frame.planes[0].astype(np.float64) - 64) / 876
    return code


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("level", [0.04, 0.1, 0.18])
def test_a_dark_picture_becomes_as_bright_as_its_sdr_twin(transfer: int, level: float) -> None:
    scene = grey_picture(level)
    sdr = make_enhancer("grid")(as_frame(scene, ColorInfo(1, 1, 1, 1)))
    color = ColorInfo(9, 1, 9, transfer)
    hdr = make_enhancer("grid")(as_frame(from_working(scene, transfer), color))
    wanted = float(nits(np.clip(code_of(sdr), 0, 1)).mean())
    found = float(nits(to_working(code_of(hdr), transfer)).mean())
    assert found == pytest.approx(wanted, rel=0.1)
    assert wanted > 2 * float(nits(scene).mean())


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_well_lit_picture_stays(transfer: int) -> None:
    color = ColorInfo(9, 1, 9, transfer)
    given = as_frame(from_working(grey_picture(0.5), transfer), color)
    result = make_enhancer("grid")(given)
    for found, wanted in zip(result.planes, given.planes, strict=True):
        assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_highlights_stay(transfer: int) -> None:
    code = from_working(grey_picture(0.08), transfer)
    code[40:50, 40:50] = highlight = from_working(np.array(1.6), transfer)
    color = ColorInfo(9, 1, 9, transfer)
    result = code_of(make_enhancer("grid")(as_frame(code, color)))
    assert result[44:46, 44:46].mean() == pytest.approx(float(highlight), abs=0.002)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_the_curves_are_those_of_the_standard(transfer: int) -> None:
    white = to_working(np.array({PQ: 0.58069, HLG: 0.75}[transfer]), transfer)
    assert float(white) == pytest.approx(1, abs=0.005)  # ITU-R BT.2408, table 1
    codes = np.linspace(0.02, 1, 50)
    assert from_working(to_working(codes, transfer), transfer) == pytest.approx(codes, abs=1e-6)


def test_the_network_sees_the_colours_of_the_sdr_twin() -> None:
    """A red of BT.709 in light, in the codes of BT.2020 (BT.2087), is that red again."""
    working = np.array([0.5, 0.1, 0.1])
    red, green, blue = nits(working)
    wide = np.array(
        [
            0.6274 * red + 0.3293 * green + 0.0433 * blue,
            0.0691 * red + 0.9195 * green + 0.0114 * blue,
            0.0164 * red + 0.0880 * green + 0.8956 * blue,
        ]
    )
    scene = (wide / 1000) / (wide @ [0.2627, 0.6780, 0.0593] / 1000) ** (0.2 / 1.2)
    codes = {PQ: from_working((wide / 203) ** (1 / 2.4), PQ), HLG: np.sqrt(3 * scene)}
    for transfer, code in codes.items():
        thumbnail = np.broadcast_to(code[:, None, None], (3, 256, 256))[np.newaxis]
        seen = shown_thumbnail(thumbnail.astype(np.float32), ColorInfo(9, 1, 9, transfer))
        assert seen[0, :, 0, 0] == pytest.approx(working, abs=0.005)
