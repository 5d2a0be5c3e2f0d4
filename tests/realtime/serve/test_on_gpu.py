"""The page with a GPU, which is simulated: its pictures and its files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.dark_track import DarkTrack
from support.serve_client import plain_page, server
from support.simulated_gpu import SimulatedGPU

from tapetum.realtime.aim import Aim
from tapetum.realtime.live.track import EnhancedTrack
from tapetum.realtime.serve.enhancement import Enhancement
from tapetum.realtime.serve.server import Server
from tapetum.realtime.serve.settings import ServerSettings

pytestmark = pytest.mark.slow


def uploaded(folder: Path, settings: ServerSettings, clip: Path, **look: str) -> dict[str, Any]:
    """The message that a file is done."""

    async def scenario() -> dict[str, Any]:
        async with server(folder, settings) as url, plain_page(url) as page:
            status, answer = await page.send_file(clip.read_bytes(), **look)
            assert status == 200
            return await page.hear_file(answer["file"], "done")

    return asyncio.run(scenario())


def settings(model: Path) -> ServerSettings:
    return ServerSettings(port=0, models=[model], device="cuda")


def test_files_are_enhanced_on_the_gpu(
    gpu: SimulatedGPU, gain_model: Path, short_clip: Path, tmp_path: Path
) -> None:
    done = uploaded(tmp_path, settings(gain_model), short_clip)
    assert gpu.launches > 0
    assert "decoding on cuda:0: " in done["message"]
    assert "on a GPU a moving camera is not followed" in done["message"]


def test_a_file_may_want_more_strength_and_a_brightness(
    gpu: SimulatedGPU, gain_model: Path, short_clip: Path, tmp_path: Path
) -> None:
    more = {"strength": "1.5", "brightness": "0.4"}
    done = uploaded(tmp_path, settings(gain_model), short_clip, **more)
    assert gpu.launches > 0
    assert "enhanced on the CPU" not in done["message"]


def test_a_file_that_the_gpu_has_no_room_for_is_enhanced_on_the_cpu(
    gpu: SimulatedGPU, gain_model: Path, short_clip: Path, tmp_path: Path
) -> None:
    gpu.faults.memory_bytes = 1 << 18
    done = uploaded(tmp_path, settings(gain_model), short_clip)
    assert done["message"].startswith("enhanced on the CPU: cuda:0 has not enough memory (0 MB")


def watched(
    wanted: Enhancement,
    steps: Callable[[EnhancedTrack], bool],
    size: tuple[int, int] = (64, 96),
) -> None:
    """Look at a dark picture, enhanced, until `steps` says so."""

    async def scenario() -> None:
        incoming = DarkTrack(size)
        track = wanted.track(incoming)
        async with asyncio.timeout(60):
            while not steps(track):
                await track.recv()
        track.stop()
        incoming.stop()

    asyncio.run(scenario())


def test_live_pictures_come_from_the_gpu_as_long_as_it_is_there(
    gpu: SimulatedGPU, gain_model: Path
) -> None:
    notices: list[str] = []
    wanted = Enhancement(gain_model, 1.0, Aim(), "auto", 5000, "cuda", notices.append)
    modes: list[str] = []

    def steps(track: EnhancedTrack) -> bool:
        modes.append(track.ladder.mode)
        if modes[-1] == "gain on cuda":
            gpu.lost = True
        return gpu.lost and modes[-1] == "gain" and notices[-1] == track.ladder.note

    watched(wanted, steps)
    assert "gain on cuda" in modes
    assert notices[-1].startswith("gain on cuda is given up: cuda:0 cannot be used: ")
    assert notices[-1].endswith("; gain runs instead")


def test_a_page_whose_pictures_find_no_room_gets_the_cpus_with_a_line(
    gpu: SimulatedGPU, gain_model: Path
) -> None:
    gpu.faults.memory_bytes = 2 << 20
    notices: list[str] = []
    wanted = Enhancement(gain_model, 1.0, Aim(), "off", 5000, "cuda", notices.append)
    watched(wanted, lambda track: notices[-1] == track.ladder.note, (720, 1280))
    assert notices[-1].startswith("gain on cuda is given up: cuda:0 has not enough memory (")
    assert notices[-1].endswith("; gain runs instead")


def test_a_page_may_want_more_strength_and_a_brightness(
    gpu: SimulatedGPU, gain_model: Path
) -> None:
    del gpu
    wanted = Enhancement(gain_model, 1.6, Aim(brightness=0.4), "auto", 5000, "cuda")
    watched(wanted, lambda track: track.ladder.mode == "gain on cuda")


def test_the_server_says_once_what_runs_there(
    gpu: SimulatedGPU, gain_model: Path, tmp_path: Path
) -> None:
    notices: list[str] = []

    async def scenario() -> None:
        Server(settings(gain_model), tmp_path, on_notice=notices.append)

    asyncio.run(scenario())
    assert notices[0].startswith("cuda:0 runs models with PyTorch: ")
    assert notices[1].startswith("what a browser enhances by itself gets its grids from the CPU")
    assert gpu.opened == 0
