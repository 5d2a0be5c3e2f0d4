"""Grids that the browser makes by itself, against those of Python; and the modules' types."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

pytest.importorskip("aiohttp")

from build_extension import WEB
from support.chromium import chromium
from support.extension import built, served

from tapetum.gan.model import find_model
from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_kernels import identity_grid
from tapetum.realtime.cpu.grid_strength import with_brightness
from tapetum.realtime.exposure import cell_luma, darkness_by_cell
from tapetum.realtime.live.look_pace import PacedGrids
from tapetum.realtime.temporal import TemporalFilter

pytestmark = pytest.mark.slow

GRIDS = """(async () => {{
    const {{ Lighting }} = await import('/brighten/lighting.js');
    const {{ Network }} = await import('/brighten/network.js');
    const lighting = new Lighting(await Network.load({parts}));
    const grids = [];
    for (const [text, timeS] of {questions}) {{
        const roots = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        grids.push(Array.from(await lighting.grid(roots, timeS, {aim})));
    }}
    return grids;
}})()"""
PARTS = """{
    model: '/brighten/grid.onnx',
    runtime: '/onnxruntime/ort.wasm.bundle.min.mjs',
    gpuRuntime: '/onnxruntime/ort.webgpu.bundle.min.mjs',
}"""
ON_GRAPHICS = """(async () => {{
    const {{ Network }} = await import('/brighten/network.js');
    const parts = {parts};
    const said = {{ usual: (await Network.load(parts)).description, by: [], grids: [] }};
    const network = await Network.load(parts, 'WebGPU');
    for (const text of {pictures}) {{
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        said.grids.push(Array.from(await network.run(new Float32Array(bytes.buffer))));
        said.by.push(network.description);
        if (said.grids.length < 2) continue;
        const {{ env }} = await import(parts.gpuRuntime);
        (await env.webgpu.device).destroy();
    }}
    return said;
}})()"""
SOFTWARE_WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
TIMES_S = (0.0, 0.04, 0.08, 0.5, 0.54)


def pictures() -> list[npt.NDArray[np.uint8]]:
    """Square roots of thumbnails: dark ones that become lighter, then a cut to another scene."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:256, :256] / 255.0
    slope = np.stack([x, 0.5 * x + 0.3 * y, 1 - y], axis=-1)
    rings = np.stack([np.sin(9 * np.hypot(x, y)) ** 2] * 3, axis=-1)
    scenes = [0.3 * slope, 0.35 * slope, 0.5 * slope, 0.7 * rings, 0.75 * rings]
    noisy = (255 * np.sqrt(scene.clip(0, 1)) + random.normal(0, 2, slope.shape) for scene in scenes)
    return [picture.clip(0, 255).round().astype(np.uint8) for picture in noisy]


def single(roots: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Of some pixels: green's."""
    return np.ascontiguousarray(roots[::4, ::4, 1])


@pytest.mark.parametrize(
    ("aim", "shared"),
    [
        ("{onlyWhenDark: false}", Aim(when_dark=False)),
        ("{onlyWhenDark: true}", Aim()),
        ("{brightness: 0.55}", Aim(brightness=0.55)),
        ("{brightness: 0.99, onlyWhenDark: true}", Aim(brightness=0.99)),
        ("{brightness: 0.3}", Aim(brightness=0.3)),
    ],
)
def test_the_browser_makes_python_s_grids(tmp_path: Path, aim: str, shared: Aim) -> None:
    session = onnxruntime.InferenceSession(find_model("grid").onnx())
    smooth, paced = TemporalFilter(), PacedGrids(shared)
    expected = []
    for roots, time_s in zip(pictures(), TIMES_S, strict=True):
        rgb = np.square(roots / np.float32(255)).transpose(2, 0, 1)[np.newaxis]
        (grid,) = session.run(None, {"thumbnail": np.ascontiguousarray(rgb)})
        mixed = grid[0]
        if shared.brightness is not None:
            mixed = with_brightness(mixed, cell_luma(rgb), shared.brightness)
        elif shared.when_dark:
            share = darkness_by_cell(cell_luma(rgb))
            mixed = identity_grid() + share * (mixed - identity_grid())
        steady = smooth(mixed, thumbnail=rgb, time_s=time_s)
        expected.append(paced(steady, rgb, np.square(single(roots) / 255), time_s, shared))
    questions = [
        [base64.b64encode(roots.tobytes() + single(roots).tobytes()).decode(), time_s]
        for roots, time_s in zip(pictures(), TIMES_S, strict=True)
    ]
    folder, _ = built(tmp_path)

    async def scenario() -> list[list[float]]:
        async with served(folder, {}) as url, chromium() as page:
            await page.open(f"{url}extension/popup.css")
            code = GRIDS.format(parts=PARTS, questions=questions, aim=aim)
            grids: list[list[float]] = await page.evaluate(code)
            return grids

    made = np.array(asyncio.run(scenario())).reshape(np.shape(expected))
    assert np.abs(made - np.array(expected)).max() < 1e-3
    assert np.abs(np.diff(made, axis=0)).max() > 0.01  # they differ, so that this says something


def test_graphics_give_the_processor_s_grids_and_may_be_lost(tmp_path: Path) -> None:
    """By WebGPU in Chromium's own software, which is not taken unless it is asked for."""
    session = onnxruntime.InferenceSession(find_model("grid").onnx())
    thumbnails = [
        np.ascontiguousarray(np.square(roots / np.float32(255)).transpose(2, 0, 1)[np.newaxis])
        for roots in (*pictures()[2:4], pictures()[0])
    ]
    expected = [session.run(None, {"thumbnail": one})[0].ravel() for one in thumbnails]
    texts = [base64.b64encode(one.tobytes()).decode() for one in thumbnails]
    folder, _ = built(tmp_path)

    async def scenario() -> dict[str, Any]:
        async with served(folder, {}) as url, chromium(*SOFTWARE_WEBGPU) as page:
            await page.open(f"{url}extension/popup.css")
            if not await page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
                pytest.skip("this Chromium has no WebGPU in software")
            code = ON_GRAPHICS.format(parts=PARTS, pictures=texts)
            await page.evaluate(f"{code}.then((said) => (window.said = said)); true")
            said: dict[str, Any] = await page.wait_for("window.said", seconds=300)
            return said

    said = asyncio.run(scenario())
    assert said["usual"] == "WebAssembly"
    assert said["by"][:2] == ["WebGPU", "WebGPU"]
    assert said["by"][2].startswith("WebAssembly, because WebGPU failed: ")
    assert np.abs(np.array(said["grids"]) - np.array(expected)).max() < 1e-3


def test_the_types_hold() -> None:
    compiler = WEB / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        pytest.skip("needs TypeScript: npm ci in web/")
    checked = subprocess.run(
        [compiler, "--noEmit"], cwd=WEB, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
