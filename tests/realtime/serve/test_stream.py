"""Live pictures of the server of the page, to a real WebRTC peer without a browser."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from support.dark_track import DARK, DarkTrack
from support.media import Clip, make_clip
from support.serve_client import PlainPage, plain_page, server
from support.serve_process import serving
from support.tiny_networks import blur_network, grid_network

from tapetum.realtime.errors import MediaError, ModelError
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.server import Server
from tapetum.realtime.serve.settings import ServerSettings

pytestmark = pytest.mark.slow


class Viewer:
    """A peer that sends or receives what a page does."""

    def __init__(self, page: PlainPage, *, sends: VideoStreamTrack | None) -> None:
        self.peer = RTCPeerConnection()
        self.page = page
        self.camera = "server" if sends is None else "browser"
        self.tracks: list[Any] = []
        self.peer.on("track", self.tracks.append)
        for direction in ("recvonly", "recvonly") if sends is None else ():
            self.peer.addTransceiver("video", direction=direction)
        if sends is not None:
            self.peer.addTrack(sends)

    async def offer(self, *, strength: float = 1.0) -> None:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        model = self.page.welcome["models"][0]
        sdp = self.peer.localDescription.sdp
        look = {"model": model, "strength": strength, "when_dark": True, "brightness": None}
        await self.page.say("watch", stream=1, camera=self.camera, sdp=sdp, **look)

    async def watch(self) -> None:
        await self.offer()
        answer = await self.page.hear("answer")
        description = RTCSessionDescription(answer["sdp"], "answer")
        await self.peer.setRemoteDescription(description)

    async def level(self, index: int = 0) -> float:
        """The luma of the next picture of a track.

        Not by `asyncio.wait_for`: before Python 3.12 that may swallow a cancellation, such as that
        of a timeout around it, when a picture comes at that moment.
        """
        async with asyncio.timeout(60):
            picture = await self.tracks[index].recv()
        return float(picture.to_ndarray(format="gray").mean())

    async def level_reaches(self, low: float, high: float, index: int = 0) -> None:
        async with asyncio.timeout(60):
            while not low <= await self.level(index) <= high:
                pass


async def say_look(page: PlainPage, **changes: Any) -> None:
    look = {"strength": 1, "when_dark": True, "brightness": None}
    await page.say("look", **({"model": page.welcome["models"][0]} | look | changes))


def settings(model: Path, **more: Any) -> ServerSettings:
    return ServerSettings(port=0, models=[model], latency_budget_ms=5000, **more)


def test_a_dark_camera_comes_back_brighter_and_follows_the_strength(
    gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with server(tmp_path, settings(gain_model)) as url, plain_page(url) as page:
            viewer = Viewer(page, sends=DarkTrack())
            await viewer.watch()
            await viewer.level_reaches(2 * DARK, 255)
            await say_look(page, strength=0)
            await viewer.level_reaches(DARK - 8, DARK + 8)
            await say_look(page, strength=1)
            await viewer.level_reaches(2 * DARK, 255)
            status = await page.hear("status")
            assert status["wanted"] == "gain"
            assert status["fps"] > 0
            assert status["added_p95_ms"] >= status["added_p50_ms"] > 0
            await page.say("stop")
            await viewer.peer.close()

    asyncio.run(scenario())


def test_a_slow_model_does_not_hold_up_the_server(tmp_path: Path) -> None:
    slow = tmp_path / "slow.onnx"
    slow.write_bytes(blur_network(radius=40))
    folder = tmp_path / "server"
    folder.mkdir()

    async def scenario() -> tuple[int, int]:
        ticks: list[None] = []
        async with server(folder, settings(slow)) as url, plain_page(url) as page:
            viewer = Viewer(page, sends=DarkTrack((240, 320)))
            await viewer.watch()
            while (await page.hear("status"))["mode"] != "slow":
                pass
            await pictures_in(viewer, seconds=1)  # those that had been waiting
            ticking = asyncio.create_task(count_ticks(ticks))
            frames = await pictures_in(viewer, seconds=4)
            ticking.cancel()
            await viewer.peer.close()
        return len(ticks), frames

    counted, frames = asyncio.run(scenario())
    assert frames > 0
    assert counted > 5 * frames  # one or two a frame, if frames were enhanced in the event loop


async def count_ticks(ticks: list[None]) -> None:
    while True:
        await asyncio.sleep(0.002)
        ticks.append(None)


async def pictures_in(viewer: Viewer, *, seconds: float) -> int:
    count = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                await viewer.level()
                count += 1
    return count


def test_the_server_s_camera_comes_enhanced_and_as_it_is_to_two_viewers(
    gain_model: Path, tmp_path: Path
) -> None:
    source = "lavfi:color=c=0x202020:s=96x64:r=15"

    async def scenario() -> None:
        wanted = settings(gain_model, source=source)
        async with (
            server(tmp_path, wanted) as url,
            plain_page(url) as one,
            plain_page(url) as two,
        ):
            assert one.welcome["camera"] == f"{source} 96x64 15 fps"
            viewers = [Viewer(page, sends=None) for page in (one, two)]
            for viewer in viewers:
                await viewer.watch()
                await viewer.level_reaches(70, 255, 0)
                await viewer.level_reaches(25, 60, 1)
            status = await one.hear("status")
            await say_look(two, strength=0)
            await viewers[1].level_reaches(25, 60, 0)
            await viewers[0].level_reaches(70, 255, 0)  # whose picture stays as it is
            await say_look(two, strength=1)
            await viewers[1].level_reaches(70, 255, 0)
            for clock in (status["enhanced_clock"], status["original_clock"]):
                assert clock["time_ms"] == pytest.approx(1000 * time.monotonic(), abs=20_000)
            for viewer in viewers:
                await viewer.peer.close()

    asyncio.run(scenario())


def test_the_model_can_be_changed_to_another_that_is_offered(
    gain_model: Path, tmp_path: Path
) -> None:
    grid = np.zeros((8, 8, 16, 16), np.float32)
    grid[[0, 2, 5]] = 0.5
    darker = tmp_path / "darker.onnx"
    darker.write_bytes(grid_network(grid))
    folder = tmp_path / "server"
    folder.mkdir()

    async def scenario() -> None:
        wanted = replace(settings(gain_model), models=[gain_model, darker])
        async with server(folder, wanted) as url, plain_page(url) as page:
            assert page.welcome["models"] == ["gain.onnx", "darker.onnx"]
            viewer = Viewer(page, sends=DarkTrack())
            await viewer.watch()
            await viewer.level_reaches(2 * DARK, 255)
            await say_look(page, model="darker.onnx")
            await viewer.level_reaches(0, 0.8 * DARK)
            await say_look(page, model=str(darker))
            assert "has no model" in (await page.hear("problem"))["message"]
            await viewer.peer.close()

    asyncio.run(scenario())


def test_a_short_file_is_shown_over_and_over(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> int:
        wanted = settings(gain_model, source=str(short_clip), loop=True)
        async with server(tmp_path, wanted) as url, plain_page(url) as page:
            assert page.welcome["camera"] == "short.mp4 96x64 h264 25 fps"
            viewer = Viewer(page, sends=None)
            await viewer.watch()
            for _ in range(40):
                await viewer.level()
            await viewer.peer.close()
        return 40

    assert asyncio.run(scenario()) > 12


def test_a_file_is_shown_once_and_anew_for_the_next_viewer(
    gain_model: Path, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", Clip(frames=40, rate=20))

    async def scenario() -> None:
        folder = tmp_path / "server"
        folder.mkdir()
        wanted = settings(gain_model, source=str(clip))
        async with server(folder, wanted) as url, plain_page(url) as page:
            for _ in range(2):
                viewer = Viewer(page, sends=None)
                await viewer.watch()
                await viewer.level()
                ended = await page.hear("ended")
                assert ended["message"] == ""
                await viewer.peer.close()

    asyncio.run(scenario())


def test_what_the_camera_gives_instead_is_said_on_the_terminal_once(
    short_clip: Path, gain_model: Path
) -> None:
    """Also when quiet, and not again for each viewer and each time that the file begins anew."""

    async def scenario() -> str:
        options = (
            "--source",
            short_clip,
            "--size",
            "1280x720",
            "--loop",
            "--model",
            gain_model,
            "-q",
        )
        async with serving(*options) as (process, url):
            async with plain_page(url) as page:
                viewer = Viewer(page, sends=None)
                await viewer.watch()
                for _ in range(40):  # of a file of 12 frames
                    await viewer.level()
                await viewer.peer.close()
            process.terminate()
            _, errors = await process.communicate()
        return errors.decode()

    note, *rest = asyncio.run(scenario()).splitlines()
    said = r"note: .*short\.mp4 gives 96x64 instead of 1280x720, without its sound: pictures only"
    assert re.fullmatch(said, note)
    assert rest == ["error: stopped by SIGTERM"]


def test_pictures_that_are_too_large_end_the_stream_with_a_reason(
    gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> str:
        small = settings(gain_model, limits=Limits(frame_pixels=96 * 64))
        async with server(tmp_path, small) as url, plain_page(url) as page:
            viewer = Viewer(page, sends=DarkTrack((64, 128)))
            await viewer.watch()
            ended = await page.hear("ended")
            await viewer.peer.close()
        return str(ended["message"])

    assert asyncio.run(scenario()).startswith("live pictures of 128x64 are too large")


def test_a_bug_in_the_camera_s_player_is_a_line_for_the_page_and_for_the_terminal(
    gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_anything: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("tapetum.realtime.serve.server_camera._scaled_down", fail)
    notices = list[str]()

    async def scenario() -> str:
        source, limits = "lavfi:color=s=96x64:r=30", Limits(frame_pixels=48 * 32)
        wanted = settings(gain_model, source=source, limits=limits)
        running = Server(wanted, tmp_path, on_notice=notices.append).running()
        async with running as url, plain_page(url) as page:
            viewer = Viewer(page, sends=None)
            await viewer.watch()
            ended = await page.hear("ended")
            await viewer.peer.close()
        return str(ended["message"])

    said = asyncio.run(scenario())
    assert said == "a bug in Tapetum: RuntimeError('boom')"
    assert notices == [said]


def test_a_model_file_that_is_none_is_a_reason_for_the_viewer(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    folder = tmp_path / "server"
    folder.mkdir()

    async def scenario() -> str:
        async with server(folder, settings(broken)) as url, plain_page(url) as page:
            viewer = Viewer(page, sends=DarkTrack())
            await viewer.offer()
            problem = await page.hear("problem")
            await viewer.peer.close()
        return str(problem["message"])

    assert "broken.onnx" in asyncio.run(scenario())


def test_what_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    async def start(**settings: Any) -> None:
        Server(ServerSettings(port=0, **settings), tmp_path)

    with pytest.raises(MediaError, match=r"no\.mp4 does not exist"):
        asyncio.run(start(source=str(tmp_path / "no.mp4")))
    with pytest.raises(ModelError, match="did you mean grid"):
        asyncio.run(start(models=["gird"]))


def test_models_of_one_name_are_told_apart_by_their_folders(
    gain_model: Path, tmp_path: Path
) -> None:
    """As `runs/a/best.onnx` and `runs/b/best.onnx` are, which both came as "best.onnx"."""
    paths = [tmp_path / "runs" / folder / "best.onnx" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(gain_model.read_bytes())

    async def offered() -> str:
        models: list[str | Path] = [*paths, "grid", gain_model, paths[0]]
        return Server(ServerSettings(port=0, models=models), tmp_path).description

    assert "models: a/best.onnx, b/best.onnx, grid, gain.onnx |" in asyncio.run(offered())
