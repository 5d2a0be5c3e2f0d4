"""One viewer's live picture: a WebRTC peer, and the enhanced track that it gets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tapetum.realtime.errors import ServeError, TapetumError
from tapetum.realtime.live.track import EnhancedTrack
from tapetum.realtime.serve.camera_views import CameraViews
from tapetum.realtime.serve.demand import Demand
from tapetum.realtime.serve.enhancement import Enhancement
from tapetum.realtime.serve.incoming import shorten_queue
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.live_tracks import CheckedTrack
from tapetum.realtime.serve.offer import has_vp8, with_vp8_first, without_hidden_addresses
from tapetum.realtime.serve.overdue import drop_overdue
from tapetum.realtime.serve.playout import show_at_once
from tapetum.realtime.serve.rtp_clock import (
    RTP_RATE_HZ,
    CaptureClock,
    ClockReading,
    DepartureClock,
)
from tapetum.realtime.serve.shared_video import SharedVideo, VideoTrack

OnEnd = Callable[[TapetumError | None], None]


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What a stream is doing.

    Attributes:
        fps: frames per second that were enhanced, since the status before.
        dropped: frames that were not enhanced because newer ones came, so far.
        mode: what enhances the frames now.
        wanted: the mode that the governor has chosen; another one than `mode` while it loads.
        runs_on: what of it runs where, like "grid on CPU, OpenVINO f32".
        note: why the picture is not the best that was asked for, in words, or nothing.
        well_lit: whether the picture stays as it is because it is well lit.
        added_p50_ms: median of the time that the server's enhancement adds, of recent frames.
        added_p95_ms: the 95th percentile of the same.
        enhanced_clock: which RTP time stamp of the enhanced track was captured when, if known.
        original_clock: the same for the original's track, where there is one.
        rate: pictures a second that the browser shall send at most, or None.
        scale: so many times less wide and less high than its camera's they shall be.
    """

    fps: float
    dropped: int
    mode: str
    wanted: str
    runs_on: str
    note: str
    well_lit: bool
    added_p50_ms: float
    added_p95_ms: float
    enhanced_clock: ClockReading | None
    original_clock: ClockReading | None
    rate: int | None
    scale: int


class Stream:
    """A peer connection that sends one track enhanced: the browser's own, or the camera's here.

    Make one for each offer, call `answer` once, and `close`.
    """

    def __init__(self, enhancement: Enhancement, limits: Limits, on_end: OnEnd) -> None:
        """Make a stream; make it in a running event loop.

        Args:
            enhancement: what is done to the frames.
            limits: for the size of frames.
            on_end: called once when the picture ends by itself, with what went wrong, if it did.
        """
        self._enhancement = enhancement
        self._limits = limits
        self._on_end: OnEnd | None = on_end
        # No STUN server: viewers are on this machine or in its network, and nobody else is asked.
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.on("connectionstatechange", self._follow_connection)
        self._views: CameraViews | None = None
        self._tracks: list[VideoTrack] = []
        self._clocks: list[DepartureClock] = []
        self._counted: tuple[EnhancedTrack | None, float, int, int] = None, 0.0, 0, 0
        self._demand = Demand()

    async def answer(self, offer_sdp: str, views: CameraViews | None) -> str:
        """Take an offer, and return the answer's SDP.

        Args:
            offer_sdp: for the browser's camera, one video that it sends and receives; for the
                server's, two that it receives: the enhanced and the original.
            views: of the server's camera, or None for the browser's.

        Raises:
            ServeError: the offer is none, or offers other things.
        """
        sdp = with_vp8_first(without_hidden_addresses(offer_sdp))
        offer = RTCSessionDescription(sdp=sdp, type="offer")
        with _offer_errors():
            await self._peer.setRemoteDescription(offer)
        if views is None:
            self._send_back()
        else:
            self._send_camera(views)
        if not has_vp8(sdp):
            raise ServeError("this browser offers no video in VP8, which all should have")
        with _offer_errors():
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        return str(self._peer.localDescription.sdp)

    def change(self, wanted: Enhancement) -> None:
        """Enhance in another way from the next frame on.

        Raises:
            ModelError: there is no such model.
        """
        enhanced = self._enhanced
        if enhanced is not None and self._views is None:
            wanted.take_over(enhanced, self._enhancement)
        elif self._views is not None:
            track = self._tracks[0]
            track.follow(self._views.changed(track.wanted, self._enhancement, wanted))
        self._enhancement = wanted

    @property
    def status(self) -> StreamStatus | None:
        """The state now, or None while nothing is known of the picture."""
        enhanced = self._enhanced
        if enhanced is None or enhanced.latencies.count == 0:
            return None
        video = self._tracks[0].video
        dropped = enhanced.dropped + video.left_out
        before, then_s, frames, dropped_before = self._counted
        count, now_s = enhanced.latencies.count, time.monotonic()
        self._counted = enhanced, now_s, count, dropped
        if before is not enhanced:  # whose frames others may have got before
            return None
        passed_s = max(now_s - then_s, 1e-3)
        fps = (count - frames) / passed_s
        if self._views is None:
            self._demand.record(fps, (dropped - dropped_before) / passed_s, video.camera_pixels)
            video.share = self._demand.wanted.share
        readings = [clock.reading for clock in self._clocks]
        return StreamStatus(
            fps=round(fps, 1),
            dropped=dropped,
            mode=enhanced.ladder.mode,
            wanted=enhanced.ladder.governor.mode,
            runs_on=enhanced.ladder.running,
            note=enhanced.ladder.note,
            well_lit=enhanced.ladder.well_lit,
            added_p50_ms=round(enhanced.latencies.recent_ms(50), 1),
            added_p95_ms=round(enhanced.latencies.recent_ms(95), 1),
            enhanced_clock=readings[0],
            original_clock=readings[1] if len(readings) > 1 else None,
            rate=self._demand.wanted.rate,
            scale=self._demand.wanted.scale,
        )

    async def close(self) -> None:
        """End the connection, and release the model and the camera."""
        self._on_end = None
        for track in self._tracks:
            track.stop()
        await self._peer.close()

    @property
    def _enhanced(self) -> EnhancedTrack | None:
        """What enhances the picture that is sent now."""
        track = self._tracks[0].video.track if self._tracks else None
        return track if isinstance(track, EnhancedTrack) else None

    def _send_back(self) -> None:
        """Send the browser's own video back, enhanced."""
        videos = [one for one in self._peer.getTransceivers() if one.kind == "video"]
        if len(videos) != 1 or videos[0].receiver.track is None:
            raise ServeError("an offer of the browser's camera has exactly one video")
        receiver = videos[0].receiver
        waiting = shorten_queue(receiver)
        drop_overdue(receiver, waiting)
        incoming = CheckedTrack(receiver.track, self._limits, waiting)
        video = SharedVideo(self._enhancement.track(incoming), (incoming,))
        self._send(video, CaptureClock(receiver).captured_ms)

    def _send_camera(self, views: CameraViews) -> None:
        """Send the server's camera twice: enhanced, and as it is."""
        if len(self._peer.getTransceivers()) != 2:
            raise ServeError("an offer to watch the server's camera has exactly two videos")
        self._send(views.enhanced(self._enhancement), _captured_here_ms)
        self._send(views.original(), _captured_here_ms)
        self._views = views

    def _send(self, video: SharedVideo, captured_ms: Callable[[int], float | None]) -> None:
        clock = DepartureClock(captured_ms)
        track = VideoTrack(video, clock, self._end)
        self._tracks.append(track)
        sender = self._peer.addTrack(track)
        track.sent_by(sender)
        show_at_once(sender)
        self._clocks.append(clock)

    def _follow_connection(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self._end()

    def _end(self) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            videos = [track.video for track in self._tracks]
            on_end(next((video.error for video in videos if video.error is not None), None))


@contextmanager
def _offer_errors() -> Iterator[None]:
    """Turn what aiortc raises for an offer that is none, which is nearly anything, into one."""
    try:
        yield
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise ServeError(f"this browser's offer cannot be answered ({what})") from error


def _captured_here_ms(pts: int) -> float:
    """When a frame of this machine's camera was captured: its `pts` is the monotonic clock."""
    return 1000 * pts / RTP_RATE_HZ
