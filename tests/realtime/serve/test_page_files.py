"""Files that are dropped on the page in a real Chromium."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.chromium import Page, chromium
from support.serve_process import serving
from support.small_clips import write_clip

pytestmark = pytest.mark.slow

STATE = "document.querySelector('.file')?.dataset.state"


async def ready(page: Page, url: str) -> None:
    await page.open(url)
    await page.wait_for("!document.querySelector('#start').disabled")


async def drop(page: Page, path: Path) -> None:
    """Drop a file on the page, as a file manager does."""
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    x, y = await page.middle("#drop")
    for kind in ("dragEnter", "dragOver", "drop"):
        await page.command("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)


def mean_luma(data: bytes) -> tuple[int, float]:
    with av.open(io.BytesIO(data), "r") as container:
        lumas = [one.to_ndarray(format="gray").mean() for one in container.decode(video=0)]
    return len(lumas), float(np.mean(lumas))


def test_a_dropped_video_is_enhanced_and_downloaded(gain_model: Path, tmp_path: Path) -> None:
    clip, downloads = tmp_path / "Evening at home.mkv", tmp_path / "downloads"
    write_clip(clip, frames=50)
    downloads.mkdir()

    async def scenario() -> None:
        async with serving("--model", gain_model) as (_, url), chromium() as page:
            await page.save_downloads_in(downloads)
            await ready(page, url)
            await drop(page, clip)
            await page.wait_for(f"{STATE} === 'done'")
            assert await page.text(".file-name") == clip.name
            assert (await page.text(".file-state")).startswith("Ready")
            assert await page.text("#announcer") == f"{clip.name} is ready to download"
            await page.click(".file-download")
            result = downloads / "Evening at home-bright.mp4"
            async with asyncio.timeout(60):
                while not result.exists():
                    await asyncio.sleep(0.1)
            frames, bright = mean_luma(result.read_bytes())
            assert frames == 50
            assert bright > 1.5 * mean_luma(clip.read_bytes())[1]
            await page.click(".file-remove")
            assert await page.evaluate("document.querySelector('.file')") is None
            assert page.console == []

    asyncio.run(scenario())


def test_progress_is_shown_and_a_lost_server_is_told(gain_model: Path, tmp_path: Path) -> None:
    clip = tmp_path / "long.mkv"
    write_clip(clip, frames=4000)

    async def scenario() -> None:
        async with chromium() as page:
            async with serving("--model", gain_model) as (process, url):
                await ready(page, url)
                await page.choose_files("#choose", clip)
                part = await page.wait_for(
                    f"{STATE} === 'working' && document.querySelector('.file-progress').value"
                )
                assert 0 < part < 1
                assert " % of" not in await page.text(".file-state")
                assert (await page.text(".file-state")).startswith("Enhancing: ")
                process.terminate()
                await page.wait_for(f"{STATE} === 'failed'")
            assert "Send it again" in await page.text(".file-state")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("size", "reason"),
    [(10, "no video or photo that can be read here"), (1_000_001, "1 MB are the most")],
)
def test_a_file_that_is_refused_says_why(
    size: int, reason: str, gain_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(b"x" * size)

    async def scenario() -> None:
        options = ("--model", gain_model, "--max-upload-mb", "1")
        async with serving(*options) as (_, url), chromium() as page:
            await ready(page, url)
            await page.choose_files("#choose", path)
            await page.wait_for(f"{STATE} === 'failed'")
            assert reason in await page.text(".file-state")

    asyncio.run(scenario())


def test_the_keyboard_goes_on_where_a_file_was_removed(gain_model: Path, tmp_path: Path) -> None:
    texts = [tmp_path / name for name in ("one.txt", "two.txt")]
    for text in texts:
        text.write_text("no picture")
    focused = "document.activeElement.id || document.activeElement.ariaLabel"

    async def scenario() -> None:
        async with serving("--model", gain_model) as (_, url), chromium() as page:
            await ready(page, url)
            await page.choose_files("#choose", *texts)
            failed = "document.querySelectorAll('.file[data-state=failed]').length === 2"
            await page.wait_for(failed)
            await page.click(".file-remove")
            assert await page.evaluate(focused) == "Remove one.txt"
            await page.click(".file-remove")
            assert await page.evaluate(focused) == "choose"

    asyncio.run(scenario())
