"""Several viewers of one `tapetum serve`, each with a camera: what each sees, and what it costs."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import psutil

from tapetum.benchmarks.experiments.chromium import Page, chromium, fake_camera
from tapetum.benchmarks.experiments.webrtc import NumberedClip
from tapetum.benchmarks.measure.choices import parse_size
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.machine import load_average
from tapetum.gan.scratch_folder import scratch_folder

PLACES = {"browser": "browser", "server": "server"}
"""Where pictures are enhanced: values of the page's choice."""
_BRIGHT = 1.5
"""So much brighter than the camera's a picture is at the least when it is enhanced."""
_LOOK_S = 0.5
_LIVE = "document.querySelector('#view').dataset.state === 'live'"
_CHOOSE = """(() => {
  for (const [id, value] of [['where', '%s'], ['size', '%s']]) {
    const choice = document.querySelector(`#${id}`);
    choice.value = value;
    choice.dispatchEvent(new Event('change'));
  }
})()"""
_SHOWN = """(() => {
  const number = (id) => parseFloat(document.querySelector(`#${id}`).textContent);
  const here = document.querySelector('#view').dataset.where === 'here';
  const seen = here ? document.querySelector('#bright') : document.querySelector('#enhanced');
  const pen = new OffscreenCanvas(1, 1).getContext('2d');
  const [width, height] = [seen.videoWidth ?? seen.width, seen.videoHeight ?? seen.height];
  pen.drawImage(seen, 0, 0, width, height / 2, 0, 0, 1, 1);
  const level = pen.getImageData(0, 0, 1, 1).data[1];
  return [number('fps'), number('age-p50'), level, here ? 'browser' : 'server'];
})()"""


def viewers(
    count: int = 4,
    *,
    size: str = "640x360",
    rate: int = 15,
    place: str = "server",
    seconds: float = 20.0,
) -> dict[str, object]:
    """Look at what viewers see, each in a Chromium of its own with a dark camera.

    All run on this machine, browsers too, which take most of it; the server's time is told apart.

    Args:
        count: how many.
        size: of the cameras' pictures, like "640x360".
        rate: of the cameras, in frames a second.
        place: where pictures are enhanced, one of `PLACES`.
        seconds: how long is looked.

    Returns:
        For each viewer the medians of `fps` and `age_ms`, and `dark_percent` of the looks; the
        server's `percent_of_a_core`; the load before and after.

    Raises:
        BenchmarkError: there is no Chromium, or pictures are enhanced elsewhere than they should.
    """
    load_before = load_average()[0]
    clip = NumberedClip(*parse_size(size), rate=rate)
    found, percent = asyncio.run(_look(clip, count, place, seconds))
    return {
        "size": size,
        "rate": rate,
        "place": place,
        "viewers": found,
        "server_percent_of_a_core": round(percent, 1),
        "load_average": {"before": round(load_before, 2), "after": round(load_average()[0], 2)},
    }


async def _look(
    clip: NumberedClip, count: int, place: str, seconds: float
) -> tuple[list[dict[str, float]], float]:
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(scratch_folder("bench")))
        camera = clip.write(folder / "camera.y4m")
        server, url = await running.enter_async_context(_server())
        pages = [
            await running.enter_async_context(chromium(*fake_camera(camera))) for _ in range(count)
        ]
        for page in pages:
            await _begin(page, url, clip, place)
        process = psutil.Process(server.pid)
        began_s, spent_s = time.monotonic(), _spent_s(process)
        looks: list[list[list[float]]] = [[] for _ in pages]
        while time.monotonic() - began_s < seconds:
            for page, seen in zip(pages, looks, strict=True):
                seen.append(await _shown(page, place))
            await asyncio.sleep(_LOOK_S)
        passed_s = time.monotonic() - began_s
        percent = 100 * (_spent_s(process) - spent_s) / passed_s
    return [_summary(seen, clip.luma) for seen in looks], percent


async def _begin(page: Page, url: str, clip: NumberedClip, place: str) -> None:
    await page.open(url)
    await page.wait_for("!document.querySelector('#start').disabled")
    await page.evaluate(_CHOOSE % (PLACES[place], f"{clip.width}x{clip.height}"))
    await page.click("#start")
    await page.wait_for(_LIVE)


async def _shown(page: Page, place: str) -> list[float]:
    fps, age_ms, level, where = await page.evaluate(_SHOWN)
    if where != place:
        raise BenchmarkError(f"the page enhances in the {where}, not in the {place}")
    return [fps or 0.0, age_ms or 0.0, level]


def _spent_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _summary(looks: Sequence[Sequence[float]], luma: int) -> dict[str, float]:
    fps, ages, levels = np.array(looks).T
    return {
        "fps": float(np.median(fps)),
        "age_ms": float(np.median(ages)),
        "dark_percent": round(100 * float((levels < _BRIGHT * luma).mean()), 1),
    }


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[Process, str]]:
    """`tapetum serve` as a process, and its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tapetum.realtime", "serve", "--port", "0", "--quiet"),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()
