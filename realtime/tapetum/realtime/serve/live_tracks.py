"""The tracks that are enhanced: a browser's, checked, and that of a camera of this machine."""

from __future__ import annotations

from collections.abc import Callable

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from tapetum.realtime.errors import ServeError, TapetumError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.live_source import TIME_BASE
from tapetum.realtime.live.newest import newest_channel
from tapetum.realtime.media.av_frame import to_av
from tapetum.realtime.serve.incoming import DecoderQueue
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.rtp_clock import RTP_RATE_HZ


class CheckedTrack(MediaStreamTrack):
    """A browser's newest pictures; it ends when they are larger than the limits allow.

    Attributes:
        error: why it ended, if that was the reason.
        pixels: of the largest picture so far.
    """

    kind = "video"

    def __init__(
        self, track: MediaStreamTrack, limits: Limits, waiting: DecoderQueue | None = None
    ) -> None:
        """Make a track; make it in a running event loop.

        Args:
            track: the browser's.
            limits: for the size of pictures.
            waiting: what waits to be decoded for that track, if that is known.
        """
        super().__init__()
        self.error: ServeError | None = None
        self.pixels = 0
        self._track = track
        self._limits = limits
        self._undecoded = waiting
        self._outdated = 0

    @property
    def left_out(self) -> int:
        """Pictures that were not handed on, or not even decoded, because newer ones waited."""
        thrown_away = 0 if self._undecoded is None else self._undecoded.thrown_away
        return self._outdated + thrown_away

    async def recv(self) -> av.VideoFrame:
        """The next picture.

        Raises:
            MediaStreamError: the browser's track has ended, or see `error`.
        """
        picture = await _next_picture(self._track)
        while self._undecoded is not None and self._undecoded.outdates():
            self._outdated += 1
            picture = await _next_picture(self._track)
        try:
            self._limits.check_frame(picture.width, picture.height)
        except ServeError as error:
            self.error = error
            self.stop()
            raise MediaStreamError from error
        self.pixels = max(self.pixels, picture.width * picture.height)
        return picture


class CameraTrack(MediaStreamTrack):
    """The newest frame of a camera of this machine; `pts` is the monotonic clock at capture.

    Attributes:
        error: why it ended, if something went wrong.
    """

    kind = "video"

    def __init__(
        self, on_start: Callable[[], None], on_stop: Callable[[CameraTrack], None]
    ) -> None:
        """Make a track; make it in a running event loop.

        Args:
            on_start: called once, when the first frame is asked for.
            on_stop: called once, when nobody wants frames any more.
        """
        super().__init__()
        self.error: TapetumError | None = None
        self._on_start: Callable[[], None] | None = on_start
        self._on_stop = on_stop
        self._newest = newest_channel()
        self._last_pts = -1

    def put(self, frame: Frame) -> None:
        """Offer a frame."""
        self._newest.put(frame)

    def end(self, error: TapetumError | None = None) -> None:
        """Take note that no more frames come, because of `error` if there is one."""
        self.error = error
        self._newest.end(error)

    async def recv(self) -> av.VideoFrame:
        """The newest picture, when there is one.

        Raises:
            MediaStreamError: the track has ended.
        """
        on_start, self._on_start = self._on_start, None
        if on_start is not None:
            on_start()
        try:
            frame = await self._newest.receive()
        except (StopAsyncIteration, TapetumError) as error:
            self.stop()
            raise MediaStreamError from error
        picture = to_av(frame)
        captured_s = frame.capture_time_s or 0.0
        self._last_pts = max(self._last_pts + 1, round(captured_s * RTP_RATE_HZ))
        picture.pts, picture.time_base = self._last_pts, TIME_BASE
        return picture

    def stop(self) -> None:
        """End the track."""
        if self.readyState == "live":
            super().stop()
            self._newest.close()
            self._on_stop(self)


async def _next_picture(track: MediaStreamTrack) -> av.VideoFrame:
    picture = await track.recv()
    if not isinstance(picture, av.VideoFrame):
        raise MediaStreamError(f"a video track gave a {type(picture).__name__}")
    return picture
