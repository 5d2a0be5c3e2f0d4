"""`EnhancedTrack`: a WebRTC video track that is another one, enhanced; needs aiortc."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.errors import DeviceError, ModelError, TapetumError, UnexpectedError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.newest import newest_channel
from tapetum.realtime.live.summary import Latencies
from tapetum.realtime.media.av_frame import from_av, to_av
from tapetum.realtime.media.frame_conversion import SCALER_THREADS, nearest_format

R = TypeVar("R")

_TIME_BASE = Fraction(1, 90_000)
"""RTP's unit of video times."""


class EnhancedTrack(MediaStreamTrack):
    """An aiortc video track of the newest enhanced frame of another track.

    The other track is read from when the first frame is asked for. Frames of it that come while
    one is being enhanced are dropped but for the last.

    Example:
        peer.addTrack(EnhancedTrack(relay.subscribe(track)))

    Attributes:
        ladder: what enhances; set its `strength` and `aim` at any time.
        latencies: how long frames were with us, from their arrival until they were enhanced.
        error: what ended the track, where that is a model that cannot be used, or a bug.
    """

    kind = "video"

    def __init__(
        self,
        track: MediaStreamTrack,
        *,
        model: str | Path = "grid",
        strength: float = 1.0,
        when_dark: bool = True,
        brightness: float | None = None,
        device: Device = "auto",
        denoise: Denoise = "auto",
        latency_budget_ms: float = 50.0,
        on_notice: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Make a track; make it in a running event loop.

        Args:
            track: a video track whose frames nobody else takes.
            model: `grid`, `unet`, or a model file; while it loads, a curve stands in.
            strength: from 0 (the picture as it is) to 1 (the model's own output), and up to 2.
            when_dark: leave well-lit pictures as they are.
            brightness: mean luma that a grid model brings every picture to, over 0 and under 1;
                None leaves it to the model.
            device: `auto` or `cpu`, or a GPU such as `cuda`.
            denoise: how much noise `grid` takes out: `auto`, `off`, or from 0 to 1.
            latency_budget_ms: how long a frame may be with us.
            on_notice: called with a line, in any thread, of what runs where on a GPU, when a model
                is too slow, and when a GPU is lost.

        Raises:
            ModelError: there is no such model, or a brightness is wanted and it gives no grid.
            DeviceError: the device is missing.
            ValueError: a number is out of its range.
        """
        super().__init__()
        self.latencies = Latencies()
        self.error: TapetumError | None = None
        self._device: Device = device
        self._denoise: Denoise = denoise
        self._budget_ms = latency_budget_ms
        self._on_notice = on_notice
        self._model = model
        self.ladder = self._new_ladder(strength, Aim(when_dark, brightness))
        self._track = track
        self._event_loop = asyncio.get_running_loop()
        self._newest = newest_channel()
        self._skipped = 0
        self._reader: asyncio.Future[None] | None = None

    @property
    def dropped(self) -> int:
        """Frames that were not enhanced, because newer ones had come or there was no time."""
        return self._newest.dropped + self._skipped

    async def recv(self) -> av.VideoFrame:
        """The newest frame, enhanced, when there is one.

        Raises:
            MediaStreamError: the track, or the one behind it, has ended, or see `error`.
        """
        return await self.make(lambda picture: picture)

    async def make(self, finish: Callable[[av.VideoFrame], R]) -> R:
        """The newest frame, enhanced, and what becomes of it in the same thread.

        A frame that went from thread to thread would wait for a processor at each.

        Args:
            finish: called with the picture, like an encoder.

        Returns:
            What `finish` gives.

        Raises:
            MediaStreamError: the track, or the one behind it, has ended, or see `error`.
            BaseException: whatever `finish` raised.
        """
        if self._reader is None and self.readyState == "live":
            self._reader = asyncio.ensure_future(self._read())
        try:
            frame = await self._newest.receive()
            while self.ladder.skips():
                self._skipped += 1
                frame = await self._newest.receive()
        except Exception as error:
            if not isinstance(error, MediaStreamError | StopAsyncIteration):
                self.error = UnexpectedError(error)
            self.stop()
            raise MediaStreamError from error
        try:
            picture_s, finished = await asyncio.to_thread(_finished, self.ladder, frame, finish)
        except TapetumError as error:
            self.error = error
            self.stop()
            raise MediaStreamError from error
        self.latencies.add(1000 * (picture_s - (frame.arrival_time_s or 0.0)))
        return finished

    def change_model(self, model: str | Path, aim: Aim | None = None) -> None:
        """Enhance with another model as soon as it is there; `grid` stands in while it loads.

        Args:
            model: as for `__init__`.
            aim: when pictures are made bright, and how bright; None leaves it as it is.

        Raises:
            ModelError: there is no such model, or a brightness is wanted and it gives no grid.
            DeviceError: the GPU is gone.
        """
        if self.readyState == "ended":
            return
        former, before = self.ladder, self._model
        self._model = model
        try:
            self.ladder = self._new_ladder(former.strength, aim or former.aim, former)
        except (DeviceError, ModelError):
            self._model = before
            raise
        self._release(former)

    def stop(self) -> None:
        """End the track, and release the model."""
        if self.readyState == "ended":
            return
        super().stop()
        if self._reader is not None:
            self._reader.cancel()
        self._newest.close()  # who waits for a frame waits no more
        self._release(self.ladder)

    def _new_ladder(self, strength: float, aim: Aim, former: Ladder | None = None) -> Ladder:
        return ladder_for(
            self._model,
            strength=strength,
            aim=aim,
            device=self._device,
            denoise=self._denoise,
            budget_ms=self._budget_ms,
            sizes_change=True,  # a sender gives way to its network
            former=former,
            on_notice=self._on_notice,
        )

    def _release(self, ladder: Ladder) -> None:
        """Close a ladder in a thread: a model that is stuck, or still loads, is waited for."""
        self._event_loop.run_in_executor(None, ladder.close)

    async def _read(self) -> None:
        try:
            while True:
                picture = await self._track.recv()
                if isinstance(picture, av.VideoFrame):
                    self._newest.put(_frame(picture))
        except Exception as error:  # noqa: BLE001 - the cause of what `recv` raises
            self._newest.end(error)


def _finished(
    ladder: Ladder, frame: Frame, finish: Callable[[av.VideoFrame], R]
) -> tuple[float, R]:
    """When the picture was made, and what became of it."""
    picture = to_av(ladder(frame))  # copied here: the event loop has all packets to care for
    return time.monotonic(), finish(picture)


def _frame(picture: av.VideoFrame) -> Frame:
    target = nearest_format(picture.format.name)
    if target != picture.format.name:
        picture = picture.reformat(format=target, threads=SCALER_THREADS)
    arrival_s = time.monotonic()
    frame = from_av(picture, pts=picture.pts, time_base=Fraction(picture.time_base or _TIME_BASE))
    return replace(frame, capture_time_s=arrival_s, arrival_time_s=arrival_s)
