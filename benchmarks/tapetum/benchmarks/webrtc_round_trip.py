"""What enhancing adds to a WebRTC round trip: camera, Chromium, server and back on the screen."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.inputs import parse_size
from tapetum.benchmarks.chromium import Page, chromium, fake_camera
from tapetum.benchmarks.numbered_clip import PIXEL_AGES_MS, SHOWN_LEVEL, NumberedClip
from tapetum.benchmarks.round_trip_target import SIZE, TARGET_ADDED_P95_MS

_CLIP = NumberedClip(*parse_size(SIZE), rate=30)
_BUDGET = "1s"
"""So that the model runs on a loaded machine too."""
_SETTLE_S = 3.0
"""After a start or a change of the strength; what is shown meanwhile is not counted."""
_BRIGHT = 1.5
"""So much brighter than without it a picture is at the least when it is enhanced."""
_SET_STRENGTH = """(() => {
  const strength = document.querySelector('#strength');
  strength.value = %d;
  strength.dispatchEvent(new Event('input'));
})()"""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Ages, in ms, without and with enhancing."""

    plain: list[float]
    enhanced: list[float]

    @property
    def added_p95_ms(self) -> float:
        return _p95(self.enhanced) - _p95(self.plain)


def webrtc_round_trip(seconds: float, *, pairs: int = 8) -> dict[str, object]:
    """Ages of the pictures on the screen, without and with enhancing, in turns.

    Ages are from the camera's capture to the display, told by numbers in the pixels of the
    camera's picture and the shown one. The clip has 64 numbers; ages over half of it are none.

    Without enhancing means at strength 0: the same connection, camera, codecs and threads, but no
    frame is given to the model. For each pair of blocks, one of each kind, the camera starts anew,
    so at another moment between two refreshes of the screen: that alone moves all ages by up to
    17 ms, and decides whether a millisecond of work costs none on the screen, or 17. Both blocks
    of a pair have the same such moment, and all pairs together many.

    Args:
        seconds: how long each kind is measured in all.
        pairs: how many there are.

    Raises:
        BenchmarkError: there is no Chromium, or the picture is not as it should be.
    """
    load_before = os.getloadavg()[0]
    measured = asyncio.run(_measure(1000 * seconds / pairs, pairs))
    pooled = _Pair(
        plain=list(chain.from_iterable(pair.plain for pair in measured)),
        enhanced=list(chain.from_iterable(pair.enhanced for pair in measured)),
    )
    return {
        "size": SIZE,
        "rate": _CLIP.rate,
        "block_s": round(seconds / pairs, 2),
        "target_added_p95_ms": TARGET_ADDED_P95_MS,
        "added_p95_ms": round(pooled.added_p95_ms, 1),
        "added_p95_of_pairs_ms": [round(pair.added_p95_ms, 1) for pair in measured],
        "age_ms": {"plain": _summary(pooled.plain), "enhanced": _summary(pooled.enhanced)},
        "load_average": {"before": round(load_before, 2), "after": round(os.getloadavg()[0], 2)},
    }


async def _measure(block_ms: float, pairs: int) -> list[_Pair]:
    with tempfile.TemporaryDirectory(prefix="tapetum-") as folder:
        clip = _CLIP.write(Path(folder) / "camera.y4m")
        async with _server() as url, chromium(*fake_camera(clip)) as page:
            await page.open(url)
            return [
                await _pair(page, block_ms, plain_first=number % 2 == 0) for number in range(pairs)
            ]


async def _pair(page: Page, block_ms: float, *, plain_first: bool) -> _Pair:
    """Start the camera, measure one block of each kind, and stop it."""
    await page.wait_for("!document.querySelector('#start').disabled")
    await page.click("#start")
    await page.wait_for("document.querySelector('#readout').dataset.mode === 'grid'")
    percents = (0, 100) if plain_first else (100, 0)
    ages = {percent: await _block(page, percent, block_ms) for percent in percents}
    await page.click("#stop")
    return _Pair(plain=ages[0], enhanced=ages[100])


async def _block(page: Page, percent: int, block_ms: float) -> list[float]:
    """Ages of the pictures that are shown at one strength."""
    await page.evaluate(_SET_STRENGTH % percent)
    await asyncio.sleep(_SETTLE_S)
    await _check(page, percent)
    ages: list[float] = await page.evaluate(PIXEL_AGES_MS % block_ms)
    await _check(page, percent)
    loop_ms = 1000 * 64 / _CLIP.rate
    believable = [age for age in ages if 0 < age < loop_ms / 2]
    if not believable:
        raise BenchmarkError(f"no numbered picture was shown in {block_ms / 1000:g} s")
    return believable


async def _check(page: Page, percent: int) -> None:
    """The model is what the server takes, and the picture is bright if it should be, else dark."""
    mode = await page.evaluate("document.querySelector('#readout').dataset.mode")
    level = await page.evaluate(SHOWN_LEVEL)
    is_bright = level > _BRIGHT * _CLIP.luma
    if mode != "grid" or is_bright != (percent > 0):
        raise BenchmarkError(f"at strength {percent} % the mode is {mode}, the level {level}")


@asynccontextmanager
async def _server() -> AsyncIterator[str]:
    """`tapetum serve` as a process; its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tapetum.realtime", "serve", "--port", "0", "--quiet"),
        *("--model", "grid", "--latency-budget", _BUDGET),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def _p95(ages: Sequence[float]) -> float:
    return float(np.percentile(ages, 95))


def _summary(ages: Sequence[float]) -> dict[str, float]:
    figures = {f"p{percent}": float(np.percentile(ages, percent)) for percent in (50, 90, 95, 99)}
    return {name: round(value, 1) for name, value in figures.items()} | {"pictures": len(ages)}
