"""The browser page with a fake camera in a dark room, and what of it is seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.chromium import Page, chromium, displayed_luma, fake_camera
from support.serve_process import serving

from tapetum.benchmarks.experiments.webrtc import NumberedClip

CLIP = NumberedClip(width=320, height=180, rate=10)
DARK = CLIP.luma
PATIENT = ("--latency-budget", "5s")
"""So that a busy machine enhances too."""
LIVE = "document.querySelector('#view').dataset.state === 'live'"
ENHANCED = "document.querySelector('#readout').dataset.mode === 'gain'"


async def begin(page: Page, url: str) -> None:
    await page.open(url)
    await page.wait_for("!document.querySelector('#start').disabled")
    await page.click("#start")


@asynccontextmanager
async def live_page(clip: Path, model: Path, *options: str) -> AsyncIterator[Page]:
    """A page that shows an enhanced picture."""
    server = serving("--model", model, *PATIENT, *options)
    async with server as (_, url), chromium(*fake_camera(clip)) as page:
        await begin(page, url)
        await page.wait_for(f"{LIVE} && {ENHANCED}")
        yield page
        assert page.console == []


async def levels(page: Page) -> tuple[float, float]:
    """Displayed luma of the left and of the right third of the picture, without its lowest part."""
    luma = await displayed_luma(page, "#view")
    height, width = luma.shape
    middle = luma[height // 4 : height // 2]
    return float(middle[:, : width // 3].mean()), float(middle[:, -width // 3 :].mean())


async def levels_become(page: Page, left: str, right: str) -> None:
    """Wait until both thirds are "dark" or "bright", as displayed."""
    for _ in range(150):
        now = tuple("dark" if level < 1.5 * DARK else "bright" for level in await levels(page))
        if now == (left, right):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"the picture stays {await levels(page)}, not {left}, {right}")
