"""Brightening in the browser itself: its shaders against the CPU path, and the page that uses them.

Chromium draws WebGL with the processor here (SwiftShader): the same programs as on a GPU, slower.
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.chromium import FAKE_CAMERA, Page, chromium, fake_camera
from support.page import CLIP, ENHANCED, LIVE, PATIENT, levels, levels_become
from support.serve_process import serving

from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.grid_strength import strengthened
from tapetum.realtime.cpu.rgb import frame_from_rgb, rgb_from_frame
from tapetum.realtime.cpu.thumbnail import thumbnail

pytestmark = pytest.mark.slow

HERE = "document.querySelector('#view').dataset.where === 'here'"
IN_THE_BROWSER = "document.querySelector('#where').value = 'browser'"
DRAW = """(async () => {{
    const {{ Brightener }} = await import('/brighten/brightener.js');
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const canvas = document.createElement('canvas');
    const brightener = new Brightener(canvas);
    const image = new ImageData(new Uint8ClampedArray(bytes('{image}').buffer), {width});
    brightener.take(image, {width}, {height});
    brightener.setGrid(new Float32Array(bytes('{grid}').buffer));
    brightener.draw({strength});
    const gl = canvas.getContext('webgl2');
    const drawn = new Uint8Array(4 * {width} * {height});
    gl.readPixels(0, 0, {width}, {height}, gl.RGBA, gl.UNSIGNED_BYTE, drawn);
    brightener.beginThumbnail();
    let small;
    while (!(small = brightener.readThumbnail())) await new Promise((go) => setTimeout(go, 5));
    return {{ drawn: Array.from(drawn), small: Array.from(small) }};
}})()"""


def base64_of(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def dark_image(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Steps, slopes and noise, mostly dark, with a lamp."""
    random = np.random.default_rng(1)
    slope = np.linspace(0, 60, width)[np.newaxis, :, np.newaxis]
    image = (
        slope
        + random.normal(0, 6, (height, width, 3))
        + 40 * (np.arange(height) > height // 2)[:, None, None]
    )
    image[: height // 4, : width // 4] += 170
    return image.clip(0, 255).round().astype(np.uint8)


def strong_grid() -> npt.NDArray[np.float32]:
    """Gains from 1 to 4 that differ from cell to cell and level to level, and turned colours."""
    random = np.random.default_rng(2)
    grid = random.normal(0, 0.02, (8, 8, 16, 16)).astype(np.float32)
    light = np.linspace(4, 1, 8, dtype=np.float32)[:, None, None]
    grid[0] += light + np.linspace(-0.5, 0.5, 16, dtype=np.float32)
    grid[[2, 5]] += light
    return grid


@pytest.mark.parametrize("strength", [2.0, 1.3, 1.0, 0.5, 0.0])
@pytest.mark.parametrize("size", [(90, 160), (361, 477)], ids=str)
def test_the_shaders_agree_with_the_cpu(
    size: tuple[int, int], strength: float, gain_model: Path
) -> None:
    image, grid = dark_image(*size), strong_grid()
    rgba = np.dstack([image, np.full(size, 255, np.uint8)])

    async def scenario() -> dict[str, list[int]]:
        async with serving("--model", gain_model) as (_, url), chromium() as page:
            await page.open(url)
            code = DRAW.format(
                image=base64_of(rgba),
                grid=base64_of(grid),
                width=size[1],
                height=size[0],
                strength=strength,
            )
            answer: dict[str, list[int]] = await page.evaluate(code)
            return answer

    answer = asyncio.run(scenario())
    drawn = np.array(answer["drawn"], np.uint8).reshape(*size, 4)[::-1, :, :3]
    frame = frame_from_rgb(image)
    mixed = strengthened(grid, strength)
    expected = rgb_from_frame(frame.with_planes(apply_grid(frame, mixed)))
    apart = np.abs(drawn.astype(int) - expected.astype(int))
    assert np.mean(apart <= 2) >= 0.99
    assert np.percentile(apart, 99.9) <= 4
    values = np.square(np.array(answer["small"], np.float64) / 255)
    apart = np.abs(values[: 3 << 16].reshape(256, 256, 3) - thumbnail(frame)[0].transpose(1, 2, 0))
    assert apart.max() < 0.005
    assert apart.mean() < 0.001
    rows, columns = ((np.arange(0, 256, 4) + 0.5) * length // 256 for length in size)
    pixels = image[np.ix_(rows.astype(int), columns.astype(int))] / 255
    apart = np.abs(values[3 << 16 :].reshape(64, 64) - pixels @ [0.2126, 0.7152, 0.0722])
    assert apart.max() < 0.005


SCALED = """(async () => {{
    const {{ Brightener }} = await import('/brighten/brightener.js');
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const image = new ImageData(new Uint8ClampedArray(bytes('{image}').buffer), 160);
    const canvas = document.createElement('canvas');
    const own = new Brightener(canvas);
    own.take(image, {width}, {height});
    own.setGrid(new Float32Array(bytes('{grid}').buffer));
    own.draw(1, 0.5);
    const gl = canvas.getContext('webgl2');
    const drawn = new Uint8Array(4 * {width} * {height});
    gl.readPixels(0, 0, {width}, {height}, gl.RGBA, gl.UNSIGNED_BYTE, drawn);
    return Array.from(drawn);
}})()"""


@pytest.mark.parametrize("size", [(80, 45), (320, 180)], ids=str)
def test_the_whole_picture_is_drawn_where_its_pixels_are_others(
    size: tuple[int, int], gain_model: Path
) -> None:
    """Chromium scales a camera down late: the shader gets the camera's own pixels."""
    quarters = np.array([[10, 20], [30, 40]], np.uint8).repeat(45, 0).repeat(80, 1)
    rgba = np.dstack([quarters] * 3 + [np.full_like(quarters, 255)])
    grid = identity_grid()
    grid[0] = 2

    async def scenario() -> list[int]:
        async with serving("--model", gain_model) as (_, url), chromium() as page:
            await page.open(url)
            code = SCALED.format(
                image=base64_of(rgba), grid=base64_of(grid), width=size[0], height=size[1]
            )
            drawn: list[int] = await page.evaluate(code)
            return drawn

    drawn = np.array(asyncio.run(scenario()), int).reshape(size[1], size[0], 4)[::-1, :, 0]
    height, width = drawn.shape
    for (row, column), before in np.ndenumerate(np.array([[10, 20], [30, 40]])):
        middle = drawn[height * (1 + 2 * row) // 4, width * (1 + 2 * column) // 4]
        assert abs(middle - before * (1 + column)) <= 2, "the right half is bright, the left is not"


async def start_here(page: Page, url: str) -> None:
    await page.open(url)
    await page.wait_for("!document.querySelector('#start').disabled")
    await page.evaluate(IN_THE_BROWSER)
    await page.click("#start")
    await page.wait_for(f"{LIVE} && {HERE} && {ENHANCED}")


def test_the_browser_brightens_by_itself(gain_model: Path, tmp_path: Path) -> None:
    """The camera's picture is not sent; before is dark, after is bright, and both move."""
    clip = CLIP.write(tmp_path / "dark.y4m")

    async def scenario() -> None:
        server = serving("--model", gain_model, "--model", "unet", *PATIENT)
        async with server as (_, url), chromium(*fake_camera(clip)) as page:
            await start_here(page, url)
            await levels_become(page, "dark", "bright")
            await page.evaluate("document.querySelector('#strength').focus()")
            await page.press("Home", 36)
            await levels_become(page, "dark", "dark")
            await page.press("End", 35)
            await levels_become(page, "dark", "bright")
            await page.wait_for("document.querySelector('#fps').textContent.endsWith('fps')")
            assert "applied by" in await page.text("#runs-on")
            await page.evaluate(
                "(() => { const model = document.querySelector('#model'); model.value = 'unet';"
                " model.dispatchEvent(new Event('change')); })()"
            )
            await page.wait_for(f"{LIVE} && !({HERE})")  # whole pictures are the server's work
            assert page.console == []

    asyncio.run(scenario())


WELL_LIT = "!document.querySelector('#well-lit').hidden"


def test_a_well_lit_picture_is_said_to_stay_as_it_is_and_can_be_enhanced_all_the_same(
    gain_model: Path,
) -> None:
    """Chromium's own camera shows a bright room: on the server, and in the browser."""

    async def scenario() -> None:
        server = serving("--model", gain_model, *PATIENT)
        async with server as (_, url), chromium(*FAKE_CAMERA) as page:
            await page.open(url)
            await page.wait_for("!document.querySelector('#start').disabled")
            await page.evaluate("document.querySelector('#where').value = 'server'")
            await page.click("#start")
            await page.wait_for(f"{LIVE} && {ENHANCED} && {WELL_LIT}")
            before, after = await levels(page)
            assert abs(before - after) < 10
            await page.click("#when-dark")
            await page.wait_for(f"!({WELL_LIT})")
            await page.evaluate(
                "(() => { const where = document.querySelector('#where'); where.value = 'browser';"
                " where.dispatchEvent(new Event('change')); })()"
            )
            await page.wait_for(f"{LIVE} && {HERE}")
            assert not await page.evaluate(WELL_LIT)
            await page.click("#when-dark")
            await page.wait_for(WELL_LIT)
            assert page.console == []

    asyncio.run(scenario())


def test_a_size_that_changes_here_goes_on_bright(gain_model: Path, tmp_path: Path) -> None:
    clip = CLIP.write(tmp_path / "dark.y4m")
    change = """(() => { const size = document.querySelector('#size');
        size.value = '1280x720'; size.dispatchEvent(new Event('change')); })()"""

    async def scenario() -> None:
        async with serving("--model", gain_model) as (_, url), chromium(*fake_camera(clip)) as page:
            await start_here(page, url)
            await page.evaluate(change)
            await page.wait_for(f"{LIVE} && {HERE} && {ENHANCED}")
            await levels_become(page, "dark", "bright")

    asyncio.run(scenario())
