"""The page in windows and with pictures of other shapes, in a real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.chromium import Page, chromium
from support.page import LIVE
from support.serve_process import serving

pytestmark = pytest.mark.slow

UPRIGHT = "lavfi:color=c=0x1c1c1c:s=180x320:r=10"
SIZE = "document.querySelector('#size').selectedOptions[0].textContent"


async def resize(page: Page, width: int, height: int) -> None:
    """Give the page the window of a phone."""
    await page.command(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=True,
    )


@asynccontextmanager
async def upright_page(model: Path) -> AsyncIterator[Page]:
    """A page on a phone that shows a picture of 180x320."""
    server = serving("--source", UPRIGHT, "--model", model, "--latency-budget", "5s")
    async with server as (_, url), chromium() as page:
        await resize(page, 390, 844)
        await page.open(url)
        await page.wait_for("!document.querySelector('#start').disabled")
        await page.evaluate("document.querySelector('#camera').value = 'server'")
        await page.click("#start")
        await page.wait_for(LIVE)
        yield page


def test_an_upright_picture_fills_the_view_and_the_view_fits_the_window(gain_model: Path) -> None:
    async def scenario() -> None:
        async with upright_page(gain_model) as page:
            assert await page.evaluate(SIZE) == "180 \N{MULTIPLICATION SIGN} 320"
            for width, height in ((390, 844), (844, 390), (1280, 800)):
                await resize(page, width, height)
                view = await page.box("#view")
                assert view["width"] / view["height"] == pytest.approx(180 / 320, rel=0.02)
                assert 0.5 * height < view["height"] < height

    asyncio.run(scenario())


def test_at_an_end_the_divider_can_be_seen_whole_and_names_only_what_is_shown(
    gain_model: Path,
) -> None:
    async def scenario() -> None:
        async with upright_page(gain_model) as page:
            for key, code, before, after in (("Home", 36, 0, 1), ("End", 35, 1, 0)):
                await page.evaluate("document.querySelector('#wipe').focus()")
                await page.press(key, code)
                shown = "+getComputedStyle(document.querySelector('.tag-{}')).opacity === {}"
                await page.wait_for(shown.format("before", before))
                await page.wait_for(shown.format("after", after))
                view, grip = await page.box("#view"), await page.box(".wipe-grip")
                assert view["left"] <= grip["left"]
                assert grip["right"] <= view["right"]

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [(320, 640), (390, 844), (844, 390), (1000, 700), (1280, 800)])
def test_nothing_is_cut_or_squeezed(gain_model: Path, size: tuple[int, int]) -> None:
    cut = """(() => {
      const right = (element) => element.getBoundingClientRect().right;
      const edge = right(document.querySelector('#readout'));
      const figures = [...document.querySelectorAll('#readout :is(dt, dd)')];
      const icons = [...document.querySelectorAll('.buttons svg')];
      const buttons = [...document.querySelectorAll('.buttons .button')];
      return [
        ...figures.filter((figure) => right(figure) > edge),
        ...figures.filter((figure) => figure.scrollWidth > figure.clientWidth),
        ...icons.filter((icon) => icon.getBoundingClientRect().width < 18),
        ...buttons.filter((button) => button.scrollWidth > button.clientWidth),
      ].map((element) => element.outerHTML);
    })()"""

    async def scenario() -> None:
        async with serving("--model", gain_model) as (_, url), chromium() as page:
            await resize(page, *size)
            await page.open(url)
            await page.wait_for("!document.querySelector('#start').disabled")
            await page.evaluate(
                "document.querySelector('#record-text').textContent = 'Finish 10:00'"
            )
            assert await page.evaluate(cut) == []
            assert await page.evaluate("document.documentElement.scrollWidth") == size[0]

    asyncio.run(scenario())
