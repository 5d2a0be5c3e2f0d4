"""Recording and snapshots at the press of a key, into files that are named by the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from tapetum.realtime.errors import TapetumError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.live_device import LiveEncoding
from tapetum.realtime.live.live_run import LiveRun
from tapetum.realtime.live.outputs import Output, recording
from tapetum.realtime.photos.images import write_image


class Recorder:
    """Does what `Controls.recording` and `Controls.snapshots` ask for."""

    def __init__(
        self,
        folder: Path,
        *,
        rate: Fraction,
        on_notice: Callable[[str], None],
        encoding: LiveEncoding | None = None,
    ) -> None:
        """Make a recorder.

        Args:
            folder: where the files go.
            rate: frames per second to expect.
            on_notice: called with a line for the user about each file.
            encoding: as for `open_sink`.
        """
        self._folder = folder
        self._rate = rate
        self._on_notice = on_notice
        self._encoding = encoding
        self._output: Output | None = None
        self._snapshots = 0

    def follow(self, controls: Controls, run: LiveRun, frame: Frame) -> None:
        """Begin or end a recording, or save `frame`; call it for each frame that goes out.

        What cannot be written is said, and the stream goes on.
        """
        if self._output is not None and not run.sends_to(self._output):  # it failed
            self._output, controls.recording = None, False
        try:
            if controls.recording and self._output is None:
                self._begin(run)
            elif not controls.recording and self._output is not None:
                self._end(run, self._output)
        except TapetumError as error:
            controls.recording = False
            self._on_notice(f"the recording failed: {error}")
        if self._snapshots < controls.snapshots:
            self._snapshots = controls.snapshots
            self._save(frame)

    def end(self, run: LiveRun) -> None:
        """Say what was recorded, where the run that has just ended finished it."""
        if self._output is not None and run.sends_to(self._output):
            self._tell(self._output)
        self._output = None

    def _begin(self, run: LiveRun) -> None:
        path = self._path("recording", ".mkv")
        self._output = run.add(
            recording(
                str(path), rate=self._rate, encoding=self._encoding, on_notice=self._on_notice
            )
        )
        self._on_notice(f"recording to {path}")

    def _end(self, run: LiveRun, output: Output) -> None:
        self._output = None
        run.remove(output)
        self._tell(output)

    def _tell(self, output: Output) -> None:
        has_come = Path(output.name).exists()  # it is opened by its first frame
        self._on_notice(f"{'recorded' if has_come else 'no frame came for'} {output.name}")

    def _save(self, frame: Frame) -> None:
        path = self._path("snapshot", ".png")
        try:
            write_image(path, frame.in_memory)
        except TapetumError as error:
            self._on_notice(f"no snapshot was saved: {error}")
        else:
            self._on_notice(f"saved {path}")

    def _path(self, kind: str, suffix: str) -> Path:
        moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return self._folder / f"tapetum-{kind}-{moment}{suffix}"
