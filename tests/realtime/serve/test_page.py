"""The page's live picture in a real Chromium with a fake camera in a dark room."""

from __future__ import annotations

import asyncio
import io
import re
import statistics
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.chromium import FAKE_CAMERA, Page, chromium, fake_camera
from support.firefox import firefox
from support.page import (
    CLIP,
    DARK,
    ENHANCED,
    LIVE,
    PATIENT,
    begin,
    levels,
    levels_become,
    live_page,
)
from support.serve_process import serving
from support.tiny_networks import grid_network

from tapetum.benchmarks.experiments.webrtc import PIXEL_AGES_MS, NumberedClip

pytestmark = pytest.mark.slow

PICTURE_MS = 1000 / CLIP.rate
READOUT_MS = 3000
"""Figures under the picture are those of so long a time."""
PROBLEM = "document.querySelector('#view').dataset.state === 'problem'"


@pytest.fixture(scope="module")
def dark_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return CLIP.write(tmp_path_factory.mktemp("camera") / "dark.y4m")


def test_before_is_dark_after_is_bright_and_the_wipe_moves(
    dark_clip: Path, gain_model: Path
) -> None:
    async def scenario() -> None:
        async with live_page(dark_clip, gain_model) as page:
            await levels_become(page, "dark", "bright")
            view = await page.box("#view")
            x, y = await page.middle("#wipe")
            await page.mouse("mousePressed", x, y)
            for part in (0.6, 0.8, 0.95):
                await page.mouse("mouseMoved", view["x"] + part * view["width"], y)
            await page.mouse("mouseReleased", view["x"] + 0.95 * view["width"], y)
            await levels_become(page, "dark", "dark")
            assert await value_now(page) == 95
            await page.press("Home", 36)
            await levels_become(page, "bright", "bright")
            for _ in range(2):
                await page.press("PageUp", 33)
            assert await value_now(page) == 20
            await page.press("End", 35)
            await page.click("#compare")
            await levels_become(page, "bright", "bright")

    asyncio.run(scenario())


async def value_now(page: Page) -> int:
    return int(await page.evaluate("document.querySelector('#wipe').ariaValueNow"))


def test_the_strength_changes_pixels(dark_clip: Path, gain_model: Path) -> None:
    async def scenario() -> None:
        async with live_page(dark_clip, gain_model) as page:
            await levels_become(page, "dark", "bright")
            await page.evaluate("document.querySelector('#strength').focus()")
            await page.press("Home", 36)
            assert await page.text("#strength-shown") == "0 %"
            await levels_become(page, "dark", "dark")
            await page.press("End", 35)
            await levels_become(page, "dark", "bright")

    asyncio.run(scenario())


SET_BRIGHTNESS = """(() => { const slider = document.querySelector('#brightness');
    slider.value = %d; slider.dispatchEvent(new Event('input')); })()"""


@pytest.mark.parametrize("where", ["server", "browser"])
def test_a_brightness_is_reached_and_left_to_the_model_again(
    where: str, dark_clip: Path, gain_model: Path
) -> None:
    async def scenario() -> None:
        server = serving("--model", gain_model, "--model", "unet", *PATIENT, "--brightness", "0.3")
        async with server as (_, url), chromium(*fake_camera(dark_clip)) as page:
            await page.open(url)
            await page.wait_for("!document.querySelector('#start').disabled")
            assert await page.text("#brightness-shown") == "30 %"
            assert await page.evaluate("document.querySelector('#when-dark').disabled")
            await page.evaluate(f"document.querySelector('#where').value = '{where}'")
            await page.click("#start")
            await page.wait_for(f"{LIVE} && {ENHANCED}")
            await becomes(page, 0.3)
            await page.evaluate(SET_BRIGHTNESS % 15)
            await becomes(page, 0.15)
            await page.evaluate("document.querySelector('#brightness').focus()")
            await page.press("Home", 36)
            assert await page.text("#brightness-shown") == "Automatic"
            assert not await page.evaluate("document.querySelector('#when-dark').disabled")
            await becomes(page, 3 * (DARK - 16) / 219)  # as the model makes it
            await page.evaluate(
                "(() => { const model = document.querySelector('#model'); model.value = 'unet';"
                " model.dispatchEvent(new Event('change')); })()"
            )
            assert await page.evaluate("document.querySelector('#brightness').disabled")
            assert page.console == []

    asyncio.run(scenario())


async def becomes(page: Page, luma: float) -> None:
    """Wait until the enhanced part of the picture has this mean luma, from 0 to 1."""
    for _ in range(150):
        _, after = await levels(page)
        if after == pytest.approx(255 * luma, abs=8):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"the picture is {await levels(page)}, not {255 * luma}")


def test_the_model_that_is_chosen_makes_the_picture(
    dark_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    grid = np.zeros((8, 8, 16, 16), np.float32)
    grid[[0, 2, 5]] = 0.5
    darker = tmp_path / "darker.onnx"
    darker.write_bytes(grid_network(grid))
    choose = """const model = document.querySelector('#model');
        model.value = 'darker.onnx';
        model.dispatchEvent(new Event('change'));"""

    async def scenario() -> None:
        async with live_page(dark_clip, gain_model, "--model", str(darker)) as page:
            await levels_become(page, "dark", "bright")
            await page.evaluate(f"(() => {{ {choose} }})()")
            await page.wait_for("document.querySelector('#readout').dataset.mode === 'darker'")
            await levels_become(page, "dark", "dark")
            before, after = await levels(page)
            assert after < 0.8 * before

    asyncio.run(scenario())


def test_the_ages_that_are_shown_are_those_that_pixels_tell(
    dark_clip: Path, gain_model: Path
) -> None:
    """Two clocks for one thing: RTP reports, and numbers drawn into the camera's picture.

    The two medians are not over quite the same pictures, and an age jumps by a whole picture when
    the camera and the display fall out of step; so one pair may differ, but not most of five.
    """

    async def both_medians_ms(page: Page) -> tuple[float, float]:
        told = await page.evaluate(PIXEL_AGES_MS % READOUT_MS)
        shown, _ = await shown_ages_ms(page)
        return statistics.median(told), shown

    async def scenario() -> list[tuple[float, float]]:
        async with live_page(dark_clip, gain_model) as page:
            await page.wait_for("document.querySelector('#age-p95').textContent.endsWith('ms')")
            medians = [await both_medians_ms(page) for _ in range(5)]
            p50, p95 = await shown_ages_ms(page)
            assert 0 < p50 <= p95
            assert re.fullmatch(r"\d+ / \d+ ms", await page.text("#added"))
            assert re.fullmatch(r"(\d+|< 1) fps", await page.text("#fps"))
            assert re.fullmatch(r"grid on CPU, OpenVINO \w+", await page.text("#runs-on"))
            return medians

    medians = asyncio.run(scenario())
    apart = statistics.median(shown - told for told, shown in medians)
    assert apart == pytest.approx(0, abs=PICTURE_MS / 2), medians


async def shown_ages_ms(page: Page) -> tuple[float, float]:
    """The median and the 95th percentile, of one refresh."""
    texts = await page.evaluate(
        "['age-p50', 'age-p95'].map((name) => document.getElementById(name).textContent)"
    )
    p50, p95 = (float(text.removesuffix(" ms")) for text in texts)
    return p50, p95


def test_the_server_s_camera_is_shown_with_its_original(gain_model: Path) -> None:
    source = "lavfi:color=c=0x1c1c1c:s=320x180:r=10"

    async def scenario() -> None:
        server = serving("--source", source, "--model", gain_model, *PATIENT)
        async with server as (_, url), chromium() as page:
            await page.open(url)
            await page.wait_for("!document.querySelector('#start').disabled")
            assert await page.evaluate("document.querySelector('#camera').value") == "server"
            await page.click("#start")
            await page.wait_for(f"{LIVE} && {ENHANCED}")
            await levels_become(page, "dark", "bright")
            await page.wait_for("document.querySelector('#age-p95').textContent.endsWith('ms')")

    asyncio.run(scenario())


def test_the_size_can_be_changed_again_and_again(dark_clip: Path, gain_model: Path) -> None:
    """The end of one stream came after the beginning of the next, and was taken for its own."""
    change = """(() => { const size = document.querySelector('#size');
        size.value = '%s'; size.dispatchEvent(new Event('change')); })()"""

    async def scenario() -> None:
        async with live_page(dark_clip, gain_model) as page:
            for size in ("1280x720", "640x360") * 4:
                await page.evaluate(change % size)
                await page.wait_for(f"{LIVE} && {ENHANCED}")
                assert await page.text("#cover-title") == ""
            await page.evaluate(change % "1280x720")
            await page.evaluate(change % "640x360")  # before the picture of the other one is there
            await page.wait_for(f"{LIVE} && {ENHANCED}")
            await levels_become(page, "dark", "bright")

    asyncio.run(scenario())


def test_the_camera_is_sent_whole_from_the_first_picture(gain_model: Path, tmp_path: Path) -> None:
    """A browser by itself begins with a quarter of the size, and dark detail is lost."""
    clip = NumberedClip(width=640, height=360, rate=10).write(tmp_path / "camera.y4m")

    async def scenario() -> None:
        async with live_page(clip, gain_model) as page:
            assert await page.evaluate("document.querySelector('#enhanced').videoWidth") == 640
            await page.click("#readout summary")
            arrives = "document.querySelector('#arrives').textContent"
            await page.wait_for(f"/^640 . 360$/.test({arrives})")

    asyncio.run(scenario())


def test_firefox_shows_its_own_camera_bright(gain_model: Path) -> None:
    """It hides its addresses behind names that nothing here resolves; its camera is well lit."""

    async def scenario() -> None:
        async with (
            serving("--model", gain_model, *PATIENT) as (_, url),
            firefox() as page,
        ):
            await begin(page, url)
            await page.wait_for(f"{LIVE} && {ENHANCED}")
            async with asyncio.timeout(60):  # as Firefox's own camera is well lit, it stays so
                while True:
                    before, after = await levels(page)
                    if after > 0.9 * before > 20:
                        break
            assert page.console == []

    asyncio.run(scenario())


def test_a_refused_camera_is_explained_and_can_be_tried_again(gain_model: Path) -> None:
    async def scenario() -> None:
        async with serving("--model", gain_model) as (_, url), chromium(FAKE_CAMERA[0]) as page:
            camera = {"name": "camera"}
            await page.command("Browser.setPermission", permission=camera, setting="denied")
            await begin(page, url)
            await page.wait_for(PROBLEM)
            assert await page.text("#cover-title") == "The camera is blocked"
            assert "Allow the camera for this page" in await page.text("#cover-text")
            assert "The camera is blocked" in await page.text("#announcer")
            await page.command("Browser.setPermission", permission=camera, setting="granted")
            assert await page.text("#start") == "Try again"
            await page.click("#start")
            await page.wait_for(LIVE)

    asyncio.run(scenario())


def test_the_keyboard_goes_on_at_start_after_stop(dark_clip: Path, gain_model: Path) -> None:
    async def scenario() -> None:
        async with live_page(dark_clip, gain_model) as page:
            await page.click("#stop")
            assert await page.evaluate("document.activeElement.id") == "start"

    asyncio.run(scenario())


def test_without_a_camera_it_says_so(gain_model: Path) -> None:
    flags = ("--use-fake-device-for-media-stream=device-count=0", FAKE_CAMERA[1])

    async def scenario() -> str:
        async with serving("--model", gain_model) as (_, url), chromium(*flags) as page:
            await begin(page, url)
            await page.wait_for(PROBLEM)
            return await page.text("#cover-title")

    assert asyncio.run(scenario()) == "There is no camera"


def test_the_picture_comes_back_when_the_server_does(
    dark_clip: Path, gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        options = ("--model", gain_model, *PATIENT)
        async with chromium(*fake_camera(dark_clip)) as page:
            # A killed server leaves its folder. Chromium's socket has too long a name there.
            monkeypatch.setenv("TMPDIR", str(tmp_path))
            async with serving(*options) as (process, url):
                port = int(url.rstrip("/").rpartition(":")[2])
                await begin(page, url)
                await page.wait_for(f"{LIVE} && {ENHANCED}")
                process.kill()
                await page.wait_for("document.querySelector('#link').dataset.state === 'gone'")
                assert await page.text("#cover-title") == "The server is gone"
            async with serving(*options, port=port):
                await page.wait_for(f"{LIVE} && {ENHANCED}")
                assert await page.text("#link") == "Connected"
                await levels_become(page, "dark", "bright")

    asyncio.run(scenario())


def test_a_page_with_the_token_of_an_earlier_start_is_told_what_to_open(gain_model: Path) -> None:
    public = ("--model", gain_model, "--host", "0.0.0.0")

    async def scenario() -> str:
        async with chromium() as page:
            async with serving(*public) as (process, url):
                port = int(url.partition("/?")[0].rpartition(":")[2])
                await page.open(url)
                await page.wait_for("document.querySelector('#link').dataset.state === 'open'")
                process.terminate()
                await process.wait()
            async with serving(*public, port=port):
                await page.wait_for("!document.querySelector('#notice').hidden")
                return await page.text("#notice")

    assert asyncio.run(scenario()).startswith("open the address that tapetum serve printed")


def test_snapshots_and_recordings_are_saved(
    dark_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with live_page(dark_clip, gain_model) as page:
            await page.save_downloads_in(tmp_path)
            await page.click("#snapshot")
            (picture,) = pictures(await downloaded(tmp_path, "tapetum-snapshot-*.png"))
            assert picture.mean() > 1.5 * DARK
            await page.click("#record")
            text = "document.querySelector('#record-text').textContent"
            await page.wait_for(f"{text} > 'Finish 0:01'")
            await page.click("#record")
            recorded = pictures(await downloaded(tmp_path, "tapetum-recording-*.webm"))
            assert len(recorded) >= 3
            assert recorded[-1].mean() > 1.5 * DARK

    asyncio.run(scenario())


def pictures(data: bytes) -> list[Any]:
    with av.open(io.BytesIO(data), "r") as container:
        return [one.to_ndarray(format="gray") for one in container.decode(video=0)]


async def downloaded(folder: Path, pattern: str) -> bytes:
    async with asyncio.timeout(60):
        while not (found := list(folder.glob(pattern))):
            await asyncio.sleep(0.1)
    return found[0].read_bytes()
