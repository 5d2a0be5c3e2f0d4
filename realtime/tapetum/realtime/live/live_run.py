"""`LiveRun`: the loop of a live stream, in which the newest frame wins and nothing waits.

Only where a sink says that it is waited for, as between two pipes, each frame goes through.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from tapetum.realtime.errors import DeviceError, TapetumError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.newest import NewestFrames
from tapetum.realtime.live.outputs import Output, SinkPlace
from tapetum.realtime.live.summary import LiveStatus, LiveSummary
from tapetum.realtime.protocols import FrameSource

HOLD_S = 0.5
"""A source that is silent for so long has its last picture shown again, and again."""
_STATUS_S = 0.5
_RECENT_FRAMES = 60


class LiveRun:
    """Sends the newest frame of a source through a ladder of modes to every sink.

    Example:
        place = SinkPlace("null", NullSink())
        summary = LiveRun(LiveSource(0), ladder_for("grid"), [place]).run(duration_s=10)
    """

    def __init__(
        self,
        source: FrameSource,
        ladder: Ladder,
        sinks: Sequence[SinkPlace],
        *,
        controls: Controls | None = None,
        on_notice: Callable[[str], None] = lambda _line: None,
        on_status: Callable[[LiveStatus], None] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> None:
        """Join the parts.

        Args:
            source: where frames come from, each with its times, as `LiveSource` stamps them; it
                is closed at the end.
            ladder: what enhances them; it is closed at the end.
            sinks: where they go, at least one; they are closed at the end, however it comes.
            controls: a viewer's wishes.
            on_notice: called with a line when a sink fails.
            on_status: called about twice a second.
            on_frame: called with each frame that goes out, in the loop's thread.

        Raises:
            ValueError: there is no sink.
        """
        if not sinks:
            raise ValueError("a live run needs at least one sink")
        self._ladder = ladder
        self._controls = controls or Controls(strength=ladder.strength)
        self._on_notice = on_notice
        self._on_status = on_status
        self._on_frame = on_frame
        self._outputs = [Output(place) for place in sinks]
        self._all_outputs = [*self._outputs]
        self._failed: dict[str, str] = {}
        self._every = any(place.waits for place in sinks)
        self._frames = NewestFrames(source, policy="wait" if self._every else "drop_oldest")
        self._begin_s = time.monotonic()
        self._end_s: float | None = None
        self._status_s = 0.0
        self._taken: deque[float] = deque(maxlen=_RECENT_FRAMES)
        self._last: Frame | None = None
        self._held = 0
        self._skipped = 0
        self._holding = False
        self._models_chosen = 0

    def add(self, place: SinkPlace) -> Output:
        """Send the frames from now on to one more sink; call it in the loop's thread."""
        output = Output(place)
        self._outputs.append(output)
        self._all_outputs.append(output)
        return output

    def sends_to(self, output: Output) -> bool:
        """Whether a sink still gets frames: it was neither removed, nor has it failed."""
        return output in self._outputs

    def remove(self, output: Output) -> None:
        """Finish a sink that was added.

        Raises:
            MediaError: it cannot be finished.
        """
        self._outputs.remove(output)
        output.close()

    def run(self, *, duration_s: float | None = None) -> LiveSummary:
        """Run until the source ends, it has given `duration_s` of video or the viewer quits.

        Time counts from the first frame, and goes on while the source is silent; not so where a
        sink is waited for.

        Sinks are finished, never thrown away, however this ends. One that fails is closed, and the
        others go on; the summary says why.

        Raises:
            TapetumError: a source that has an end, the model, or the last sink failed; or a sink
                cannot be finished.
        """
        try:
            self._loop(duration_s)
        except BaseException:
            self._close(quietly=True)
            raise
        self._close(quietly=False)
        return self.summary

    @property
    def status(self) -> LiveStatus:
        """The state now."""
        first = self._all_outputs[0].meter
        return LiveStatus(
            fps=self._recent_fps(),
            age_p50_ms=first.ages.recent_ms(50),
            age_p95_ms=first.ages.recent_ms(95),
            dropped=self._dropped,
            mode=self._ladder.mode,
            runs_on=self._ladder.running,
            note=self._ladder.note,
            well_lit=self._ladder.well_lit,
            held=self._holding,
        )

    @property
    def summary(self) -> LiveSummary:
        """What was done so far, or in all."""
        first = self._all_outputs[0].meter
        duration_s = (self._end_s or time.monotonic()) - self._begin_s
        return LiveSummary(
            frames=first.frames,
            dropped=self._dropped,
            fps=round(first.frames / duration_s, 2) if duration_s > 0 else 0.0,
            duration_s=round(duration_s, 3),
            latency_ms=first.latencies.summary(),
            age_ms=first.ages.summary(),
            modes=dict(self._ladder.frames_by_mode),
            sinks={
                output.name: {"frames": output.meter.frames, "dropped": output.dropped}
                for output in self._all_outputs
            },
            held=self._held,
            failed=dict(self._failed),
        )

    @property
    def _dropped(self) -> int:
        return self._frames.dropped + self._skipped + self._all_outputs[0].dropped

    def _loop(self, duration_s: float | None) -> None:
        limit_s = math.inf if duration_s is None else duration_s
        first_s: float | None = None
        while not self._controls.quit:
            try:
                frame = self._frames.take(HOLD_S)
            except TimeoutError:
                if not self._every and time.monotonic() - self._begin_s >= limit_s:
                    return
                self._hold()
            except StopIteration:
                return
            else:
                time_s = frame.time_s or 0.0
                if first_s is None:
                    first_s, self._begin_s = time_s, time.monotonic()
                if time_s - first_s >= limit_s:
                    return
                self._process(frame)
            self._tell_status()

    def _process(self, frame: Frame) -> None:
        self._follow_controls()
        self._holding = False
        if not self._every and (self._ladder.skips() or self._all_behind()):
            self._skipped += 1
            return
        self._taken.append(time.monotonic())
        taken = (output.taken_position for output in self._outputs)
        self._ladder.pace.stay_near(position for position in taken if position is not None)
        try:
            shown = self._controls.show(frame, self._ladder(frame))
        except DeviceError:
            if frame.fetch is None:
                raise
            self._skipped += 1  # it went with its device; its source goes on by the CPU
            return
        self._send(shown)

    def _all_behind(self) -> bool:
        """Whether the frame would be made in vain; what it takes is better spent on encoding."""
        return all(output.is_behind for output in self._outputs)

    def _follow_controls(self) -> None:
        self._ladder.strength = self._controls.strength
        while self._models_chosen < self._controls.next_model:
            self._models_chosen += 1
            self._ladder.choose_next()

    def _hold(self) -> None:
        """Show the last picture again, so that a silent source does not look like an end."""
        if self._every or self._last is None:
            return
        self._holding = True
        self._held += 1
        last = self._last
        passed = round(HOLD_S / last.time_base)
        self._send(replace(last, pts=(last.pts or 0) + passed, arrival_time_s=None))

    def _send(self, frame: Frame) -> None:
        for output in [*self._outputs]:
            try:
                output.write(frame, self._ladder.pace.position)
            except TapetumError as error:
                self._lose(output, error)
        if self._on_frame is not None:
            self._on_frame(frame)
        self._last = frame

    def _lose(self, output: Output, error: TapetumError) -> None:
        """Go on without a sink that failed; the last one's failure is the run's."""
        self._outputs.remove(output)
        self._failed[output.name] = str(error)
        output.discard()
        if not self._outputs:
            raise error
        self._on_notice(f"{output.name} is closed, the other outputs go on: {error}")

    def _recent_fps(self) -> float:
        if len(self._taken) < 2 or self._holding:
            return 0.0
        return (len(self._taken) - 1) / max(self._taken[-1] - self._taken[0], 1e-6)

    def _tell_status(self) -> None:
        now_s = time.monotonic()
        if self._on_status is not None and now_s - self._status_s >= _STATUS_S:
            self._status_s = now_s
            self._on_status(self.status)

    def _close(self, *, quietly: bool) -> None:
        """Close everything, the rest too when a part of it fails.

        The first error is raised, unless another one is on its way; the others are told.
        """
        self._frames.close()
        errors = [
            error for output in [*self._outputs] if (error := self._close_error(output, quietly))
        ]
        self._end_s = time.monotonic()
        self._ladder.close()
        for error in errors if quietly else errors[1:]:
            self._on_notice(str(error))
        if errors and not quietly:
            raise errors[0]

    def _close_error(self, output: Output, quietly: bool) -> TapetumError | None:
        """Why a sink cannot be finished, if it cannot; it is no sink of the run any more then."""
        try:
            output.close(patient=not quietly)
        except TapetumError as error:
            self._outputs.remove(output)
            return error
        return None
