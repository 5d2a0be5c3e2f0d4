"""Recording and snapshots at the press of a key, into files that are named by the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.live_run import LiveRun
from tapetum.realtime.live.outputs import Output, recording
from tapetum.realtime.media.images import write_image


class Recorder:
    """Does what `Controls.recording` and `Controls.snapshots` ask for."""

    def __init__(self, folder: Path, *, rate: Fraction, on_notice: Callable[[str], None]) -> None:
        """Make a recorder.

        Args:
            folder: where the files go.
            rate: frames per second to expect.
            on_notice: called with a line for the user about each file.
        """
        self._folder = folder
        self._rate = rate
        self._on_notice = on_notice
        self._output: Output | None = None
        self._snapshots = 0

    def follow(self, controls: Controls, run: LiveRun, frame: Frame) -> None:
        """Begin or end a recording, or save `frame`; call it for each frame that goes out.

        Raises:
            MediaError: a file cannot be written.
        """
        if controls.recording and self._output is None:
            path = self._path("recording", ".mkv")
            self._output = run.add(recording(str(path), rate=self._rate))
            self._on_notice(f"recording to {path}")
        elif not controls.recording and self._output is not None:
            run.remove(self._output)
            self._on_notice(f"recorded {self._output.name}")
            self._output = None
        if self._snapshots < controls.snapshots:
            self._snapshots = controls.snapshots
            path = self._path("snapshot", ".png")
            write_image(path, frame)
            self._on_notice(f"saved {path}")

    def _path(self, kind: str, suffix: str) -> Path:
        moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return self._folder / f"tapetum-{kind}-{moment}{suffix}"
