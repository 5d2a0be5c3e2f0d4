"""The browser's curve for what no network has seen yet, against Python's numbers; run by node."""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt
import pytest
from support.browser_modules import NODE, array_of, by_node, text_of

from tapetum.realtime.aim import Aim
from tapetum.realtime.live.global_curve import guessed_curve
from tapetum.realtime.live.look_pace import luma_shares, mean_luma

Floats = npt.NDArray[np.float32]

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

CURVES = """
const answers = questions.map(({ thumbnail, aim }) => {
  const curve = module.guessedCurve(floats(thumbnail), aim);
  return Buffer.from(curve.buffer).toString('base64');
});"""
WITHOUT_A_NETWORK = """
const answers = [];
const lighting = new module.Lighting();
for (const { roots, timeS } of questions) {
  const grid = await lighting.grid(Uint8Array.from(Buffer.from(roots, 'base64')), timeS);
  answers.push([Buffer.from(grid.buffer).toString('base64'), lighting.lift, lighting.problem]);
  lighting.network = { run: () => Promise.reject(new Error('out of order')) };
}"""
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def scene(brightness: float) -> Floats:
    """(1, 3, 256, 256): alike in each 4x4 pixels, of which one is looked at."""
    rough = np.random.default_rng(5).uniform(0, 2, (3, 64, 64)).astype(np.float32)
    picture = np.minimum(brightness * rough, 1).repeat(4, 1).repeat(4, 2)
    return np.ascontiguousarray(picture[np.newaxis], np.float32)


@pytest.mark.parametrize(
    ("aim", "shared"),
    [
        ({}, Aim()),
        ({"onlyWhenDark": False, "brightness": None}, Aim(when_dark=False)),
        ({"brightness": 0.4}, Aim(brightness=0.4)),
    ],
)
def test_curves_are_python_s(aim: dict[str, object], shared: Aim) -> None:
    scenes = [scene(brightness) for brightness in (0, 0.0004, 0.02, 0.1, 0.2, 0.24, 0.5, 0.9)]
    questions = [{"thumbnail": text_of(one), "aim": aim} for one in scenes]
    answers = by_node("guess.js", CURVES, questions)
    for one, text in zip(scenes, answers, strict=True):
        luma = np.tensordot(_LUMA, one[0, :, ::4, ::4], 1)
        expected = guessed_curve(luma, shared).ravel()
        np.testing.assert_allclose(array_of(text), expected, rtol=1e-4, atol=1e-5)


def test_pictures_are_bright_before_the_network_is_there_and_where_it_fails() -> None:
    dark = scene(0.03)
    roots = np.rint(255 * np.sqrt(dark[0].transpose(1, 2, 0))).astype(np.uint8)
    luma = np.tensordot(_LUMA, dark[0, :, ::4, ::4], 1)
    single = np.rint(255 * np.sqrt(luma)).astype(np.uint8)
    question = {"roots": base64.b64encode(roots.tobytes() + single.tobytes()).decode()}
    loading, failed = by_node(
        "lighting.js", WITHOUT_A_NETWORK, [question | {"timeS": n / 30} for n in range(2)]
    )
    for text, lift, _problem in (loading, failed):
        bright = mean_luma(array_of(text).reshape(8, 8, 16, 16), luma_shares(luma))
        assert bright > 4 * 255 * luma.mean()
        assert lift == pytest.approx(bright - 255 * luma.mean(), abs=1)
    assert loading[2] == ""
    assert failed[2] == "Error: out of order"
