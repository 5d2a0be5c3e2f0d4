"""A picture that is encoded once for all who watch it, and the track that each of them gets."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from tapetum.realtime.errors import TapetumError, UnexpectedError
from tapetum.realtime.live.track import EnhancedTrack
from tapetum.realtime.serve.live_tracks import CameraTrack, CheckedTrack
from tapetum.realtime.serve.rtp_clock import RTP_RATE_HZ, DepartureClock
from tapetum.realtime.serve.vp8 import Reader, Vp8Encoder

_KEYFRAME_PAUSE_S = 0.5
"""From one keyframe to the next, at least: they are large, and all viewers get them."""
_WAITING = 15
"""Packets that wait for a viewer's connection, at most; later ones wait for a keyframe."""

Packet: TypeAlias = "av.Packet[Any]"


class SharedVideo:
    """Reads a track, encodes it, and hands it to its viewers, from the first to the last of them.

    Attributes:
        track: what is read.
        share: of the usual bits a second, where fewer pictures come; may be set at any time.
    """

    def __init__(
        self,
        track: MediaStreamTrack,
        sources: tuple[CheckedTrack | CameraTrack, ...],
        on_end: Callable[[SharedVideo], None] = lambda _video: None,
    ) -> None:
        """Make a video that nobody watches yet; make it in a running event loop.

        Args:
            track: of pictures; it is stopped at the end.
            sources: what stands behind it, which is stopped too.
            on_end: called once, when the last viewer has gone or the track has ended.
        """
        self.track = track
        self.share = 1.0
        self._sources = sources
        self._on_end = on_end
        self._viewers: list[VideoTrack] = []
        self._wants_keyframe = True
        self._keyframe_s = -math.inf
        self._encoder = Vp8Encoder()
        self._work: asyncio.Task[None] | None = None
        self._bug: UnexpectedError | None = None
        self.ended = False

    @property
    def error(self) -> TapetumError | None:
        """Why it ended, if something went wrong."""
        if self._bug is not None:
            return self._bug
        tracks = [*self._sources, *([self.track] if isinstance(self.track, EnhancedTrack) else [])]
        return next((one.error for one in tracks if one.error is not None), None)

    @property
    def left_out(self) -> int:
        """Pictures of a browser that were not enhanced because newer ones waited."""
        return sum(one.left_out for one in self._sources if isinstance(one, CheckedTrack))

    @property
    def camera_pixels(self) -> int:
        """Of the largest picture that came from a browser."""
        return max(
            (one.pixels for one in self._sources if isinstance(one, CheckedTrack)), default=0
        )

    @property
    def has_begun(self) -> bool:
        """Whether its pictures are those that a model makes."""
        return not (isinstance(self.track, EnhancedTrack) and self.track.ladder.is_starting)

    @property
    def is_shared(self) -> bool:
        """Whether several watch it."""
        return len(self._viewers) > 1

    def join(self, viewer: VideoTrack) -> None:
        """Send to one more viewer."""
        self._viewers.append(viewer)
        self.ask_for_keyframe()

    def begin(self) -> None:
        """Begin to read, if that was not done before: when the first viewer is connected."""
        if self._work is None and not self.ended:
            self._work = asyncio.create_task(self._run())

    def leave(self, viewer: VideoTrack) -> None:
        """Send to one viewer less; after the last it ends."""
        self._viewers.remove(viewer)
        if not self._viewers:
            self._end()

    def ask_for_keyframe(self) -> None:
        """Have the next picture encoded such that it needs none before it."""
        self._wants_keyframe = True

    async def _run(self) -> None:
        try:
            with suppress(MediaStreamError):
                while True:
                    packet = await self._next_packet()
                    if packet is not None:
                        for viewer in [*self._viewers]:
                            viewer.take(self, packet)
        except Exception as error:  # noqa: BLE001 - viewers would wait for ever
            self._bug = UnexpectedError(error)
        self._end()

    async def _next_packet(self) -> Packet | None:
        if isinstance(self.track, EnhancedTrack):
            return await self.track.make(self._encoded)
        picture = await self.track.recv()
        if not isinstance(picture, av.VideoFrame):
            raise MediaStreamError(f"a video track gave a {type(picture).__name__}")
        return await asyncio.to_thread(self._encoded, picture)

    def _encoded(self, picture: av.VideoFrame) -> Packet | None:
        now_s = time.monotonic()
        keyframe = self._wants_keyframe and now_s - self._keyframe_s >= _KEYFRAME_PAUSE_S
        if keyframe:
            self._wants_keyframe, self._keyframe_s = False, now_s
        limit = min((viewer.limit for viewer in [*self._viewers]), default=math.inf)
        return self._encoder.encode(picture, limit=limit, share=self.share, keyframe=keyframe)

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        for viewer in [*self._viewers]:
            viewer.lose(self)
        for track in (self.track, *self._sources):
            track.stop()
        self._on_end(self)


class VideoTrack(MediaStreamTrack):
    """One viewer's track of a `SharedVideo`, which may become another one: encoded pictures.

    Attributes:
        video: what is sent.
    """

    kind = "video"

    def __init__(
        self, video: SharedVideo, clock: DepartureClock, on_end: Callable[[], None]
    ) -> None:
        """Make a track; make it in a running event loop.

        Args:
            video: what is to be sent.
            clock: learns which pictures are sent when.
            on_end: called when the video ends by itself.
        """
        super().__init__()
        self.video = video
        self._coming: SharedVideo | None = None
        self._clock = clock
        self._on_end = on_end
        self._reader: Reader | None = None
        self._packets: deque[Packet] = deque()
        self._arrived = asyncio.Event()
        self._needs_keyframe = True
        self._last_pts: int | None = None
        self._sent_pts: int | None = None
        video.join(self)

    @property
    def wanted(self) -> SharedVideo:
        """What is sent, or as soon as it has begun."""
        return self._coming or self.video

    @property
    def limit(self) -> float:
        """Bits per second that the viewer can take."""
        return math.inf if self._reader is None else self._reader.limit

    def sent_by(self, sender: Any) -> None:  # noqa: ANN401 - aiortc has no types
        """Take note of the `RTCRtpSender` that sends this track, before it starts."""
        self._clock.sender = sender
        self._reader = Reader(sender, self._ask_for_keyframe)

    def follow(self, video: SharedVideo) -> None:
        """Go over to another video, when it has its first picture by a model; till then go on."""
        if video is self.wanted:
            return
        if self._coming is not None:
            self._coming.leave(self)
        self._coming = None if video is self.video else video
        if self._coming is not None:
            self._coming.join(self)
            self._coming.begin()

    def take(self, video: SharedVideo, packet: Packet) -> None:
        """Take a picture of a video."""
        if video is self._coming and self._may_begin(video, packet):
            self.video, self._coming, former = video, None, self.video
            former.leave(self)
        if video is not self.video or (self._needs_keyframe and not packet.is_keyframe):
            return
        if len(self._packets) >= _WAITING:
            self._packets.clear()
            self._needs_keyframe = True
            return
        self._needs_keyframe = False
        self._last_pts = packet.pts
        self._packets.append(packet)
        self._arrived.set()

    def lose(self, video: SharedVideo) -> None:
        """Take note that a video has ended."""
        if video is self._coming:
            self._coming = None
        elif video is self.video:
            self._arrived.set()
            self._on_end()

    async def recv(self) -> Packet:
        """The next picture, encoded.

        Raises:
            MediaStreamError: the track, or its video, has ended.
        """
        if self._sent_pts is not None:
            self._clock.sent(self._sent_pts)
        self.video.begin()
        if self._needs_keyframe and self._sent_pts is not None:
            self.video.ask_for_keyframe()
        while not self._packets:
            if self.readyState == "ended" or self.video.ended:
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        packet = self._packets.popleft()
        self._sent_pts = round((packet.pts or 0) * packet.time_base * RTP_RATE_HZ)
        return packet

    def stop(self) -> None:
        """End the track, and leave its video."""
        if self.readyState == "ended":
            return
        super().stop()
        self._arrived.set()
        for video in (self.video, self._coming):
            if video is not None and not video.ended:
                video.leave(self)

    def _ask_for_keyframe(self) -> None:
        self.video.ask_for_keyframe()

    def _may_begin(self, video: SharedVideo, packet: Packet) -> bool:
        """Whether a video that comes can take over with a picture, which is newer than the last."""
        is_newer = self._last_pts is None or (packet.pts or 0) > self._last_pts
        if packet.is_keyframe and video.has_begun and is_newer:
            return True
        video.ask_for_keyframe()
        return False
