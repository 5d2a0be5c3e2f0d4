"""A real headless Chromium for tests, which skip where there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import numpy as np
import numpy.typing as npt
import pytest

from tapetum.benchmarks.experiments.chromium import FAKE_CAMERA, Page, fake_camera, find_chromium
from tapetum.benchmarks.experiments.chromium import chromium as started_chromium

__all__ = ["FAKE_CAMERA", "Page", "chromium", "displayed_luma", "fake_camera"]


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Page]:
    """A browser with one empty tab."""
    if find_chromium() is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    async with started_chromium(*flags) as page:
        yield page


async def displayed_luma(page: Page, selector: str) -> npt.NDArray[np.float64]:
    """The luma of an element as it is displayed, (H, W) from 0 to 255."""
    decoder = av.CodecContext.create("png", "r")
    (picture,) = decoder.decode(av.Packet(await page.screenshot(selector)))
    assert isinstance(picture, av.VideoFrame)
    return picture.to_ndarray(format="gray").astype(np.float64)
