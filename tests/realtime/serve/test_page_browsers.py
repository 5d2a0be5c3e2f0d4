"""What a person does on the page, in each browser that it is tested with, as it comes.

No browser is helped by a flag but to its false camera.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.chromium import FAKE_CAMERA, Page, chromium
from support.firefox import firefox
from support.page import ENHANCED, LIVE, PATIENT, begin, levels
from support.serve_client import server
from support.serve_process import serving
from support.small_clips import write_clip

from tapetum.realtime.serve.demand import Wanted
from tapetum.realtime.serve.settings import ServerSettings

pytestmark = pytest.mark.slow

Browser = Callable[[], AbstractAsyncContextManager[Page]]
STATE = "document.querySelector('.file')?.dataset.state"
SET_SIZE = """(() => { const size = document.querySelector('#size');
    size.value = '%s'; size.dispatchEvent(new Event('change')); })()"""
ARRIVES = "document.querySelector('#enhanced').videoWidth === %s"


@asynccontextmanager
async def chromium_with_camera() -> AsyncIterator[Page]:
    async with chromium(*FAKE_CAMERA) as page:
        yield page


@pytest.fixture(params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> Browser:
    return {"chromium": chromium_with_camera, "firefox": firefox}[request.param]


async def focus(page: Page, selector: str) -> None:
    await page.evaluate(f"document.querySelector('{selector}').focus()")


async def becomes(page: Page, left: str, right: str) -> None:
    """Wait until the thirds of the picture are "dark" or "bright", as displayed."""
    for _ in range(150):
        now = tuple("dark" if level < 30 else "bright" for level in await levels(page))
        if now == (left, right):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"the picture stays {await levels(page)}, not {left}, {right}")


def test_the_source_is_preselected_and_every_control_acts(
    browser: Browser, gain_model: Path
) -> None:
    source = "lavfi:color=c=0x141414:s=320x180:r=15"

    async def scenario() -> None:
        server = serving("--source", source, "--model", gain_model, *PATIENT)
        async with server as (_, url), browser() as page:
            await begin(page, url)
            await page.wait_for(f"{LIVE} && {ENHANCED}")
            assert await page.evaluate("document.querySelector('#camera').value") == "server"
            assert await page.evaluate("document.querySelector('#size').disabled")
            await becomes(page, "dark", "bright")
            await focus(page, "#wipe")
            await page.press("Home", 36)
            await becomes(page, "bright", "bright")
            await page.press("End", 35)
            await becomes(page, "dark", "dark")
            await page.press("Home", 36)
            await focus(page, "#strength")
            await page.press("Home", 36)
            await becomes(page, "dark", "dark")
            await page.press("End", 35)
            assert await page.text("#strength-shown") == "200 %"
            await becomes(page, "bright", "bright")
            assert await page.evaluate("document.querySelector('#fill').hidden") is False
            if browser is not firefox:  # whose windows without a person have no focus, and refuse
                await page.click("#fill")
                await page.wait_for("document.fullscreenElement?.id === 'stage'")
                await page.evaluate("document.exitFullscreen()")
                await page.wait_for("document.fullscreenElement === null")
            await page.click("#stop")
            assert await page.evaluate("document.activeElement.id") == "start"
            assert page.console == []

    asyncio.run(scenario())


def test_the_picture_has_a_window_of_its_own(browser: Browser, gain_model: Path) -> None:
    source = "lavfi:color=c=0x141414:s=320x180:r=15"

    async def scenario() -> None:
        server = serving("--source", source, "--model", gain_model, *PATIENT)
        async with server as (_, url), browser() as page:
            await begin(page, url)
            await page.wait_for(f"{LIVE} && {ENHANCED}")
            await page.click("#float")
            await page.wait_for("document.pictureInPictureElement?.id === 'enhanced'")
            await page.click("#float")
            await page.wait_for("document.pictureInPictureElement === null")
            await becomes(page, "dark", "bright")
            assert page.console == []

    asyncio.run(scenario())


def test_every_size_comes_in_any_order(browser: Browser, gain_model: Path) -> None:
    """The camera's own, eleven changes while it is live; the largest is the last."""
    sizes = [*("1280x720", "640x360") * 5, "1920x1080"]

    async def scenario() -> None:
        server = serving("--model", gain_model, *PATIENT)
        async with server as (_, url), browser() as page:
            await begin(page, url)
            await page.wait_for(f"{LIVE} && {ENHANCED}")
            for size in sizes:
                await page.evaluate(SET_SIZE % size)
                width = size.partition("x")[0]
                await page.wait_for(f"{LIVE} && {ENHANCED} && {ARRIVES % width}")
                assert await page.text("#cover-title") == ""
            assert page.console == []

    asyncio.run(scenario())


def sound_file(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        for _ in range(20):
            samples = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            frame.sample_rate = 48_000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_file_is_shown_before_it_is_downloaded_and_sound_alone_is_refused_in_a_line(
    browser: Browser, gain_model: Path, tmp_path: Path
) -> None:
    clip, sound = tmp_path / "evening.mkv", sound_file(tmp_path / "sound.m4a")
    write_clip(clip, frames=50)

    async def scenario() -> None:
        async with serving("--model", gain_model) as (_, url), browser() as page:
            await page.open(url)
            await page.wait_for("!document.querySelector('#start').disabled")
            await page.choose_files("#choose", clip)
            await page.wait_for(f"{STATE} === 'done'")
            shown = "document.querySelector('.file-preview video')"
            await page.wait_for(f"{shown}.videoWidth > 0")
            assert not await page.evaluate(f"{shown}.closest('.file-preview').hidden")
            assert await page.evaluate("document.querySelector('.file-download').hidden") is False
            await page.choose_files("#choose", sound)
            await page.wait_for(f"{STATE} === 'failed'")  # the newest is the first
            assert "this file holds no picture" in await page.text(".file-state")
            assert "\n" not in await page.text(".file-state")

    asyncio.run(scenario())


class Wish:
    """Asks a browser for what a test wants, whatever becomes of its pictures."""

    wanted = Wanted()

    def record(self, fps: float, left_out_per_s: float, pixels: int) -> None:
        """See `Demand`."""


SENDERS = """(() => { window.senders = new Set();
    const { setParameters } = RTCRtpSender.prototype;
    RTCRtpSender.prototype.setParameters = function (parameters) {
        window.senders.add(this);
        return setParameters.call(this, parameters);
    }; })()"""
SENT_AT_MOST = "[...window.senders].at(-1)?.getParameters().encodings[0].maxFramerate === %s"


def test_fewer_and_smaller_pictures_are_sent_to_a_busy_server(
    browser: Browser, gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = Wish()
    monkeypatch.setattr("tapetum.realtime.serve.stream.Demand", lambda: wish)
    settings = ServerSettings(port=0, models=[gain_model])

    async def scenario() -> None:
        async with server(tmp_path, settings) as url, browser() as page:
            await page.open(url)
            await page.wait_for("!document.querySelector('#start').disabled")
            await page.evaluate(SENDERS)
            await page.evaluate("document.querySelector('#where').value = 'server'")
            await page.click("#start")
            await page.wait_for(LIVE)
            await page.wait_for(ARRIVES % 640)
            wish.wanted = Wanted(5, 2)
            await page.wait_for(ARRIVES % 320)
            await page.wait_for(SENT_AT_MOST % 5)
            wish.wanted = Wanted()
            await page.wait_for(ARRIVES % 640)
            await page.wait_for(SENT_AT_MOST % "undefined")
            assert page.console == []

    asyncio.run(scenario())
