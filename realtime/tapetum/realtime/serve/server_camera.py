"""A camera, stream or file of the server's machine, shared by all who watch it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from tapetum.realtime.errors import MediaError, TapetumError, UnexpectedError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.address import is_file
from tapetum.realtime.live.live_source import LiveSource
from tapetum.realtime.live.newest import NewestFrames
from tapetum.realtime.live.standard_input import STDIN
from tapetum.realtime.media.av_frame import frame_planes, to_av
from tapetum.realtime.media.frame_conversion import SCALER_THREADS
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.live_tracks import CameraTrack


class ServerCamera:
    """Opens a source for the first who watches and closes it after the last.

    A file ends for all of them, and begins anew for who watches next.

    Attributes:
        name: what the user called it.
        description: what was really opened, like "/dev/video0 1280x720 mjpeg 30 fps".
        label: the same for viewers, without a file's folder or an address's password.
    """

    def __init__(
        self,
        source: str,
        *,
        size: tuple[int, int] | None = None,
        rate: Fraction | None = None,
        loop: bool = False,
        most_pixels: int = Limits().frame_pixels,
        on_notice: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Open the source once, to see that it works.

        Args:
            source: as for `parse_source`: a camera, URL, screen, test pattern or file.
            size: width and height in pixels to ask a camera for.
            rate: frames per second to ask a camera for.
            loop: whether a file is played over and over.
            most_pixels: width times height of what is handed out; larger pictures are scaled down.
            on_notice: called with a line when the source is lost or back, in any thread.

        Raises:
            MediaError: it cannot be opened, or is standard input, which cannot be opened anew.
        """
        if source == STDIN:
            raise MediaError(
                "the page opens a source each time that it is watched, and standard input comes"
                " once; name a file, a URL or a camera"
            )
        self.name = source
        self._size = size
        self._rate = rate
        self._loop = loop
        self._most_pixels = most_pixels
        self._on_notice = lambda line: on_notice(self._for_viewers(line))
        self._tracks: list[CameraTrack] = []
        self._playing: asyncio.Task[None] | None = None
        self._frames: NewestFrames | None = None
        source_now = self._open()
        self.description = source_now.description
        self.label = self._for_viewers(self.description)
        source_now.close()

    def subscribe(self) -> CameraTrack:
        """A track of the newest frames, until it is stopped; call it in the event loop.

        A file begins when the first frame is asked for, which is when its viewer is connected.
        """
        track = CameraTrack(self._begin, self._unsubscribe)
        self._tracks.append(track)
        return track

    async def close(self) -> None:
        """End all tracks, and release the device."""
        for track in list(self._tracks):
            track.stop()
        if self._playing is not None:
            await self._playing

    def _begin(self) -> None:
        if self._playing is None or self._playing.done():
            self._playing = asyncio.create_task(self._play_while_watched())

    def _unsubscribe(self, track: CameraTrack) -> None:
        self._tracks.remove(track)
        frames = self._frames
        if not self._tracks and frames is not None:
            self._frames = None
            frames.close(0)  # a frame that is waited for is waited for no more

    def _open(self) -> LiveSource:
        return LiveSource(
            self.name,
            size=self._size,
            rate=self._rate,
            loop=self._loop,
            on_notice=self._on_notice,
        )

    async def _play_while_watched(self) -> None:
        try:
            while self._tracks:
                if await self._play():
                    self._end_tracks()
                    return
        except TapetumError as error:
            self._end_tracks(MediaError(self._for_viewers(str(error))))
        except Exception as error:  # noqa: BLE001 - viewers would wait for ever
            self._end_tracks(UnexpectedError(error))

    def _end_tracks(self, error: TapetumError | None = None) -> None:
        for track in list(self._tracks):
            track.end(error)

    def _for_viewers(self, line: str) -> str:
        public = _public_name(self.name)
        return line if public == self.name else line.replace(self.name, public)

    async def _play(self) -> bool:
        """Hand out frames to the end of the source, or until nobody watches.

        Returns:
            Whether it was the source that ended.

        Raises:
            MediaError: the source cannot be opened or read.
        """
        source = await asyncio.to_thread(self._open)
        self._frames = frames = NewestFrames(source)
        try:
            while self._tracks:
                frame = await frames.receive()
                if frame.width * frame.height > self._most_pixels:
                    frame = await asyncio.to_thread(_scaled_down, frame, self._most_pixels)
                for track in self._tracks:
                    track.put(frame)
        except StopAsyncIteration:
            return self._frames is frames
        else:
            return False
        finally:
            self._frames = None
            await asyncio.to_thread(frames.close)


def _scaled_down(frame: Frame, most_pixels: int) -> Frame:
    """The frame, as many times less wide and less high as it takes; its alpha is left out.

    A larger one would be seconds old before it is enhanced, encoded and decoded.
    """
    times = math.ceil(math.sqrt(frame.width * frame.height / most_pixels))
    picture = to_av(replace(frame.in_memory, alpha=None)).reformat(
        width=max(2, frame.width // times // 2 * 2),
        height=max(2, frame.height // times // 2 * 2),
        interpolation="AREA",
        threads=SCALER_THREADS,
    )
    return replace(frame.in_memory, planes=frame_planes(picture), alpha=None)


def _public_name(source: str) -> str:
    if "://" in source:
        address = urlsplit(source)
        return f"{address.scheme}://{address.hostname or ''}{address.path}"
    return Path(source).name if is_file(source) else source
