"""A dark clip for a browser's fake camera whose pictures are numbered by their own pixels."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.experiments.chromium import Page, chromium, fake_camera
from tapetum.benchmarks.experiments.live import SIZE, TARGET_ADDED_P95_MS
from tapetum.benchmarks.measure.choices import parse_size
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.machine import load_average
from tapetum.gan.scratch_folder import scratch_folder

BITS = 6
"""Bits of a number: the clip has 64 pictures, after which it starts anew."""
_STRIP = 0.13
"""Part of the height, at the bottom, that shows the number."""
_BLACK, _WHITE = 16, 76


@dataclass(frozen=True, slots=True)
class NumberedClip:
    """What the camera shows.

    Attributes:
        width: in pixels, even.
        height: in pixels, even.
        rate: pictures a second.
        luma: of the picture, but for the number.
    """

    width: int
    height: int
    rate: int
    luma: int = 30

    def write(self, path: Path) -> Path:
        """Write it as y4m, and return the path."""
        with path.open("wb") as clip:
            header = f"YUV4MPEG2 W{self.width} H{self.height} F{self.rate}:1 Ip A1:1 C420jpeg\n"
            clip.write(header.encode())
            chroma = bytes([128]) * (self.width * self.height // 2)
            for number in range(1 << BITS):
                clip.write(b"FRAME\n" + self._picture(number).tobytes() + chroma)
        return path

    def _picture(self, number: int) -> npt.NDArray[np.uint8]:
        """A picture's luma; the bit that is worth most is on the left."""
        luma = np.full((self.height, self.width), self.luma, np.uint8)
        for bit in range(BITS):
            left, right = (self.width * (bit + end) // BITS for end in (0, 1))
            is_set = number >> (BITS - 1 - bit) & 1
            luma[-round(_STRIP * self.height) :, left:right] = _WHITE if is_set else _BLACK
        return luma


PIXEL_AGES_MS = """
(async () => {
  const bits = 6, width = 96, height = 54;
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const numberIn = (video) => {
    pen.drawImage(video, 0, 0, width, height);
    const row = pen.getImageData(0, height - 4, width, 1).data;
    const levels = [...Array(bits).keys()].map((bit) => row[4 * (16 * bit + 8) + 1]);
    const brightest = Math.max(...levels), darkest = Math.min(...levels);
    if (brightest - darkest < 20) return null;
    const middle = (brightest + darkest) / 2;
    return levels.reduce((number, level) => 2 * number + (level > middle ? 1 : 0), 0);
  };
  let over = false;
  const follow = (id, seen) => {
    const video = document.getElementById(id);
    const shown = (now, metadata) => {
      if (over) return;
      const number = numberIn(video);
      if (number !== null) seen(number, metadata);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  };
  const captured = new Map();
  const ages = [];
  follow("original-video", (number, { captureTime }) => captured.set(number, captureTime));
  follow("enhanced", (number, { expectedDisplayTime }) => {
    if (captured.has(number)) ages.push(expectedDisplayTime - captured.get(number));
  });
  await new Promise((resolve) => setTimeout(resolve, %d));
  over = true;
  return ages;
})()
"""
"""JavaScript for the page of `tapetum serve` (put in a time in ms by %): the ages of the pictures
that it shows in that time, from the camera's capture to the display, told by their numbers alone.
Numbers 0 and 63, which have only one level, are left out."""

SHOWN_LEVEL = """
(() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d");
  const video = document.getElementById("enhanced");
  pen.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 2, 0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data[1];
})()
"""
"""JavaScript for the same page: green, from 0 to 255, of the picture that comes back, without its
number."""


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
    load_before = load_average()[0]
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
        "load_average": {"before": round(load_before, 2), "after": round(load_average()[0], 2)},
    }


async def _measure(block_ms: float, pairs: int) -> list[_Pair]:
    with scratch_folder("bench") as folder:
        clip = _CLIP.write(folder / "camera.y4m")
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
    wanted = "grid" if percent > 0 else "passthrough"
    if not mode.startswith(wanted) or is_bright != (percent > 0):
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
