"""The browser extension, unpacked in a real Chromium, on a page that calls by WebRTC."""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from support.chromium import Page
from support.extension import STRICT, allowed_on_localhost, built, call_page, page_and_window

from tapetum.benchmarks.experiments.webrtc import NumberedClip

pytestmark = pytest.mark.slow

CLIP = NumberedClip(width=320, height=180, rate=10)
BRIGHT = 1.5 * CLIP.luma
BEGIN = "begin({ width: 320, height: 180 }).then(() => true)"


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for_chromium, _ = built(tmp_path_factory.mktemp("extension"))
    return allowed_on_localhost(for_chromium)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return CLIP.write(tmp_path_factory.mktemp("clip") / "dark.y4m")


async def becomes_bright(page: Page, video: str = "received", half: str = "all") -> None:
    await page.wait_for(f"luma('{video}').{half} > {BRIGHT}")


async def becomes_dark(page: Page, half: str = "all") -> None:
    """As the camera is, which is not black."""
    await page.wait_for(f"Math.abs(luma('received').{half} - {CLIP.luma}) < 0.25 * {CLIP.luma}")


async def switch_on(page: Page, window: Page, url: str) -> None:
    await window.click("#on")
    await window.wait_for("document.querySelector('#state').textContent.startsWith('Now turn')")
    await page.open(url)


@pytest.mark.parametrize("headers", [{}, STRICT], ids=["open", "strict"])
def test_others_in_a_call_see_a_bright_picture(
    headers: dict[str, str], extension: Path, clip: Path
) -> None:
    """Off: the page's own camera. On: bright, as the window's switches say, on strict pages too."""

    async def scenario() -> None:
        async with (
            call_page(headers) as url,
            page_and_window(extension, clip, url) as (page, window),
        ):
            await page.evaluate(BEGIN)
            await becomes_dark(page)
            await switch_on(page, window, url)
            await page.evaluate(BEGIN)
            await becomes_bright(page)
            await window.wait_for("document.querySelector('#state').textContent.includes('320')")
            no_card = "document.querySelector('#state').textContent.includes('noise left in: no')"
            await window.wait_for(no_card)  # the processor draws here
            await window.click("#denoise")
            await window.wait_for(f"!({no_card})")
            await window.click("#compare")
            await becomes_dark(page, "left")
            await becomes_bright(page, half="right")
            await window.click("#compare")
            await becomes_bright(page, half="left")
            await window.evaluate("document.querySelector('#strength').focus()")
            await window.press("Home", 36)
            await becomes_dark(page)
            await window.press("End", 35)
            await becomes_bright(page)
            await window.click("#on")
            await becomes_dark(page)
            assert page.console == window.console == []

    asyncio.run(scenario())


def test_the_bright_track_speaks_for_the_camera(extension: Path, clip: Path) -> None:
    """Sizes, clones, another camera's track in a call, and the end: as with the camera itself."""

    async def scenario() -> None:
        async with (
            call_page({}) as url,
            page_and_window(extension, clip, url) as (page, window),
        ):
            await page.evaluate("window.label = ''")
            await switch_on(page, window, url)
            await page.evaluate(BEGIN)
            await becomes_bright(page)
            said = await page.evaluate(
                "[track.label, track.getSettings().width, track.getCapabilities().deviceId,"
                " track instanceof MediaStreamTrack, track.kind, track.readyState]"
            )
            assert clip.name in said[0]
            assert said[1] == 320
            assert said[2]
            assert said[3:] == [True, "video", "live"]
            again = "new MediaStream([track]).clone().getTracks()[0]"
            assert await page.evaluate(f"(window.again = {again}).label") == said[0]
            await page.evaluate("again.stop()")  # a clone's end is its own
            assert await page.evaluate("track.readyState") == "live"
            await page.evaluate("document.querySelector('iframe').remove()")  # for the next track
            await page.evaluate("track.applyConstraints({ width: 160, height: 90 })")
            await page.wait_for("document.querySelector('#own').videoWidth === 160")
            assert await page.evaluate("track.getSettings().width") == 160
            await becomes_bright(page)
            await page.evaluate("window.copy = track.clone(), track.stop()")
            assert await page.evaluate("[track.readyState, copy.readyState]") == ["ended", "live"]
            await page.evaluate("sender.replaceTrack(copy)")
            await page.evaluate("play('own', new MediaStream([copy]))")
            await becomes_bright(page, "own")
            await page.evaluate(
                "navigator.mediaDevices.getUserMedia({ video: true })"
                ".then((stream) => sender.replaceTrack(stream.getVideoTracks()[0]))"
            )
            await becomes_bright(page)
            await page.evaluate("copy.stop()")
            assert await page.evaluate("copy.readyState") == "ended"
            refused = (
                "navigator.mediaDevices.getUserMedia({ video: { deviceId: { exact: 'none' } } })"
                ".catch((error) => error.name)"
            )
            assert await page.evaluate(refused) == "OverconstrainedError"
            assert page.console == []

    asyncio.run(scenario())


def test_without_its_network_a_curve_makes_the_picture_bright(extension: Path, clip: Path) -> None:
    """A model that cannot be loaded: the call goes on, bright, and the window says why."""
    model = extension / "brighten" / "grid.onnx"
    whole = model.read_bytes()

    async def scenario() -> None:
        async with (
            call_page({}) as url,
            page_and_window(extension, clip, url) as (page, window),
        ):
            await switch_on(page, window, url)
            await page.evaluate(BEGIN)
            await becomes_bright(page)
            await window.wait_for(
                "document.querySelector('#state').textContent.includes('as well as it goes')"
            )

    model.write_bytes(whole[:1000])
    try:
        asyncio.run(scenario())
    finally:
        model.write_bytes(whole)


def test_the_zips_hold_the_least_rights_and_nothing_that_is_not_needed(tmp_path: Path) -> None:
    for unpacked in built(tmp_path):
        with zipfile.ZipFile(unpacked.with_suffix(".zip")) as package:
            names = set(package.namelist())
            manifest = package.read("manifest.json").decode()
        assert {"LICENSE", "brighten/grid.onnx", "extension/page.js"} <= names
        assert not [name for name in names if "node_modules" in name or name.endswith(".ts")]
        assert '"host_permissions"' not in manifest
        assert "<all_urls>" not in manifest
