"""The page for everyone: by keyboard, by screen reader, on a phone, light and dark."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.chromium import Page, chromium
from support.serve_process import serving

pytestmark = pytest.mark.slow

CONTROLS = {"button", "checkbox", "combobox", "link", "slider", "switch"}
REACHED = {
    "Skip to the picture",
    "Start the camera",
    "Camera",
    "Size",
    "Model",
    "Strength",
    "Compare before and after",
    "Choose a video or photo or drop it here",
}

CONTRASTS = """
[...document.querySelectorAll("h1, h2, p, label, dt, dd, option, .button, strong")]
  .filter((one) => one.textContent.trim() && one.checkVisibility() && !one.closest(".cover"))
  .filter((one) => !one.disabled && getComputedStyle(one).position !== "fixed")
  .map((one) => {
    const parse = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => color.slice(0, 3)
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    let under = one;
    const ground = () => parse(getComputedStyle(under).backgroundColor);
    while (ground()[3] === 0 && under.parentElement) under = under.parentElement;
    const levels = [light(parse(getComputedStyle(one).color)), light(ground())].sort();
    return [(levels[1] + 0.05) / (levels[0] + 0.05), one.textContent.trim()];
  })
"""
"""JavaScript: the contrast (WCAG 2) of each text and its ground."""


async def ready(page: Page, url: str) -> None:
    await page.open(url)
    await page.wait_for("!document.querySelector('#start').disabled")


async def accessible(page: Page) -> list[tuple[str, str]]:
    """Role and name of everything that assistive technology is shown."""
    nodes: list[dict[str, Any]] = (await page.command("Accessibility.getFullAXTree"))["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]


def test_every_control_has_a_name_and_is_reached_by_tab(gain_model: Path) -> None:
    async def scenario() -> None:
        async with serving("--model", gain_model) as (_, url), chromium() as page:
            await ready(page, url)
            everything = await accessible(page)
            assert [role for role, name in everything if role in CONTROLS and not name] == []
            roles = {role for role, _ in everything}
            assert {"main", "banner", "contentinfo", "heading", "form", "status"} <= roles
            reached = set()
            await page.press("Tab", 9)
            while await page.evaluate("document.activeElement !== document.body"):
                reached.add(await focused_name(page))
                assert await has_focus_ring(page), await focused_name(page)
                await page.press("Tab", 9)
            assert reached >= REACHED

    asyncio.run(scenario())


async def focused_name(page: Page) -> str:
    element = "document.activeElement"
    name = f"({element}.labels?.[0] ?? {element}).innerText"
    return " ".join(str(await page.evaluate(name)).split())


async def has_focus_ring(page: Page) -> bool:
    """Whether the focused element, or what stands for it, has an outline."""
    rings = await page.evaluate(
        "[document.activeElement, document.activeElement.parentElement]"
        ".map((one) => getComputedStyle(one).outlineStyle)"
    )
    return "solid" in rings


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(scheme: str, gain_model: Path) -> None:
    async def scenario() -> tuple[list[tuple[float, str]], str]:
        async with serving("--model", gain_model) as (_, url), chromium() as page:
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            await page.command("Emulation.setEmulatedMedia", features=media)
            await ready(page, url)
            ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
            return await page.evaluate(CONTRASTS), ground

    contrasts, ground = asyncio.run(scenario())
    assert len(contrasts) > 15
    assert [one for one in contrasts if one[0] < 4.5] == []
    level = sum(map(int, ground[4:-1].split(","))) / 3
    assert level > 200 if scheme == "light" else level < 40


@pytest.mark.parametrize("width", [320, 390, 820])
def test_nothing_is_wider_than_a_phone(width: int, gain_model: Path) -> None:
    async def scenario() -> int:
        async with serving("--model", gain_model) as (_, url), chromium() as page:
            phone = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
            await page.command("Emulation.setDeviceMetricsOverride", **phone)
            await ready(page, url)
            return int(await page.evaluate("document.documentElement.scrollWidth"))

    assert asyncio.run(scenario()) == width
