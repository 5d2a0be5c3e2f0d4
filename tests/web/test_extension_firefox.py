"""The browser extension in a real Firefox: all but its window, which cannot be driven there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from support.extension import STRICT, allowed_on_localhost, built, call_page, switched_on
from support.firefox import FirefoxPage, firefox
from support.x_display import x_display

pytestmark = pytest.mark.slow

OWN_CAMERA = """(async () => {
    const frame = document.createElement('iframe'); // a page of its own, where no script runs
    const video = document.createElement('video');
    [video.id, video.muted] = ['camera', true];
    document.body.append(frame, video);
    const { mediaDevices } = frame.contentWindow.navigator;
    play('camera', await mediaDevices.getUserMedia({ video: { width: 320, height: 180 } }));
})()"""
HAS_WEBGL = "document.createElement('canvas').getContext('webgl2') !== null"
IN_THE_PAGE = "Symbol.for('tapetum') in navigator.mediaDevices"


async def open_with_extension(page: FirefoxPage, extension: Path, url: str) -> None:
    await page.install(switched_on(extension, url.rpartition("/")[0]))
    for _ in range(20):  # the browser does not say when the extension's first script has run
        await page.open(url)
        if await page.evaluate(IN_THE_PAGE):
            return
    pytest.fail("the extension does not run in the page")


@pytest.mark.parametrize("headers", [{}, STRICT], ids=["open", "strict"])
def test_others_in_a_call_see_what_is_well_lit_as_it_is(
    headers: dict[str, str], tmp_path: Path
) -> None:
    """Firefox's false camera shows one colour of middle light, which is to stay as it is.

    What is dark becomes bright in Chromium's tests, where the camera is a clip.
    """
    _, unpacked = built(tmp_path)
    extension = allowed_on_localhost(unpacked)

    async def scenario(display: str) -> None:
        async with call_page(headers) as url, firefox(display) as page:
            await open_with_extension(page, extension, url)
            await page.evaluate("begin({ width: 320, height: 180 }).then(() => true)")
            await page.evaluate(OWN_CAMERA)
            await page.wait_for(
                "luma('received').all > 50"
                " && Math.abs(luma('received').all - luma('camera').all) < 10"
            )
            said = await page.evaluate("[track.label !== '', track.getSettings().width]")
            assert said == [True, 320]
            await page.evaluate("track.stop()")
            assert await page.evaluate("track.readyState") == "ended"
            assert page.console == []

    with x_display("1280x900") as display:
        asyncio.run(scenario(display))


def test_without_webgl_the_processor_draws(tmp_path: Path) -> None:
    """As in a Firefox without windows: the call goes on, bright."""
    _, unpacked = built(tmp_path)
    extension = allowed_on_localhost(unpacked)

    async def scenario() -> None:
        async with call_page({}) as url, firefox() as page:
            await open_with_extension(page, extension, url)
            if await page.evaluate(
                "document.createElement('canvas').getContext('webgl2') !== null"
            ):
                pytest.skip("this Firefox has WebGL 2 without windows too")
            await page.evaluate("begin({ width: 320, height: 180 }).then(() => true)")
            await page.evaluate(OWN_CAMERA)
            await page.wait_for(
                "luma('camera').all > 0 && luma('received').all > 0.9 * luma('camera').all"
            )
            assert page.console == []

    asyncio.run(scenario())
