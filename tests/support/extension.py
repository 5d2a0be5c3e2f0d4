"""The browser extension in a real Chromium: unpacked, with its window, on a page that calls."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from build_extension import WEB, build_extension

from tapetum.benchmarks.experiments.chromium import (
    Page,
    chromium_and_port,
    fake_camera,
    find_chromium,
    other_target,
)

_PAGES = Path(__file__).parents[1] / "web" / "pages"
STRICT = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; img-src 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""Headers of a page that lets nothing in but what is its own, as meeting pages do."""


def needs_npm() -> None:
    """Skip where the browser's ONNX Runtime is not installed."""
    if not (WEB / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("needs onnxruntime-web: npm ci in web/")


def built(folder: Path) -> tuple[Path, Path]:
    """The unpacked extension for Chromium and for Firefox."""
    needs_npm()
    for_chromium, for_firefox = build_extension(folder)
    return for_chromium, for_firefox


def allowed_on_localhost(extension: Path) -> Path:
    """The same with a right that a person gives by a click in the browser's own question."""
    path = extension / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"host_permissions": ["http://localhost/*"]}))
    return extension


def switched_on(extension: Path, site: str) -> Path:
    """The same, with `site` on from its start, lit pictures too.

    Not every browser's window can be driven, or its camera be made dark.
    """
    path = extension / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text())
    manifest["background"]["scripts"].append("start.js")
    path.write_text(json.dumps(manifest))
    (extension / "start.js").write_text(
        'import { browserApi, switchSite } from "./extension/sites.js";\n'
        "await browserApi.storage.local.set({ onlyWhenDark: false });\n"
        f'await switchSite("{site}", true);\n'
    )
    return extension


async def _no_icon(_request: web.Request) -> web.Response:
    return web.Response(status=204)


@asynccontextmanager
async def served(folder: Path, headers: dict[str, str]) -> AsyncIterator[str]:
    """The address of a folder, while it is served with some headers."""

    async def set_headers(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)

    app = web.Application()
    app.on_response_prepare.append(set_headers)
    app.router.add_get("/favicon.ico", _no_icon)
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "localhost", 0).start()
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def call_page(headers: dict[str, str]) -> AsyncIterator[str]:
    """The address of a page that calls."""
    async with served(_PAGES, headers) as url:
        yield f"{url}call.html"


@asynccontextmanager
async def page_and_window(
    extension: Path, clip: Path, url: str
) -> AsyncIterator[tuple[Page, Page]]:
    """A page and, opened over it, the extension's window."""
    if find_chromium() is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    flags = (*fake_camera(clip), f"--load-extension={extension}")
    async with chromium_and_port(*flags) as (page, port):
        async with other_target(port, "/background.js") as background:
            await page.open(url)
            await background.evaluate("chrome.action.openPopup()")
        async with other_target(port, "/popup.html") as window:
            await window.wait_for("!document.querySelector('#on').disabled")
            yield page, window
