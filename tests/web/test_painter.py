"""Pictures of a camera made bright in a real Chromium, while the network falls silent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from support.chromium import chromium, fake_camera
from support.extension import built, served

from tapetum.benchmarks.experiments.webrtc import NumberedClip

pytestmark = pytest.mark.slow

CLIP = NumberedClip(width=320, height=180, rate=10)
BEGIN = """(async () => {
    const { brighten } = await import('/brighten/brighten.js');
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    const { port1, port2 } = new MessageChannel();
    window.silent = false;
    window.asked = 0;
    port1.onmessage = ({ data }) => {
        if (!data.roots) return;
        window.asked += 1;
        if (window.silent) return;
        const grid = new Float32Array(8 * 8 * 16 * 16);
        [4, 0, 4, 0, 0, 4, 0, 0].forEach((value, i) => grid.fill(value, 2048 * i, 2048 * (i + 1)));
        port1.postMessage({ grid, by: 'nothing', lift: 40, problem: '' });
    };
    const onPicture = (report) => { window.report = report; };
    const [camera] = stream.getVideoTracks();
    const bright = brighten(camera, {}, { light: () => port2, onPicture });
    window.video = document.createElement('video');
    Object.assign(video, { muted: true, srcObject: new MediaStream([bright]) });
    await video.play();
    const canvas = new OffscreenCanvas(64, 36);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    window.levels = [];
    const look = () => {
        video.requestVideoFrameCallback(look);
        context.drawImage(video, 0, 0, 64, 36);
        const { data } = context.getImageData(0, 0, 64, 36);
        let sum = 0;
        for (let i = 0; i < data.length; i += 4) {
            sum += 0.2126 * data[i] + 0.7152 * data[i + 1] + 0.0722 * data[i + 2];
        }
        window.levels.push(sum / (64 * 36));
    };
    look();
})()"""
WATCHED = """(() => {
    const own = OffscreenCanvas.prototype.getContext;
    window.contexts = [];
    window.noGraphics = false;
    OffscreenCanvas.prototype.getContext = function getContext(kind, ...options) {
        if (kind !== 'webgl2') return own.call(this, kind, ...options);
        if (noGraphics) return null;
        const context = own.call(this, kind, ...options);
        contexts.push(context);
        return context;
    };
})()"""
LOST = """(() => {
    window.noGraphics = true;
    levels.length = 0;
    for (const gl of contexts) gl.getExtension('WEBGL_lose_context')?.loseContext();
})()"""
LATER = """(() => {
    const now = performance.now.bind(performance);
    performance.now = () => now() + 20_000; // the modules' clock
    window.silent = true;
    window.asked = 0;
    window.levels.length = 0;
})()"""


def test_pictures_stay_bright_when_the_network_falls_silent(tmp_path: Path) -> None:
    """By the last light, while light is asked for again; and the report says so."""
    folder, _ = built(tmp_path)
    clip = CLIP.write(tmp_path / "dark.y4m")

    async def scenario() -> dict[str, Any]:
        async with served(folder, {}) as url, chromium(*fake_camera(clip)) as page:
            await page.open(f"{url}extension/popup.css")
            await page.evaluate(BEGIN)
            await page.wait_for(f"levels.at(-1) > {1.3 * CLIP.luma}")
            await page.evaluate(LATER)
            await page.wait_for("report.problem !== '' && asked > 0")
            await page.wait_for("levels.length >= 20")
            said: dict[str, Any] = await page.evaluate("({ ...report, levels, asked })")
            assert page.console == []
            await page.evaluate("silent = false")
            await page.evaluate("performance.now = Date.now")  # once more too late
            await page.wait_for("report.problem === ''")
            return said

    said = asyncio.run(scenario())
    assert said["problem"] == "the network does not answer"
    assert said["bright"] is True
    assert min(said["levels"]) > 1.3 * CLIP.luma


def test_pictures_stay_bright_when_graphics_are_lost_for_long(tmp_path: Path) -> None:
    """They stand still for a moment; then the processor draws them, as bright, and it is said."""
    folder, _ = built(tmp_path)
    clip = CLIP.write(tmp_path / "dark.y4m")

    async def scenario() -> dict[str, Any]:
        async with served(folder, {}) as url, chromium(*fake_camera(clip)) as page:
            await page.open(f"{url}extension/popup.css")
            await page.evaluate(WATCHED)
            await page.evaluate(BEGIN)
            await page.wait_for(f"levels.at(-1) > {1.3 * CLIP.luma} && levels.length > 10")
            await page.evaluate(LOST)
            await page.wait_for("levels.length >= 30")
            said: dict[str, Any] = await page.evaluate("({ ...report, levels })")
            await page.evaluate("noGraphics = false, levels.length = 0")
            await page.wait_for("report.problem === '' && levels.length >= 10")
            said["again"] = await page.evaluate("levels")
            assert page.console == []
            return said

    said = asyncio.run(scenario())
    assert said["problem"] == "this browser has no WebGL 2"
    assert said["bright"] is True
    assert said["noise"].startswith("left in: ")
    assert min(*said["levels"], *said["again"]) > 1.3 * CLIP.luma


def test_where_graphics_are_the_processors_and_slow_a_curve_does(tmp_path: Path) -> None:
    """Chromium draws without a graphics card here; large pictures take it seconds."""
    folder, _ = built(tmp_path)
    clip = CLIP.write(tmp_path / "dark.y4m")

    async def scenario() -> dict[str, Any]:
        async with served(folder, {}) as url, chromium(*fake_camera(clip)) as page:
            await page.open(f"{url}extension/popup.css")
            await page.evaluate(BEGIN)
            await page.wait_for(f"levels.at(-1) > {1.3 * CLIP.luma}")
            slow = (
                "(() => { let now = performance.now(); performance.now = () => (now += 300); })()"
            )
            await page.evaluate(f"{slow}, levels.length = 0")
            await page.wait_for("report.problem === 'no graphics card draws here'")
            await page.wait_for("levels.length >= 20")
            said: dict[str, Any] = await page.evaluate("({ ...report, levels })")
            assert page.console == []
            return said

    said = asyncio.run(scenario())
    assert said["bright"] is True
    assert min(said["levels"]) > 1.3 * CLIP.luma
