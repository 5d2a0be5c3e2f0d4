"""A picture that is encoded once for all who watch it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RTCP_PSFB_APP, RTCP_PSFB_PLI, RtcpPsfbPacket, pack_remb_fci

from tapetum.realtime.aim import Aim
from tapetum.realtime.live.track import EnhancedTrack
from tapetum.realtime.media.av_frame import FULL_RANGE
from tapetum.realtime.serve.camera_views import CameraViews
from tapetum.realtime.serve.enhancement import Enhancement
from tapetum.realtime.serve.rtp_clock import DepartureClock
from tapetum.realtime.serve.server_camera import ServerCamera
from tapetum.realtime.serve.shared_video import SharedVideo, VideoTrack
from tapetum.realtime.serve.vp8 import Reader, Vp8Encoder, bitrate_of

RTP = Fraction(1, 90_000)


class Numbers(MediaStreamTrack):
    """Grey pictures, each a little lighter, as fast as they are read."""

    kind = "video"

    def __init__(self, count: int = 1 << 30) -> None:
        super().__init__()
        self.read = 0
        self._count = count

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0.005)
        if self.readyState == "ended" or self.read == self._count:
            raise MediaStreamError
        picture = grey(16 + self.read % 200)
        picture.pts, picture.time_base = 3000 * self.read, RTP
        self.read += 1
        return picture


def grey(level: int, width: int = 96, height: int = 64) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(np.full((height, width), level, np.uint8), "gray")
    return picture.reformat(format="yuv420p")


def viewer(video: SharedVideo, on_end: Callable[[], None] = lambda: None) -> VideoTrack:
    return VideoTrack(video, DepartureClock(float), on_end)


def decoded(packets: list[Any]) -> list[float]:
    """The level of each picture."""
    codec = av.CodecContext.create("vp8", "r")
    pictures = [picture for packet in packets for picture in codec.decode(av.Packet(bytes(packet)))]
    return [float(picture.to_ndarray(format="gray").mean()) for picture in pictures]


def test_all_who_watch_get_the_same_packets_and_late_ones_begin_with_a_keyframe() -> None:
    async def scenario() -> None:
        video = SharedVideo(track := Numbers(), ())
        first = viewer(video)
        packets = [await first.recv() for _ in range(20)]
        late = viewer(video)
        got = [await late.recv() for _ in range(5)]
        assert packets[0].is_keyframe
        assert got[0].is_keyframe
        assert not any(packet.is_keyframe for packet in packets[1:])
        more = {packet.pts: packet for packet in [await first.recv() for _ in range(40)]}
        assert all(more[packet.pts] is packet for packet in got)
        number = (got[0].pts or 0) // 3000
        assert decoded(got) == pytest.approx([16 + number + i for i in range(5)], abs=2)
        first.stop()
        assert track.readyState == "live"
        late.stop()
        assert track.readyState == "ended"
        with pytest.raises(MediaStreamError):
            await late.recv()

    asyncio.run(scenario())


def test_who_falls_behind_begins_anew_and_delays_nobody() -> None:
    async def scenario() -> None:
        video = SharedVideo(Numbers(), ())
        slow, quick = viewer(video), viewer(video)
        first = (await slow.recv()).pts or 0
        times = [(await quick.recv()).pts or 0 for _ in range(200)]
        assert times == list(range(times[0], times[-1] + 1, 3000))
        again = await slow.recv()
        assert again.is_keyframe
        assert (again.pts or 0) > first + 60 * 3000
        slow.stop()
        quick.stop()

    asyncio.run(scenario())


def test_the_end_of_the_picture_is_told_to_all() -> None:
    async def scenario() -> list[str]:
        ended: list[str] = []
        gone: list[SharedVideo] = []
        video = SharedVideo(Numbers(3), (), gone.append)
        tracks = [viewer(video, lambda name=name: ended.append(name)) for name in "ab"]  # type: ignore[misc]
        for track in tracks:
            for _ in range(3):
                await track.recv()
            with pytest.raises(MediaStreamError):
                await track.recv()
        assert gone == [video]
        for track in tracks:
            track.stop()
        return ended

    assert asyncio.run(scenario()) == ["a", "b"]


class Sender:
    """As much of aiortc's sender as is listened to."""

    _ssrc = 7

    def __init__(self) -> None:
        self.passed_on: list[object] = []
        self._handle_rtcp_packet: Callable[[Any], Coroutine[Any, Any, None]] = self._keep

    async def _keep(self, packet: object) -> None:
        self.passed_on.append(packet)


def test_a_browser_says_that_it_lost_the_picture_and_what_it_can_take() -> None:
    sender, asked = Sender(), list[None]()
    reader = Reader(sender, lambda: asked.append(None))
    limits = []
    messages = [
        RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(3_000_000, [7])),
        RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1_000_000, [8])),
        RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=b"what?"),
        RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc=1, media_ssrc=7),
        RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1000, [7])),
    ]
    for message in messages:
        asyncio.run(sender._handle_rtcp_packet(message))
        limits.append(reader.limit)
    assert limits == [*[pytest.approx(3_000_000, rel=0.001)] * 4, 500_000]
    assert len(asked) == 1
    assert sender.passed_on == messages


def noisy(count: int, width: int = 320, height: int = 180) -> list[av.VideoFrame]:
    random = np.random.default_rng(5)
    pictures = []
    for i in range(count):
        luma = random.normal(60, 12, (height, width)).clip(0, 255).astype(np.uint8)
        picture = av.VideoFrame.from_ndarray(luma, "gray").reformat(format="yuv420p")
        picture.pts, picture.time_base = 3000 * i, RTP
        pictures.append(picture)
    return pictures


@pytest.mark.parametrize("limit", [math.inf, 600_000.0])
def test_the_rate_is_that_of_the_size_or_what_the_slowest_can_take(limit: float) -> None:
    encoder, pictures = Vp8Encoder(), noisy(90)
    packets = [encoder.encode(one, limit=limit, keyframe=False) for one in pictures]
    sizes = [packet.size for packet in packets if packet is not None]
    assert len(sizes) == 90
    rate = 8 * sum(sizes[30:]) * 30 / len(sizes[30:])
    assert rate == pytest.approx(min(limit, bitrate_of(320, 180)), rel=0.3)


def test_sizes_and_formats_that_change_are_encoded_as_they_look() -> None:
    """VP8 says nothing of ranges: browsers take it for limited range."""
    encoder = Vp8Encoder()
    wide = grey(200, 128, 96)
    wide.color_range = FULL_RANGE
    wide.pts, wide.time_base = 3000, RTP
    first = grey(80)
    first.pts, first.time_base = 0, RTP
    packets = [encoder.encode(one, limit=math.inf, keyframe=False) for one in (first, wide)]
    assert [packet.is_keyframe for packet in packets if packet] == [True, True]
    assert [packet.pts for packet in packets if packet] == [0, 3000]
    levels = decoded(packets)
    assert levels[0] == pytest.approx(80, abs=2)
    assert levels[1] == pytest.approx(16 + 200 * 219 / 255, abs=2)
    assert bitrate_of(640, 360) < bitrate_of(1280, 720) < bitrate_of(1920, 1080)


@pytest.mark.slow
def test_a_wish_of_one_of_two_who_watch_leaves_the_other_s_picture_as_it_is(
    gain_model: Path,
) -> None:
    plain = Enhancement(gain_model, 1.0, Aim(), "off", 5000)
    half = Enhancement(gain_model, 0.5, Aim(), "off", 5000)
    weak = Enhancement(gain_model, 0.2, Aim(), "off", 5000)

    async def scenario() -> None:
        camera = ServerCamera("lavfi:color=c=0x202020:s=96x64:r=30")
        views = CameraViews(camera)
        video = views.enhanced(plain)
        one, two = viewer(video), viewer(views.enhanced(plain))
        assert two.video is video
        await one.recv()
        await two.recv()
        two.follow(views.changed(two.wanted, plain, half))
        other = two.wanted
        assert other is not video
        assert views.changed(other, half, weak) is other  # which nobody else watches
        assert isinstance(other.track, EnhancedTrack)
        assert other.track.ladder.strength == 0.2
        async with asyncio.timeout(60):
            while two.video is video:
                await two.recv()
        assert one.video is video
        assert isinstance(video.track, EnhancedTrack)
        assert video.track.ladder.strength == 1
        assert views.enhanced(weak) is other
        assert views.enhanced(plain) is video
        one.stop()
        assert video.ended
        assert views.enhanced(plain) is not video
        two.stop()
        await camera.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("layout", ["yuv420p", "p010le", "yuvj422p"])
def test_a_large_picture_of_the_servers_camera_is_scaled_down(layout: str) -> None:
    source = f"lavfi:color=c=0x202020:s=400x300:r=30,format={layout}"

    async def scenario() -> av.VideoFrame:
        camera = ServerCamera(source, most_pixels=200 * 150)
        track = camera.subscribe()
        picture = await track.recv()
        track.stop()
        await camera.close()
        return picture

    picture = asyncio.run(scenario())
    assert (picture.width, picture.height) == (200, 150)
    grey = picture.reformat(format="gray").to_ndarray()
    assert grey[:, :200].mean() == pytest.approx(0x20, abs=20)
    assert grey[:, :200].std() < 1


def test_a_bug_in_the_camera_s_player_is_told_to_all_and_the_next_who_watches_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is raised there, and wherever: viewers would wait for ever."""

    def fail(*_anything: object) -> None:
        raise RuntimeError("boom")

    async def scenario() -> list[str]:
        camera = ServerCamera("lavfi:color=c=0x202020:s=400x300:r=30", most_pixels=200 * 150)
        tracks = [camera.subscribe() for _ in range(2)]
        with monkeypatch.context() as patched:
            patched.setattr("tapetum.realtime.serve.server_camera._scaled_down", fail)
            async with asyncio.timeout(30):
                for track in tracks:
                    with pytest.raises(MediaStreamError):
                        await track.recv()
        again = camera.subscribe()
        async with asyncio.timeout(30):
            assert (await again.recv()).width == 200
        again.stop()
        await camera.close()
        return [str(track.error) for track in tracks]

    assert asyncio.run(scenario()) == ["a bug in Tapetum: RuntimeError('boom')"] * 2


class Failing(MediaStreamTrack):
    """A track whose pictures cannot be made."""

    kind = "video"

    async def recv(self) -> av.VideoFrame:
        raise RuntimeError("boom")


@pytest.mark.parametrize("enhances", [False, True], ids=["as it is", "enhanced"])
def test_a_bug_behind_a_video_ends_it_with_a_reason(enhances: bool, gain_model: Path) -> None:
    async def scenario() -> str:
        track = Failing()
        video = SharedVideo(EnhancedTrack(track, model=gain_model) if enhances else track, ())
        ended = list[str]()
        shown = viewer(video, lambda: ended.append(str(video.error)))
        async with asyncio.timeout(30):
            with pytest.raises(MediaStreamError):
                await shown.recv()
        (why,) = ended
        return why

    assert asyncio.run(scenario()) == "a bug in Tapetum: RuntimeError('boom')"
