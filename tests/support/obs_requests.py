"""Asks a running OBS for things over its websocket, as a stream deck does."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import aiohttp


def free_port() -> int:
    """One that OBS can listen on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def ask_obs(port: int, kind: str, **data: Any) -> dict[str, Any]:
    """OBS's answer to one request; waits until it listens."""
    end_s = time.monotonic() + 60
    while True:
        try:
            return asyncio.run(_ask(port, kind, data))
        except aiohttp.ClientError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.3)


async def _ask(port: int, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{port}") as connection,
    ):
        await connection.receive_json(timeout=60)
        await connection.send_json({"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 0}})
        await connection.receive_json(timeout=60)
        request = {"requestType": kind, "requestId": "1", "requestData": data}
        await connection.send_json({"op": 6, "d": request})
        answer = (await connection.receive_json(timeout=60))["d"]
        if not answer["requestStatus"]["result"]:
            raise RuntimeError(f"OBS refused {kind}: {answer['requestStatus']}")
        said: dict[str, Any] = answer.get("responseData") or {}
        return said
