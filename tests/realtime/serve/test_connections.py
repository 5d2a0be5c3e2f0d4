"""Connections that ask for nothing, uploads that stop, and a server that may open few files."""

from __future__ import annotations

import asyncio
import gc
import resource
from pathlib import Path

import aiohttp
import pytest

pytest.importorskip("aiortc")

from aiohttp import web
from aiortc import InvalidStateError
from support.serve_client import plain_page, server
from support.serve_process import serving

from tapetum.realtime.serve.connections import guarded
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.settings import ServerSettings

pytestmark = pytest.mark.slow

HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
FEW_FILES = 48


def port_of(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])


async def is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(60):
        return await reader.read() == b""


@pytest.mark.parametrize("begun", [b"", HALF], ids=["nothing", "half a request"])
def test_connections_that_ask_for_nothing_are_closed(
    gain_model: Path, tmp_path: Path, begun: bytes
) -> None:
    settings = ServerSettings(port=0, models=[gain_model], limits=Limits(silence_s=0.5))

    async def scenario() -> None:
        async with server(tmp_path, settings) as url, plain_page(url) as page:
            opened = [await asyncio.open_connection("127.0.0.1", port_of(url)) for _ in range(30)]
            for _, writer in opened:
                writer.write(begun)
            assert all([await is_closed(reader) for reader, _ in opened])
            await page.say("ping", sent_ms=1)
            assert (await page.hear("pong"))["sent_ms"] == 1  # a page that is open stays so
            for _, writer in opened:
                writer.close()

    asyncio.run(scenario())


def test_more_connections_than_the_limit_are_closed_and_older_ones_stay(
    gain_model: Path, tmp_path: Path
) -> None:
    settings = ServerSettings(port=0, models=[gain_model], limits=Limits(connections=5))

    async def scenario() -> None:
        async with server(tmp_path, settings) as url, plain_page(url) as page:
            opened = [await asyncio.open_connection("127.0.0.1", port_of(url)) for _ in range(10)]
            assert all([await is_closed(reader) for reader, _ in opened[5:]])
            await page.say("ping", sent_ms=2)
            assert (await page.hear("pong"))["sent_ms"] == 2
            for _, writer in opened:
                writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("error", "said"), [(InvalidStateError, 0), (ValueError, 1)])
def test_only_errors_of_peers_that_are_closed_as_they_connect_are_expected(
    caplog: pytest.LogCaptureFixture, error: type[Exception], said: int
) -> None:
    """Nobody awaits aiortc's connecting: what it raises then was a traceback on the terminal."""

    async def nothing(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response()

    async def fails() -> None:
        raise error("RTCIceTransport is closed")

    async def scenario() -> None:
        with guarded(web.Server(nothing), Limits(), lambda _line: None):
            failing = asyncio.create_task(fails())
            await asyncio.wait([failing])
            del failing
            gc.collect()

    asyncio.run(scenario())
    assert len(caplog.records) == said


def test_an_upload_that_stops_is_given_up(gain_model: Path, tmp_path: Path) -> None:
    settings = ServerSettings(port=0, models=[gain_model], limits=Limits(silence_s=0.5))

    async def scenario() -> bytes:
        async with server(tmp_path, settings) as url, plain_page(url) as page:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
            path = f"/session/{page.welcome['session']}/files?model={gain_model.name}&"
            path += "strength=1&when_dark=true&brightness=null"
            host = url.removeprefix("http://").rstrip("/")
            head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            writer.write(f"{head}Content-Length: 1000\r\n\r\nbegun".encode())
            async with asyncio.timeout(60):
                status = await reader.readline()
                while (line := await reader.readline()).strip():
                    pass
                text = await reader.read(200)
            writer.close()
            assert line
            return status + text

    answer = asyncio.run(scenario())
    assert b" 400 " in answer
    assert b"nothing of the file came for 0.5 s" in answer


def test_a_sound_file_is_refused_in_one_line(
    gain_model: Path, tmp_path: Path, sound_file: bytes
) -> None:
    settings = ServerSettings(port=0, models=[gain_model])

    async def scenario() -> tuple[int, object]:
        async with server(tmp_path, settings) as url, plain_page(url) as page:
            return await page.send_file(sound_file)

    status, text = asyncio.run(scenario())
    assert status == 400
    assert isinstance(text, str)
    assert "video" in text
    assert "\n" not in text


@pytest.fixture
def sound_file(tmp_path: Path) -> bytes:
    """A second of silence, and no picture."""
    import av
    import numpy as np

    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path.read_bytes()


def test_few_files_are_told_once_and_the_server_goes_on(gain_model: Path) -> None:
    async def scenario() -> str:
        async with serving("--quiet", "--model", gain_model) as (process, url):
            await run_out_of_files(process.pid, url)
            process.terminate()
            assert process.stderr is not None
            return (await process.stderr.read()).decode()

    async def run_out_of_files(pid: int, url: str) -> None:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))
        opened = [
            await asyncio.open_connection("127.0.0.1", port_of(url)) for _ in range(FEW_FILES)
        ]
        await asyncio.sleep(3)  # the server tries again each second
        for _, writer in opened:
            writer.close()
        timeout = aiohttp.ClientTimeout(30)
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as answer:
            assert answer.status == 200
            assert "<title>Tapetum" in await answer.text()

    told = asyncio.run(scenario())
    line, stopped = told.splitlines()
    assert stopped == "error: stopped by SIGTERM"
    assert line.startswith("note: this server may open no more files and connections")
