"""`EnhancedTrack` between two real WebRTC peers on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
import pytest

pytest.importorskip("aiortc")

from aiortc import RTCPeerConnection, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError
from support.dark_track import DARK, DarkTrack

from tapetum.realtime.live.modes import START
from tapetum.realtime.live.track import EnhancedTrack

pytestmark = pytest.mark.slow


def luma(picture: object) -> float:
    assert isinstance(picture, av.VideoFrame)
    return float(picture.to_ndarray(format="gray").mean())


def test_frames_come_out_brighter_and_the_end_comes_through(gain_model: Path) -> None:
    async def scenario() -> tuple[float, int]:
        track = EnhancedTrack(
            DarkTrack((96, 96), frames=60), model=gain_model, latency_budget_ms=1000
        )
        received = 0
        level = 0.0
        try:
            while True:
                level = max(level, luma(await track.recv()))
                received += 1
        except MediaStreamError:
            return level, received + track.dropped

    level, frames = asyncio.run(scenario())
    assert level > 2 * DARK
    assert 50 <= frames <= 60


def test_a_peer_gets_the_enhanced_picture(gain_model: Path) -> None:
    async def scenario() -> float:
        sender, receiver = RTCPeerConnection(), RTCPeerConnection()
        arrived: asyncio.Future[VideoStreamTrack] = asyncio.get_running_loop().create_future()
        receiver.on("track", arrived.set_result)
        track = EnhancedTrack(
            DarkTrack((96, 96), frames=300), model=gain_model, latency_budget_ms=1000
        )
        sender.addTrack(track)
        await sender.setLocalDescription(await sender.createOffer())
        await receiver.setRemoteDescription(sender.localDescription)
        await receiver.setLocalDescription(await receiver.createAnswer())
        await sender.setRemoteDescription(receiver.localDescription)
        seen = await arrived
        level = max([luma(await seen.recv()) for _ in range(60)])
        track.stop()
        await sender.close()
        await receiver.close()
        return level

    assert asyncio.run(scenario()) > 2 * DARK


def test_no_frame_is_dark_while_another_model_loads(gain_model: Path) -> None:
    async def scenario() -> list[float]:
        track = EnhancedTrack(
            DarkTrack((96, 96), frames=3000), model="grid", latency_budget_ms=5000
        )
        while track.ladder.mode != "grid":
            await track.recv()
        before = track.ladder
        track.change_model(gain_model)
        assert track.ladder is not before
        levels = [luma(await track.recv())]
        while track.ladder.mode != "gain":
            levels.append(luma(await track.recv()))
        assert START in before.frames_by_mode
        track.stop()
        return levels

    assert min(asyncio.run(scenario())) > 1.2 * DARK


def test_a_track_that_fails_ends_the_enhanced_one(gain_model: Path) -> None:
    class FailingTrack(VideoStreamTrack):
        async def recv(self) -> av.VideoFrame:
            raise ConnectionResetError("the camera's server is gone")

    async def scenario() -> None:
        track = EnhancedTrack(FailingTrack(), model=gain_model)
        with pytest.raises(MediaStreamError) as caught:
            await asyncio.wait_for(track.recv(), 20)
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        assert track.readyState == "ended"

    asyncio.run(scenario())


def test_a_stopped_track_gives_no_frames(gain_model: Path) -> None:
    async def scenario() -> None:
        track = EnhancedTrack(DarkTrack((96, 96), frames=10), model=gain_model)
        track.stop()
        with pytest.raises(MediaStreamError):
            await track.recv()

    asyncio.run(scenario())
