"""Who may talk to the server of the page, over real sockets."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.live_parts import PATTERN, free_udp_port, live_process  # noqa: E402
from support.serve_client import PlainPage, plain_page, server  # noqa: E402

from tapetum.realtime.serve.limits import Limits  # noqa: E402
from tapetum.realtime.serve.server_camera import ServerCamera  # noqa: E402
from tapetum.realtime.serve.settings import ServerSettings  # noqa: E402

LOCAL = ServerSettings(port=0)
PUBLIC = ServerSettings(port=0, host="0.0.0.0")


async def status_of(url: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
        status: int = answer.status
        return status


async def socket_status(url: str, **headers: str) -> int:
    """Status with which the WebSocket is refused; 101 if it opens."""
    async with aiohttp.ClientSession() as client:
        try:
            async with client.ws_connect(url, headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            status: int = error.status
            return status


def test_the_page_and_all_its_parts_come_with_their_types_and_a_strict_policy(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with server(tmp_path, LOCAL) as url, aiohttp.ClientSession() as client:
            async with client.get(url) as answer:
                page = await answer.text()
                policy = answer.headers["Content-Security-Policy"]
            parts = [part.split('"')[0] for part in page.split('"/page/')[1:]]
            assert {"main.js", "theme.css", "icon.svg"} <= set(parts)
            kinds = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}
            for part in (*(f"page/{part}" for part in parts), "brighten/brightener.js"):
                async with client.get(f"{url}{part}") as answer:
                    assert answer.status == 200, part
                    assert kinds[Path(part).suffix] in answer.content_type
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "script-src 'self';" in policy
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert "<script>" not in page
            assert " style=" not in page

    asyncio.run(scenario())


def test_only_this_machine_s_own_names_and_origin_come_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with server(tmp_path, LOCAL) as url:
            socket, own = f"{url}session", url.rstrip("/")
            port = own.rpartition(":")[2]
            assert await status_of(url) == 200
            assert await status_of(url, Host=f"localhost:{port}") == 200
            assert await status_of(url, Host=f"evil.example:{port}") == 403
            assert await status_of(url, Host="[::1") == 403
            assert await socket_status(socket, Origin=own) == 101
            assert await socket_status(socket, Origin="http://evil.example") == 403
            assert await socket_status(socket, Origin="null") == 403
            assert await socket_status(socket, Origin="http://[::1") == 403
            assert await socket_status(socket) == 403

    asyncio.run(scenario())


def test_an_upload_of_another_site_s_page_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with server(tmp_path, LOCAL) as url, plain_page(url) as page:
            files = f"{url}session/{page.welcome['session']}/files"
            for origin in ({"Origin": "http://evil.example"}, {}):
                async with page.client.post(files, data=b"x", headers=origin) as answer:
                    assert answer.status == 403

    asyncio.run(scenario())


def test_beyond_this_machine_a_new_token_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        tokens = []
        for folder in ("first", "second"):
            (tmp_path / folder).mkdir()
            async with server(tmp_path / folder, PUBLIC) as url:
                address, _, token = url.partition("?token=")
                assert len(token) >= 24
                other = "y" if token.endswith("x") else "x"
                assert await status_of(f"{address}?token={token}") == 200
                assert await status_of(address) == 403
                assert await status_of(f"{address}?token={token[:-1]}{other}") == 403
                own = {"Origin": address.rstrip("/")}
                assert await socket_status(f"{address}session", **own) == 403
                assert await socket_status(f"{address}session?token={token}", **own) == 101
                tokens.append(token)
        return tokens

    first, second = asyncio.run(scenario())
    assert first != second


def test_one_page_too_many_is_told_so_and_the_next_one_fits_again(tmp_path: Path) -> None:
    settings = ServerSettings(port=0, limits=Limits(sessions=1))

    async def scenario() -> None:
        async with server(tmp_path, settings) as url:
            async with plain_page(url) as first:
                assert first.welcome["type"] == "welcome"
                async with plain_page(url) as second:
                    assert second.welcome["type"] == "full"
                    assert "too many pages are open, the limit is 1" in second.welcome["message"]
            await asyncio.sleep(0.2)
            async with plain_page(url) as third:
                assert third.welcome["type"] == "welcome"

    asyncio.run(scenario())


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[PlainPage]:
    async with server(folder, LOCAL) as url, plain_page(url) as page:
        yield page


def watch(**changes: object) -> str:
    """A wish to watch, with something in it that cannot be."""
    wish = {
        "type": "watch",
        "stream": 1,
        "camera": "browser",
        "sdp": "v=0",
        "model": "grid",
        "strength": 1,
        "when_dark": True,
        "brightness": None,
    }
    return json.dumps(wish | changes)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("no json", "does not understand"),
        ("[]", "does not understand"),
        ('{"type": "open the door"}', "unknown type"),
        (watch(type="look", strength=2.1), "strength is from 0 to 2"),
        (watch(type="look", strength=math.nan), "is no number"),
        (watch(type="look", when_dark=1), "is neither true nor false"),
        (watch(type="look", brightness=1), "brightness is over 0 and under 1"),
        (watch(type="look", brightness="much"), "is no number"),
        (watch(type="look", model="unet"), "this server has no model unet"),
        (watch(camera="server"), "this server has no camera"),
        (watch(camera="neighbour"), "unknown camera"),
        (watch(model="/etc/x.onnx"), "this server has no model /etc/x.onnx; it has grid"),
        (watch(sdp="nonsense"), "has exactly one video"),
        (watch(sdp="v=0\r\nm=video"), "offer cannot be answered"),
        (watch(sdp=5), "5 is no text"),
    ],
)
def test_nonsense_is_answered_and_the_session_goes_on(
    message: str, reason: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with talking(tmp_path) as page:
            await page.socket.send_str(message)
            assert reason in (await page.hear("problem"))["message"]
            await page.say("ping", sent_ms=5)
            assert (await page.hear("pong"))["sent_ms"] == 5

    asyncio.run(scenario())


def test_a_message_that_is_too_long_ends_the_session(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with talking(tmp_path) as page:
            await page.socket.send_str("x" * 300_000)
            closed = await page.socket.receive()
            assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)

    asyncio.run(scenario())


@pytest.mark.slow
def test_viewers_do_not_see_the_whole_address_of_a_camera(gain_model: Path) -> None:
    """It may have a password in it. The camera is a stream of another process, which ends."""
    stream = f"udp://127.0.0.1:{free_udp_port()}"
    address = f"{stream}?fifo_size=5000"
    sending = ("--source", PATTERN, "--sink", stream)

    async def scenario() -> tuple[str, str]:
        with live_process(*sending, "--model", str(gain_model), "-q"):
            camera = await asyncio.to_thread(ServerCamera, address, on_notice=notices.append)
            track = camera.subscribe()
            await track.recv()
        async with asyncio.timeout(60):
            while not notices:
                await asyncio.sleep(0.1)
        await camera.close()
        return camera.label, notices[0]

    notices: list[str] = []
    label, notice = asyncio.run(scenario())
    assert label.startswith("udp://127.0.0.1 96x64")
    assert notice.startswith("udp://127.0.0.1 is lost")
