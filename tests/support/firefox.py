"""A real headless Firefox for tests, driven over WebDriver BiDi; tests skip where there is none."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tapetum.benchmarks.experiments.chromium import Page
from tapetum.benchmarks.measure.errors import BenchmarkError

_PREFERENCES = {
    "media.navigator.streams.fake": True,  # a camera
    "media.navigator.permission.disabled": True,  # that everyone may use
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
}
"""Nothing but the false camera and its permission: all else is as a person has it."""
_KEYS = {"End": "\ue010", "Home": "\ue011"}
"""As WebDriver writes them."""
_LISTENING = "WebDriver BiDi listening on "


class FirefoxPage(Page):
    """One tab of Firefox; what it does is as for Chromium's."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket)
        self._numbers = count(1)
        self.context = ""

    async def open(self, url: str) -> None:
        await self.command(
            "browsingContext.navigate", context=self.context, url=url, wait="complete"
        )

    async def evaluate(self, code: str) -> Any:
        answer = await self.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({code})) ?? 'null')()",
            target={"context": self.context},
            awaitPromise=True,
            userActivation=False,
        )
        if answer["type"] == "exception":
            raise BenchmarkError(f"{code} failed: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"]["value"])

    async def install(self, extension: Path) -> None:
        """Install an unpacked extension until the browser ends."""
        data = {"type": "path", "path": str(extension)}
        await self.command("webExtension.install", extensionData=data)

    async def click(self, selector: str) -> None:
        x, y = await self.middle(selector)
        await self._act(
            "pointer",
            {"pointerType": "mouse"},
            [
                {"type": "pointerMove", "x": round(x), "y": round(y)},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ],
        )

    async def press(self, key: str, code: int) -> None:  # noqa: ARG002 - for Chromium
        value = _KEYS[key]
        await self._act(
            "key", {}, [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        )

    async def choose_files(self, selector: str, *paths: Path) -> None:
        found = await self.command(
            "browsingContext.locateNodes",
            context=self.context,
            locator={"type": "css", "value": selector},
        )
        await self.command(
            "input.setFiles",
            context=self.context,
            element={"sharedId": found["nodes"][0]["sharedId"]},
            files=[str(path) for path in paths],
        )

    async def box(self, selector: str) -> dict[str, float]:
        element = f"document.querySelector({selector!r})"
        box: dict[str, float] = await self.evaluate(
            f"({element}.scrollIntoView({{block: 'nearest'}}),"
            f" {element}.getBoundingClientRect().toJSON())"
        )
        return box

    async def screenshot(self, selector: str | None = None) -> bytes:
        clip: dict[str, object] = {}
        if selector is not None:
            box = await self.box(selector)
            sides = {side: box[side] for side in ("x", "y", "width", "height")}
            clip = {"clip": {"type": "box"} | sides}
        answer = await self.command(
            "browsingContext.captureScreenshot", context=self.context, **clip
        )
        return base64.b64decode(answer["data"])

    async def _act(
        self, kind: str, parameters: dict[str, str], actions: list[dict[str, Any]]
    ) -> None:
        source: dict[str, Any] = {"type": kind, "id": kind, "actions": actions}
        if parameters:
            source["parameters"] = parameters
        await self.command("input.performActions", context=self.context, actions=[source])

    async def _read(self) -> None:
        async for received in self._socket:
            message = json.loads(received.data)
            answer = self._answers.pop(message.get("id"), None)
            if answer is None:
                if message.get("method") == "log.entryAdded":
                    self._note(message["params"])
            elif message["type"] == "error":
                answer.set_exception(BenchmarkError(str(message)))
            else:
                answer.set_result(message["result"])

    def _note(self, entry: dict[str, Any]) -> None:
        if entry["level"] == "error":
            self.console.append(json.dumps(entry))


@asynccontextmanager
async def firefox(display: str | None = None) -> AsyncIterator[FirefoxPage]:
    """A browser with a false camera and one empty tab.

    Args:
        display: where its windows are; None for no windows, and no WebGL then.
    """
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("needs Firefox: apt-get install firefox-esr")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in _PREFERENCES.items())
        (Path(profile) / "user.js").write_text("".join(lines))
        process = await asyncio.create_subprocess_exec(
            *(program, "--no-remote", "--profile", profile),
            *(["--headless"] if display is None else []),
            *("--remote-debugging-port", "0", "--width", "1280", "--height", "900", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=None if display is None else os.environ | {"DISPLAY": display},
        )
        try:
            async with asyncio.timeout(60):
                address = await _address(process)
            async with _tab(address) as page:
                yield page
        finally:
            process.terminate()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if _LISTENING in line.decode():
            return line.decode().strip().rpartition(_LISTENING)[2]
    raise BenchmarkError("Firefox ended at its start")


@asynccontextmanager
async def _tab(address: str) -> AsyncIterator[FirefoxPage]:
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{address}/session", max_msg_size=0) as socket,
    ):
        page = FirefoxPage(socket)
        await page.command("session.new", capabilities={})
        tree = await page.command("browsingContext.getTree")
        page.context = tree["contexts"][0]["context"]
        await page.command("session.subscribe", events=["log.entryAdded"])
        yield page
