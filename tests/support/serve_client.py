"""A server in the test's own process, and those who talk to it: pages without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tapetum.realtime.serve.server import Server
from tapetum.realtime.serve.settings import ServerSettings


@asynccontextmanager
async def server(folder: Path, settings: ServerSettings) -> AsyncIterator[str]:
    """A running server's URL; `folder` holds its files."""
    async with Server(settings, folder).running() as url:
        yield url


class PlainPage:
    """Does what the page's scripts do on its WebSocket."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self.client = client
        self.url = url.rstrip("/")
        self.welcome: dict[str, Any] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    @property
    def socket(self) -> aiohttp.ClientWebSocketResponse:
        assert self._socket is not None
        return self._socket

    async def open(self) -> dict[str, Any]:
        """Open the WebSocket, and return the first message."""
        self._socket = await self.client.ws_connect(
            f"{self.url}/session", headers={"Origin": self.url}
        )
        self.welcome = await self.hear()
        return self.welcome

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send_json({"type": kind, **fields})

    async def hear(self, kind: str | None = None) -> dict[str, Any]:
        """The next message, or the next of a type."""
        async with asyncio.timeout(60):
            while True:
                message: dict[str, Any] = await self.socket.receive_json()
                if kind is None or message["type"] == kind:
                    return message

    async def send_file(self, data: bytes, **query: str) -> tuple[int, Any]:
        """Status and answer of an upload."""
        files = f"{self.url}/session/{self.welcome['session']}/files"
        look = {"strength": "1", "when_dark": "true", "brightness": "null"}
        wishes = {"model": self.welcome["models"][0]} | look | query
        headers = {"Origin": self.url}
        async with self.client.post(files, data=data, params=wishes, headers=headers) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.text())

    async def hear_file(self, name: str, state: str) -> dict[str, Any]:
        """The message that a file has come to a state."""
        while True:
            message = await self.hear("file")
            if (message["file"], message["state"]) == (name, state):
                return message

    async def fetch(self, name: str) -> tuple[int, bytes, Any]:
        """Status, bytes and headers of a result."""
        result = f"{self.url}/session/{self.welcome['session']}/files/{name}"
        async with self.client.get(result) as answer:
            return answer.status, await answer.read(), answer.headers

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()


@asynccontextmanager
async def plain_page(url: str) -> AsyncIterator[PlainPage]:
    """A page that is open, on a real socket."""
    async with aiohttp.ClientSession() as client:
        page = PlainPage(client, url)
        await page.open()
        try:
            yield page
        finally:
            await page.close()
