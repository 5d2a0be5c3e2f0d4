"""Noise taken out before brightening, in a real Chromium: what comes out, frame by frame."""

from __future__ import annotations

import asyncio
import base64
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("aiohttp")

from build_extension import WEB
from support.chromium import Page, chromium, fake_camera
from support.extension import built, served
from support.grids import brightening

pytestmark = pytest.mark.slow

Images = list[npt.NDArray[np.uint8]]
Array = npt.NDArray[np.float64]
HEIGHT, WIDTH = 128, 192
GAIN = 4
DRAW = """(async () => {{
    const {{ Brightener }} = await import('/brighten/brightener.js');
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const canvas = document.createElement('canvas');
    const brightener = new Brightener(canvas);
    brightener.setGrid(new Float32Array(bytes('{grid}').buffer));
    const gl = canvas.getContext('webgl2');
    const drawn = [], noise = [];
    let nowMs = 0;
    for (const [text, width] of {frames}) {{
        const image = new ImageData(new Uint8ClampedArray(bytes(text).buffer), width);
        brightener.take(image, width, image.height);
        brightener.draw(1, 0, {{ denoise: {denoise}, nowMs: nowMs += {passed_ms} }});
        await new Promise((go) => setTimeout(go, 20)); // the graphics hand over what was measured
        noise.push(brightener.noise);
        const pixels = new Uint8Array(4 * width * image.height);
        gl.readPixels(0, 0, width, image.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
        let letters = '';
        for (let i = 0; i < pixels.length; i += 4096) {{
            letters += String.fromCharCode(...pixels.subarray(i, i + 4096));
        }}
        drawn.push(btoa(letters));
    }}
    return {{ drawn, noise, error: gl.getError() }};
}})()"""


def dark_scene(count: int, *, deviation: float, seed: int = 5) -> tuple[list[Array], Images]:
    """A dark still life through which a bright square moves: without its noise, and with it."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    still = (
        22 + 7 * np.sin(columns / 14) * np.cos(rows / 11) + 6 * ((columns // 32 + rows // 32) % 2)
    )
    truth, images = [], []
    for number in range(count):
        luma = still.copy()
        left = 6 + 5 * number % (WIDTH - 40)
        luma[80:110, left : left + 30] = 48 - 6 * ((columns // 6) % 2)[80:110, left : left + 30]
        picture = luma[..., np.newaxis] * np.array([1.05, 1.0, 0.9])
        noisy = picture + random.normal(0, deviation, picture.shape)
        truth.append(picture)
        images.append(noisy.clip(0, 255).round().astype(np.uint8))
    return truth, images


def drawn_by(
    images: Images, denoise: str, gains: npt.NDArray[np.float32], *, passed_ms: str = "33"
) -> tuple[list[Array], list[str]]:
    """What the browser makes of pictures, and what it says about their noise.

    Args:
        images: the pictures.
        denoise: how much is taken out, in JavaScript, where `drawn` are the pictures before.
        gains: a grid.
        passed_ms: the time since the picture before, in JavaScript too.
    """
    frames = []
    for image in images:
        rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        frames.append([base64.b64encode(rgba.tobytes()).decode(), image.shape[1]])
    grid = base64.b64encode(gains.tobytes()).decode()
    code = DRAW.format(grid=grid, frames=frames, denoise=denoise, passed_ms=passed_ms)

    async def scenario() -> Any:
        async with served(WEB, {}) as url, chromium() as page:
            await page.open(f"{url}extension/popup.css")
            return await page.evaluate(code)

    answer = asyncio.run(scenario())
    assert answer["error"] == 0
    drawn = []
    for image, text in zip(images, answer["drawn"], strict=True):
        pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(*image.shape[:2], 4)
        drawn.append(pixels[::-1, :, :3].astype(np.float64))
    return drawn, answer["noise"]


def gains() -> npt.NDArray[np.float32]:
    grid = brightening()
    grid[[0, 2, 5]] = GAIN
    return grid


def error(drawn: list[Array], truth: list[Array], part: tuple[slice, slice]) -> float:
    """Root mean square error of the last pictures, in levels of the bright ones."""
    apart = [
        (one - (GAIN * other).clip(0, 255))[part]
        for one, other in zip(drawn[-4:], truth[-4:], strict=True)
    ]
    return float(np.sqrt(np.mean(np.square(apart))))


STILL, MOVING = np.s_[:72, :], np.s_[80:110, :]


def test_noise_goes_where_the_picture_rests_and_what_moves_leaves_no_trail() -> None:
    truth, images = dark_scene(24, deviation=3)
    without, said = drawn_by(images, "'off'", gains())
    assert set(said) == {""}
    restored, said = drawn_by(images, "'auto'", gains())
    assert said[-8:] == ["taken out"] * 8
    trembling = [
        np.std([one[STILL] for one in drawn[-8:]], axis=0).mean() for drawn in (without, restored)
    ]
    assert trembling[1] < 0.35 * trembling[0]
    assert error(restored, truth, STILL) < 0.5 * error(without, truth, STILL)
    assert error(restored, truth, MOVING) < 0.8 * error(without, truth, MOVING)


def test_a_clean_picture_stays_as_it_is() -> None:
    _, images = dark_scene(16, deviation=0)
    without, _ = drawn_by(images, "'off'", gains())
    restored, _ = drawn_by(images, "'auto'", gains())
    assert np.abs(np.array(restored) - np.array(without)).max() <= 1


def test_a_cut_and_another_size_show_nothing_of_what_was_before() -> None:
    truth, images = dark_scene(22, deviation=3)
    turned = [image[::-1] for image in images[:4]], [picture[::-1] for picture in truth[:4]]
    smaller = [image[:96, :128] for image in images[:3]]
    restored, said = drawn_by([*images, *turned[0], *smaller], "'auto'", gains())
    without, _ = drawn_by(turned[0], "'off'", gains())
    assert said[21] == "taken out"
    whole = np.s_[:, :]
    after = error(restored[22:26], turned[1], whole)
    assert after < 1.03 * error(without, turned[1], whole)
    same, _ = drawn_by(smaller, "'off'", gains())
    assert np.abs(restored[26] - same[0]).max() <= 1  # of whose noise nothing is known yet


def errors(drawn: list[Array], truth: list[Array]) -> list[float]:
    """Of the part that rests, picture by picture."""
    return [error([one], [other], STILL) for one, other in zip(drawn, truth, strict=True)]


def largest_step(values: list[float]) -> float:
    """Of all that lies between the least and the most."""
    steps = [abs(later - sooner) for sooner, later in pairwise(values)]
    return max(steps) / (max(values) - min(values))


def test_noise_goes_and_comes_back_by_small_steps() -> None:
    truth, images = dark_scene(64, deviation=3)
    drawn, said = drawn_by(images, "drawn.length < 40 ? 'auto' : 'off'", gains())
    found = errors(drawn, truth)
    assert said[36:44] == ["taken out"] * 8
    assert said[-1] == ""
    assert found[-1] == pytest.approx(found[0], rel=0.05)
    assert found[39] < 0.6 * found[0]
    assert largest_step(found) < 0.25


def test_what_is_known_of_noise_outlasts_a_pause() -> None:
    truth, images = dark_scene(44, deviation=3)
    pause = "(drawn.length === 36 ? 1500 : 33)"
    drawn, said = drawn_by(images, "'auto'", gains(), passed_ms=pause)
    found = errors(drawn, truth)
    assert said[30:] == ["taken out"] * 14
    assert max(found[34:]) < 0.7 * found[0]


def test_a_share_takes_out_less() -> None:
    truth, images = dark_scene(36, deviation=3)
    less, all_of_it = (
        error(drawn_by(images, share, gains())[0], truth, STILL) for share in ("0.4", "1")
    )
    assert less > 1.2 * all_of_it


CAMERA = """(async () => {
    const { brighten } = await import('/brighten/brighten.js');
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => {
        if (!data.roots) return;
        const grid = new Float32Array(8 * 8 * 16 * 16);
        [4, 0, 4, 0, 0, 4, 0, 0].forEach((value, i) => grid.fill(value, 2048 * i, 2048 * (i + 1)));
        port1.postMessage({ grid, by: 'nothing', lift: 40, problem: '' });
    };
    window.settings = {};
    const onPicture = (report) => { window.report = report; };
    const [camera] = stream.getVideoTracks();
    const bright = brighten(camera, settings, { light: () => port2, onPicture });
    window.video = document.createElement('video');
    Object.assign(video, { muted: true, srcObject: new MediaStream([bright]) });
    await video.play();
    const canvas = new OffscreenCanvas(160, 60);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    window.kept = [];
    window.shown = 0;
    const look = () => {
        video.requestVideoFrameCallback(look);
        window.shown += 1;
        context.drawImage(video, 0, 0);
        const { data } = context.getImageData(0, 0, 160, 60);
        window.kept.push(data.filter((_, i) => i % 4 === 1));
        window.kept = window.kept.slice(-6);
    };
    look();
})()"""
TREMBLING = """(() => { // mean deviation over time
    let sum = 0;
    for (let i = 0; i < 160 * 60; i++) {
        const values = kept.map((picture) => picture[i]);
        const mean = values.reduce((total, value) => total + value, 0) / values.length;
        const squares = values.map((value) => (value - mean) ** 2);
        sum += Math.sqrt(squares.reduce((total, value) => total + value, 0) / values.length);
    }
    return sum / (160 * 60);
})()"""


def noisy_camera(path: Path) -> Path:
    """160x90, five pictures a second."""
    _, images = dark_scene(20, deviation=4)
    with path.open("wb") as clip:
        clip.write(b"YUV4MPEG2 W160 H90 F5:1 Ip A1:1 C420\n")
        for image in images:
            luma = (16 + image[:90, :160, 1] * (219 / 255)).round().astype(np.uint8)
            clip.write(b"FRAME\n" + luma.tobytes() + bytes([128]) * (45 * 80 * 2))
    return path


async def settled(page: Page, said: str) -> float:
    await page.wait_for(f"report?.noise === {said!r}")
    seen = await page.evaluate("shown")
    await page.wait_for(f"shown >= {seen + 16}")  # it goes and comes by small steps
    trembling: float = await page.evaluate(TREMBLING)
    return trembling


def test_a_noisy_camera_is_shown_with_less_noise(tmp_path: Path) -> None:
    """By default not on the processor, which draws here; but where a person asks for it."""
    folder, _ = built(tmp_path)
    clip = noisy_camera(tmp_path / "noisy.y4m")

    async def scenario() -> tuple[float, float, float]:
        async with served(folder, {}) as url, chromium(*fake_camera(clip)) as page:
            await page.open(f"{url}extension/popup.css")
            await page.evaluate("window.report = null")
            await page.evaluate(CAMERA)
            by_default = await settled(page, "left in: no graphics card draws here")
            clock = "performance.now = () => 200 * shown"  # it has all time
            await page.evaluate(f"({clock}, settings.denoise = 1)")
            asked = await settled(page, "taken out")
            await page.evaluate("settings.denoise = 'off'")
            off = await settled(page, "")
            assert page.console == []
            return by_default, asked, off

    by_default, asked, off = asyncio.run(scenario())
    assert by_default > 0.9 * off
    assert asked < 0.5 * off
