"""Opens the sinks that a user names, several at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tapetum.realtime.choices import PipeFormat, Sync
from tapetum.realtime.errors import DeviceError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.address import check_url
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.live_device import LiveEncoding, TakesAnyMemory
from tapetum.realtime.live.summary import Latencies
from tapetum.realtime.media.media_input import with_known_scheme
from tapetum.realtime.prefetch import WriteBehind
from tapetum.realtime.protocols import FrameSink, Interruptible

RECORDING_DEPTH = 15
"""Frames that wait for a recording: an encoder is late now and then, a file need not be."""

_BEHIND_S = 1.0
"""A recording that is so far behind gets fewer frames until it has caught up."""

_STUCK_S, _STUCK_FRAMES = 60.0, 30
"""A sink that took none of so many frames in so long is stuck, and not slow: the look of the
others' pictures need not stay near that of its last one."""

CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class SinkPlace:
    """A sink and how frames get to it.

    Attributes:
        name: for messages and the summary, like "window" or "out.mp4".
        sink: the sink.
        depth: frames that may wait for it; a frame more, and the oldest is dropped.
        in_caller: whether it must be written from the thread that runs the pipeline, as windows.
        waits: whether the run waits for it, so that no frame is dropped: for a source that can
            wait too.
    """

    name: str
    sink: FrameSink
    depth: int = 1
    in_caller: bool = False
    waits: bool = False


class MeteredSink:
    """A `FrameSink` before another that notes how old frames are when that one gets them.

    Attributes:
        frames: frames handed on, without repeated ones.
        latencies: from the source's hand-over.
        ages: from capture.
        room: how many frames may wait for the sink so that none waits for long.
        lost: frames that went with the device that they lay on.
    """

    def __init__(self, sink: FrameSink, depth: int = 1) -> None:
        self.room = float(depth)
        self.lost = 0
        self._depth = depth
        self.frames = 0
        self.latencies = Latencies()
        self.ages = Latencies()
        self._sink = sink

    def write(self, frame: Frame) -> None:
        """Note the time and hand the frame on."""
        now_s = time.monotonic()
        if frame.arrival_time_s is not None:  # a held picture has none, and no age
            self.frames += 1
            waited_s = now_s - frame.arrival_time_s
            self._make_room(waited_s)
            self.latencies.add(1000 * waited_s)
            self.ages.add(1000 * (now_s - (frame.capture_time_s or frame.arrival_time_s)))
        if not isinstance(self._sink, TakesAnyMemory):
            try:
                frame = frame.in_memory
            except DeviceError:  # it went with its device; those that follow are the CPU's
                self.lost += 1
                return
        self._sink.write(frame)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()

    def discard(self) -> None:
        """Discard the sink."""
        self._sink.discard()

    def _make_room(self, waited_s: float) -> None:
        """Half a place less for each frame that was late: every second one still has a next."""
        if waited_s > _BEHIND_S:
            self.room = max(1.0, self.room - 0.5)
        elif waited_s < _BEHIND_S / 2:
            self.room = min(float(self._depth), self.room + 0.5)

    def interrupt(self) -> None:
        """Interrupt the sink, if that can be done."""
        if isinstance(self._sink, Interruptible):
            self._sink.interrupt()


class NullSink:
    """A `FrameSink` that keeps nothing: to measure, or to run only for the summary.

    Attributes:
        takes_any_memory: see `TakesAnyMemory`.
    """

    takes_any_memory = True

    def write(self, frame: Frame) -> None:
        """Throw one frame away."""

    def close(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing."""


class Output:
    """One sink of a running stream, in its own thread unless it must not be."""

    def __init__(self, place: SinkPlace) -> None:
        self.name = place.name
        self.meter = MeteredSink(place.sink, place.depth)
        self._left_out = self._missed = 0
        self._waits = place.waits
        self._taken: tuple[float, float] | None = None
        self._handed_over: tuple[float, float] | None = None
        self._depth = place.depth
        self._behind: WriteBehind | None = None
        if not place.in_caller:
            self._behind = WriteBehind(
                self.meter,
                depth=place.depth,
                policy="wait" if place.waits else "drop_oldest",
                name=place.name,
            )

    @property
    def dropped(self) -> int:
        """Frames that this sink was too slow for."""
        return self._left_out + self._evicted + self.meter.lost

    @property
    def _evicted(self) -> int:
        return 0 if self._behind is None else self._behind.dropped

    @property
    def is_behind(self) -> bool:
        """Whether as many frames wait for the sink as it takes in a second, or as may."""
        if self._depth == 1 or self._behind is None:
            return False
        return self._behind.waiting >= self.meter.room

    @property
    def taken_position(self) -> float | None:
        """See `LookPace`: that of the last frame that the sink took or will take.

        None where it is stuck: after so long a still picture a step is no fault any more.
        """
        if self._taken is None:
            return None
        position, taken_s = self._taken
        is_stuck = self._missed >= _STUCK_FRAMES and time.monotonic() - taken_s >= _STUCK_S
        return None if is_stuck else position

    def write(self, frame: Frame, position: float = 0.0) -> None:
        """Hand a frame over; what the sink raised before is raised here.

        A sink of many places that is behind is not given it, so that what it was given before
        stays; of one with a single place it takes the place of what waits there.
        """
        self._missed += 1
        if self.is_behind:
            self._left_out += 1
            return
        evicted = self._evicted
        (self._behind or self.meter).write(frame)
        before, self._handed_over = self._handed_over, (position, time.monotonic())
        if self._behind is None or self._depth > 1:  # nothing takes the frame's place any more
            self._taken, self._missed = self._handed_over, 0
        elif self._evicted == evicted:
            self._taken, self._missed = before, 1

    def close(self, *, patient: bool = True) -> None:
        """Finish the sink.

        Args:
            patient: whether one that the run waits for has all the time that it takes.

        Raises:
            MediaError: it cannot be finished, or is stuck.
        """
        if self._behind is None:
            self.meter.close()
        else:
            self._behind.close(None if self._waits and patient else CLOSE_TIMEOUT_S)

    def discard(self) -> None:
        """Give the sink up, without an error and without a long wait."""
        if self._behind is None:
            self.meter.discard()
        else:
            self._behind.discard(CLOSE_TIMEOUT_S)


def open_sink(
    name: str,
    *,
    controls: Controls,
    caption: Callable[[], str],
    rate: Fraction,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
    pipe_format: PipeFormat = "y4m",
    sync: Sync = "repeat",
    waits: bool = False,
    encoding: LiveEncoding | None = None,
    on_notice: Callable[[str], None] = lambda _line: None,
) -> SinkPlace:
    """Open what a user calls a sink.

    Args:
        name: "window", "virtual", "null", "-" for stdout, a URL, or a file.
        controls: what a window changes.
        caption: what a window shows over the frames.
        rate: frames per second to expect.
        overwrite: whether an existing file may be replaced.
        inputs: files that a recording must not replace all the same.
        pipe_format: what is written to stdout.
        sync: whether the last frame is repeated there for each that is dropped, or none is.
        waits: whether the run waits for stdout; then each frame is written there once.
        encoding: what encodes recordings and streams, as long as it does; None is the CPU.
        on_notice: called with a line that says how to read raw video, or that the CPU encodes
            instead, in the sink's thread.

    Raises:
        MediaError: it cannot be opened.
        DeviceError: there is no virtual camera.
    """
    if name == "window":
        from tapetum.realtime.live.sinks.window_sink import WindowSink

        return SinkPlace(name, WindowSink(controls, caption), in_caller=True)
    if not name:
        raise MediaError("a sink without a name; give window, virtual, null, a file, a URL or -")
    if "://" in name:
        check_url(name)
        from tapetum.realtime.live.sinks.stream_sink import StreamSink

        url = with_known_scheme(name)
        return SinkPlace(name, StreamSink(url, rate=rate, encoding=encoding, on_notice=on_notice))
    if name == "-":
        sink = _stdout(pipe_format, rate, "drop" if waits else sync, on_notice)
        return SinkPlace(name, sink, waits=waits)
    if name == "null":
        return SinkPlace(name, NullSink(), in_caller=True)  # it takes no time
    if name == "virtual":
        return SinkPlace(name, _virtual(rate))
    return recording(
        name,
        rate=rate,
        overwrite=overwrite,
        inputs=inputs,
        encoding=encoding,
        on_notice=on_notice,
    )


def recording(
    path: str,
    *,
    rate: Fraction,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
    encoding: LiveEncoding | None = None,
    on_notice: Callable[[str], None] = lambda _line: None,
) -> SinkPlace:
    """Open a file to record to; see `RecordingSink`."""
    from tapetum.realtime.live.sinks.recording_sink import RecordingSink

    sink = RecordingSink(
        path,
        rate=rate,
        overwrite=overwrite,
        inputs=inputs,
        encoding=encoding,
        on_notice=on_notice,
    )
    return SinkPlace(path, sink, RECORDING_DEPTH)


def _virtual(rate: Fraction) -> FrameSink:
    from tapetum.realtime.live.sinks.virtual_camera_sink import VirtualCameraSink

    return VirtualCameraSink(rate=rate)


def _stdout(
    pipe_format: PipeFormat, rate: Fraction, sync: Sync, on_notice: Callable[[str], None]
) -> FrameSink:
    from tapetum.realtime.live.sinks.pipe_sinks import RawVideoSink, Y4mSink

    if sys.stdout.isatty():
        raise MediaError(
            "- writes video, and stdout is a terminal; pipe it to a program, or name a file"
        )
    output = sys.stdout.buffer
    if pipe_format == "rawvideo":
        return RawVideoSink(output, rate=rate, sync=sync, on_start=on_notice)
    return Y4mSink(output, rate=rate, sync=sync)
