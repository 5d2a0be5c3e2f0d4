"""A real headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from tapetum.benchmarks.measure.errors import BenchmarkError

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    "--window-size=1280,900",
)
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def fake_camera(clip: Path) -> tuple[str, ...]:
    """Flags for a camera that everyone may use and that shows a y4m clip over and over."""
    return (*FAKE_CAMERA, f"--use-file-for-fake-video-capture={clip}")


def find_chromium() -> str | None:
    """The program, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """One tab.

    Attributes:
        console: errors of scripts and requests so far, as JSON.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())
        self.console: list[str] = []

    async def command(self, method: str, **parameters: object) -> dict[str, Any]:
        """Give a command of the DevTools protocol, and return its result.

        Raises:
            BenchmarkError: the browser refuses it.
        """
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(60):
            return await answer

    async def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        await self.command("Page.navigate", url=url)
        await self.wait_for("document.readyState === 'complete'")

    async def evaluate(self, code: str) -> Any:  # noqa: ANN401 - whatever JavaScript gives
        """What a JavaScript expression gives; promises are awaited.

        Raises:
            BenchmarkError: it throws.
        """
        answer = await self.command(
            "Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise BenchmarkError(f"{code} failed: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def wait_for(self, code: str, *, seconds: float = 45) -> Any:  # noqa: ANN401
        """Wait until an expression is true, and return what it gives.

        Raises:
            BenchmarkError: it is not so in time; the message has the page's text.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (value := await self.evaluate(code)):
                    await asyncio.sleep(0.1)
                return value
        state = await self.evaluate("document.body.innerText")
        raise BenchmarkError(f"{code} was not so in {seconds} s; the page says: {state}")

    async def text(self, selector: str) -> str:
        """The text of an element."""
        return str(await self.evaluate(f"document.querySelector({selector!r}).textContent"))

    async def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        x, y = await self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            await self.mouse(kind, x, y)

    async def mouse(self, kind: str, x: float, y: float) -> None:
        """Send a mouse event like "mousePressed" at a place in the window."""
        await self.command(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1, buttons=1
        )

    async def press(self, key: str, code: int) -> None:
        """Press a key by its name and its Windows key code."""
        for kind in ("rawKeyDown", "keyUp"):
            await self.command(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )

    async def box(self, selector: str) -> dict[str, float]:
        """Where an element is in the window, scrolled to if need be."""
        element = f"document.querySelector({selector!r})"
        box: dict[str, float] = await self.evaluate(
            f"({element}.scrollIntoViewIfNeeded(), {element}.getBoundingClientRect().toJSON())"
        )
        return box

    async def middle(self, selector: str) -> tuple[float, float]:
        """The middle of an element in the window."""
        box = await self.box(selector)
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    async def screenshot(self, selector: str | None = None) -> bytes:
        """A PNG of the window, or of an element in it."""
        clip: dict[str, object] = {}
        if selector is not None:
            clip = {"clip": await self.box(selector) | {"scale": 1}}
        answer = await self.command("Page.captureScreenshot", format="png", **clip)
        return base64.b64decode(answer["data"])

    async def choose_files(self, selector: str, *paths: Path) -> None:
        """Give files to an input, as the file dialog does."""
        root = await self.command("DOM.getDocument")
        node = await self.command(
            "DOM.querySelector", nodeId=root["root"]["nodeId"], selector=selector
        )
        await self.command(
            "DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(path) for path in paths]
        )

    async def save_downloads_in(self, folder: Path) -> None:
        """Let files be downloaded, to a folder."""
        await self.command(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder)
        )

    async def _read(self) -> None:
        async for received in self._socket:
            message = json.loads(received.data)
            answer = self._answers.pop(message.get("id"), None)
            if answer is not None and "error" in message:
                answer.set_exception(BenchmarkError(str(message["error"])))
            elif answer is not None:
                answer.set_result(message["result"])
            elif _is_error(message):
                self.console.append(json.dumps(message["params"]))


def _level(message: dict[str, Any]) -> str:
    return str(message["params"]["entry"]["level"])


def _is_error(message: dict[str, Any]) -> bool:
    """Whether the browser tells of something that went wrong, and not only of what was slow."""
    if message["method"] == "Runtime.exceptionThrown":
        return True
    return message["method"] == "Log.entryAdded" and _level(message) == "error"


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Page]:
    """A browser with one empty tab.

    Raises:
        BenchmarkError: there is none, or it does not start.
    """
    async with chromium_and_port(*flags) as (page, _):
        yield page


@asynccontextmanager
async def chromium_and_port(*flags: str) -> AsyncIterator[tuple[Page, int]]:
    """The same, with the port of its DevTools, for `other_target`.

    Raises:
        BenchmarkError: there is none, or it does not start.
    """
    program = find_chromium()
    if program is None:
        raise BenchmarkError("there is no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program,
            *_FLAGS,
            *flags,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with _first_tab(port) as page:
                yield page, port
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _port(path: Path) -> int:
    for _ in range(600):
        if path.exists() and (lines := path.read_text().splitlines()):
            return int(lines[0])
        await asyncio.sleep(0.05)
    raise BenchmarkError("Chromium did not start in 30 s")


async def _targets(port: int) -> list[dict[str, str]]:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}/json/list") as listing,
    ):
        targets: list[dict[str, str]] = await listing.json()
        return targets


@asynccontextmanager
async def _first_tab(port: int) -> AsyncIterator[Page]:
    target = next(target for target in await _targets(port) if target["type"] == "page")
    async with _attached(target) as page:
        yield page


@asynccontextmanager
async def other_target(port: int, ending: str) -> AsyncIterator[Page]:
    """A tab, window or worker that is open, or will be, by the end of its address.

    Args:
        port: of the browser's DevTools.
        ending: of the address.

    Raises:
        BenchmarkError: there is none within 30 s.
    """
    for _ in range(300):
        for target in await _targets(port):
            if target["url"].endswith(ending):
                async with _attached(target) as page:
                    yield page
                return
        await asyncio.sleep(0.1)
    raise BenchmarkError(f"Chromium opened nothing that ends in {ending} within 30 s")


@asynccontextmanager
async def _attached(target: dict[str, str]) -> AsyncIterator[Page]:
    url = target["webSocketDebuggerUrl"]
    domains = ("Runtime",) if "worker" in target["type"] else ("Page", "Runtime", "Log")
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(url, max_msg_size=0) as socket,
    ):
        page = Page(socket)
        for domain in domains:
            await page.command(f"{domain}.enable")
        yield page
