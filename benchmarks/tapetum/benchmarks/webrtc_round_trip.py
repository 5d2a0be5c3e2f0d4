"""What enhancing adds to a WebRTC round trip: camera, Chromium, server and back on the screen."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.chromium import Page, chromium, fake_camera
from tapetum.benchmarks.numbered_clip import PIXEL_AGES_MS, NumberedClip

TARGET_ADDED_P95_MS = 10.0
"""What enhancing may add on an unloaded machine with two cores."""
_CLIP = NumberedClip(width=640, height=360, rate=30)
_BUDGETS_MS = {"plain": 0.001, "enhanced": 1000.0}
"""No model is quick enough for the first, so that pictures pass through; the second lets the
model run on a loaded machine too."""
_MODES = {"plain": "passthrough", "enhanced": "grid"}
_SETTLE_S = 5.0


def webrtc_round_trip(seconds: float, *, rounds: int = 6) -> dict[str, object]:
    """Ages of the pictures on the screen, without and with enhancing, in turns.

    Ages are from the camera's capture to the display, told by numbers in the pixels of the
    camera's picture and the shown one. The clip has 64 numbers; ages over half of it are none.

    Args:
        seconds: how long each kind is measured in all.
        rounds: how often the two take turns. Each time the browser starts anew, and its camera
            at another moment between two refreshes of the screen, which alone moves all ages of a
            round by up to 17 ms: few rounds measure that.

    Raises:
        BenchmarkError: there is no Chromium, or the picture is not as it should be.
    """
    load_before = os.getloadavg()[0]
    measured = asyncio.run(_measure(1000 * seconds / rounds, rounds))
    added_ms = _p95(measured["enhanced"]) - _p95(measured["plain"])
    return {
        "size": f"{_CLIP.width}x{_CLIP.height}",
        "rate": _CLIP.rate,
        "target_added_p95_ms": TARGET_ADDED_P95_MS,
        "added_p95_ms": round(added_ms, 1),
        "age_ms": {kind: _summary(ages) for kind, ages in measured.items()},
        "load_average": {"before": round(load_before, 2), "after": round(os.getloadavg()[0], 2)},
    }


async def _measure(window_ms: float, rounds: int) -> dict[str, list[float]]:
    ages: dict[str, list[float]] = {kind: [] for kind in _BUDGETS_MS}
    with tempfile.TemporaryDirectory(prefix="tapetum-") as folder:
        clip = _CLIP.write(Path(folder) / "camera.y4m")
        for _ in range(rounds):
            for kind, budget_ms in _BUDGETS_MS.items():
                ages[kind] += await _ages(clip, budget_ms, _MODES[kind], window_ms)
    return ages


async def _ages(clip: Path, budget_ms: float, mode: str, window_ms: float) -> list[float]:
    async with _server(budget_ms) as url, chromium(*fake_camera(clip)) as page:
        await page.open(url)
        await page.wait_for("!document.querySelector('#start').disabled")
        await page.click("#start")
        await page.wait_for(f"document.querySelector('#readout').dataset.mode === '{mode}'")
        await asyncio.sleep(_SETTLE_S)
        ages: list[float] = await page.evaluate(PIXEL_AGES_MS % window_ms)
        await _check(page, mode, ages)
    loop_ms = 1000 * 64 / _CLIP.rate
    return [age for age in ages if 0 < age < loop_ms / 2]


async def _check(page: Page, mode: str, ages: list[float]) -> None:
    now = await page.evaluate("document.querySelector('#readout').dataset.mode")
    if now != mode or not ages:
        raise BenchmarkError(f"{len(ages)} pictures in mode {now} were shown, not in {mode}")


@asynccontextmanager
async def _server(budget_ms: float) -> AsyncIterator[str]:
    """`tapetum serve` as a process; its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tapetum.realtime", "serve", "--port", "0", "--quiet"),
        *("--model", "grid", "--latency-budget", f"{budget_ms}ms"),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def _p95(ages: list[float]) -> float:
    return float(np.percentile(ages, 95))


def _summary(ages: list[float]) -> dict[str, float]:
    figures = {f"p{percent}": float(np.percentile(ages, percent)) for percent in (50, 90, 95, 99)}
    return {name: round(value, 1) for name, value in figures.items()} | {"pictures": len(ages)}
