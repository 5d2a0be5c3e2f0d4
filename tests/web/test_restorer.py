"""The browser's steps that take noise out, against Python's, in a real Chromium and Firefox."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("aiohttp")

from build_extension import WEB
from support.chromium import Page, chromium
from support.extension import served
from support.firefox import firefox
from support.x_display import x_display

from tapetum.realtime.cpu.fixed_point import fixed_samples, halve
from tapetum.realtime.cpu.restoring_space import (
    WHOLE,
    Cells,
    Tolerance,
    correct,
    describe_cells,
    finish,
)
from tapetum.realtime.cpu.restoring_time import (
    ONE_FRAME,
    binomial_lean,
    learn,
    weigh_evidence,
    wide_lean,
)
from tapetum.realtime.cpu.wide_changes import WIDE, compare_wide, texture_told

pytestmark = pytest.mark.slow

Fixed = npt.NDArray[np.int16]
TOP = 255 << 7
DROP = 1
"""Bits that `finish` leaves out: the fewest that it can."""
WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
BLUE_FROM_U, RED_FROM_V = 1.8556, 1.5748
NOTHING: Fixed = np.empty((0, 0), np.int16)


class Noise(NamedTuple):
    """As `Restorer.restored` takes it."""

    luma: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    chroma: list[float]
    whiteness: float
    fineness: float
    width: float


class StepByStep:
    """What the browser does, made of the CPU path's own steps, for planes of one size."""

    def __init__(self, shape: tuple[int, int], noise: Noise) -> None:
        self._noise = noise
        half = -(-shape[0] // 2), -(-shape[1] // 2)
        self._estimate = np.zeros((3, *shape), np.int16)
        self._known, self._half, self._last = np.zeros((3, 3, *half), np.int16)
        self._evidence = np.full(half, ONE_FRAME, np.uint8)
        self._flatness = np.ones([-(-side // WIDE) for side in half], np.float32)
        self._share: Fixed = np.full(half, 32767, np.int16)
        self._is_new = True

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """(H, W, 3) restored, from 0 to 1."""
        noise, own = self._noise, fixed_yuv(rgb)
        self._last, self._half = self._half, self._last
        for plane, half in zip(own, self._half, strict=True):
            halve(fixed_samples(plane), 1, 1, half)
        if not self._is_new:
            self._weigh()
        self._is_new = False
        for plane, estimate, known in zip(own, self._estimate, self._known, strict=True):
            learn(fixed_samples(plane), self._share, 1, 1, estimate, known)
        cells = Cells(*(np.empty(self._evidence.shape, np.int16) for _ in Cells._fields))
        weights = np.rint(noise.weights * WHOLE).astype(np.int16)
        describe_cells(self._known[0], self._flatness, self._evidence, noise.luma, weights, cells)
        restored = [self._smooth(own[plane], plane, cells) for plane in range(3)]
        return rgb_of(np.stack(restored).astype(np.float64) * (1 << DROP))

    def _weigh(self) -> None:
        noise = self._noise
        leans = binomial_lean(noise.whiteness), wide_lean(noise.whiteness)
        wide, told = np.empty_like(self._flatness), np.float32(texture_told(noise.width))
        compare_wide(
            self._half[0],
            self._known[0],
            noise.luma,
            noise.luma,
            np.float32(leans[1]),
            told,
            wide,
            self._flatness,
        )
        frame = self._half[0], self._half[1], self._half[2]
        known = self._known[0], self._known[1], self._known[2]
        weigh_evidence(
            frame,
            known,
            self._last[0],
            wide,
            noise.luma,
            np.array(noise.chroma, np.float32),
            (np.float32(leans[0]), np.float32(leans[1])),
            self._evidence,
            self._share,
            (0, len(self._share)),
        )

    def _smooth(self, own: Fixed, plane: int, cells: Cells) -> npt.NDArray[np.uint16]:
        noise = self._noise
        smoothness = 1 - noise.whiteness
        if plane == 0:
            wide, known = smoothness * noise.width, cells.deviation
            finest = 3.7 * (1 + 0.7 * smoothness) * max(noise.fineness, 0.5)
            factor, lessened = 3.7 * (1 + 0.35 * (smoothness + wide)), 0.5 + 0.4 * wide
        else:
            known, lessened = cells.remains, 0.5 + 0.4 * smoothness
            factor = finest = 5 * noise.chroma[plane - 1] / 256
        pyramid = [self._known[plane]]
        for _ in range(2):
            rows, columns = pyramid[-1].shape
            pyramid.append(np.empty((-(-rows // 2), -(-columns // 2)), np.int16))
            halve(fixed_samples(pyramid[-2]), 1, 1, pyramid[-1])
        change = NOTHING
        for scale in (2, 1, 0):
            out = np.empty_like(pyramid[scale])
            allowed = Tolerance(known, np.float32(factor * lessened**scale), scale, scale)
            correct(pyramid[scale], change, allowed, TOP, out)
            change = out
        restored = np.empty(own.shape, np.uint16)
        allowed = Tolerance(known, np.float32(finest), -1, -1)
        finish(
            fixed_samples(own),
            self._estimate[plane],
            change,
            allowed,
            cells.weight,
            TOP,
            DROP,
            restored,
        )
        return restored


def fixed_yuv(rgb: npt.NDArray[np.uint8]) -> Fixed:
    """(3, H, W) of an (H, W, 3) image."""
    image = rgb / 255
    luma = image @ WEIGHTS
    chroma = (image[..., 2] - luma) / BLUE_FROM_U, (image[..., 0] - luma) / RED_FROM_V
    planes = np.rint(np.stack([luma, *chroma]) * TOP) + np.array([0, 16384, 16384])[:, None, None]
    fixed: Fixed = planes.clip(0, TOP).astype(np.int16)
    return fixed


def rgb_of(planes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    luma, u, v = planes / TOP - np.array([0, 16384 / TOP, 16384 / TOP])[:, None, None]
    red, blue = luma + RED_FROM_V * v, luma + BLUE_FROM_U * u
    green = (luma - WEIGHTS[0] * red - WEIGHTS[2] * blue) / WEIGHTS[1]
    return np.stack([red, green, blue], axis=-1).clip(0, 1)


HAS_WEBGL = "document.createElement('canvas').getContext('webgl2') !== null"
RESTORE = """(async () => {{
    const {{ Restorer }} = await import('/brighten/restorer.js');
    const {{ newTexture, newTarget, Programs }} = await import('/brighten/graphics.js');
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const floats = (text) => new Float32Array(bytes(text).buffer);
    const {{ STEPS }} = await import('/brighten/restoring_shaders.js');
    const gl = document.createElement('canvas').getContext('webgl2');
    const [width, height] = [{width}, {height}];
    const restorer = new Restorer(gl, new Programs(gl, STEPS), width, height);
    const picture = newTexture(gl, gl.TEXTURE_2D, gl.LINEAR);
    const noise = {{
        luma: floats('{luma}'), smoothed: floats('{luma}'), weights: floats('{weights}'),
        chroma: {chroma}, whiteness: {whiteness}, fineness: {fineness}, width: {wide},
    }};
    const results = [];
    for (const text of {frames}) {{
        gl.activeTexture(gl.TEXTURE0);
        gl.bindTexture(gl.TEXTURE_2D, picture);
        const pixels = bytes(text);
        const kind = [gl.RGBA, gl.UNSIGNED_BYTE];
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, ...kind, pixels);
        restorer.look(picture);
        const texture = restorer.restored(picture, noise);
        newTarget(gl, {{ texture, width, height }});
        const packed = new Uint32Array(width * height);
        gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_INT_2_10_10_10_REV, packed);
        results.push(Array.from(packed));
    }}
    return {{ results, error: gl.getError() }};
}})()"""


def text_of(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def moving_scene(height: int, width: int, count: int) -> list[npt.NDArray[np.uint8]]:
    """A dark coloured slope with noise, on which a bright square and fine texture below move.

    The third comes twice.
    """
    random = np.random.default_rng(3)
    slope = np.linspace(8, 70, width)[np.newaxis, :, np.newaxis] * np.array([0.8, 1, 1.2])
    frames = []
    for number in range(count):
        image = slope + random.normal(0, 4, (height, width, 3))
        left = 5 + 7 * number
        image[height // 3 : height // 2, left : left + 20] += 60
        waves = 20 * np.sin((np.arange(width) - 0.3 * number) * 1.1)
        image[2 * height // 3 :] += waves[np.newaxis, :, np.newaxis]
        frames.append(image.clip(0, 255).round().astype(np.uint8))
    frames[3] = frames[2]
    return frames


@asynccontextmanager
async def opened(browser: str) -> AsyncIterator[Page]:
    if browser == "chromium":
        async with chromium() as page:
            yield page
    else:
        with x_display() as display:
            async with firefox(display) as page:
                if not await page.evaluate(HAS_WEBGL):
                    pytest.skip("this Firefox has no WebGL here")
                yield page


@pytest.mark.parametrize(
    ("browser", "size"), [("chromium", (72, 128)), ("chromium", (53, 75)), ("firefox", (53, 75))]
)
def test_the_shaders_restore_as_the_cpu_does(browser: str, size: tuple[int, int]) -> None:
    """Within a step of 1023 on 99.9 % of samples: some graphics round to whole ones, some cut off.

    What is compared with is rounded too, to 14 bits, of which U counts nearly double in blue.
    """
    luma = np.linspace(300, 420, 256).astype(np.float32)
    noise = Noise(luma, np.linspace(0.4, 1, 256).astype(np.float32), [210.0, 260.0], 0.4, 1.2, 0.3)
    frames = moving_scene(*size, 8)
    opaque = np.full(size, 255, np.uint8)
    code = RESTORE.format(
        width=size[1],
        height=size[0],
        luma=text_of(noise.luma),
        weights=text_of(noise.weights),
        chroma=noise.chroma,
        whiteness=noise.whiteness,
        fineness=noise.fineness,
        wide=noise.width,
        frames=[text_of(np.dstack([frame, opaque])) for frame in frames],
    )

    async def scenario() -> Any:
        async with served(WEB, {}) as url, opened(browser) as page:
            await page.open(f"{url}extension/popup.css")
            return await page.evaluate(code)

    answer = asyncio.run(scenario())
    assert answer["error"] == 0
    steps = StepByStep(size, noise)
    for frame, packed in zip(frames, answer["results"], strict=True):
        words = np.array(packed, np.uint32).reshape(size)
        restored = np.stack([words >> shift & 1023 for shift in (0, 10, 20)], axis=-1) / 1023
        apart = np.abs(restored - steps(frame)) * 1023
        assert np.mean(apart <= 1.1) >= 0.999
        assert apart.max() < 4
    still = frames[-1][: size[0] // 3, 60:].std() - restored[: size[0] // 3, 60:].std() * 255
    assert still > 0.3
