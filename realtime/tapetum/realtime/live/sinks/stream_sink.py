"""Frames to a network address, encoded and sent by a process of its own.

FFmpeg's network protocols block, some of them while they hold Python's lock: in a process of
their own they can make nothing late but themselves.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from fractions import Fraction

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.sinks.pipe_sinks import Y4mSink
from tapetum.realtime.other_programs import environment_of_others

_END_TIMEOUT_S = 3.0


class StreamSink:
    """A `FrameSink` that streams H.264 to udp://, rtmp://, rtsp:// or another address."""

    def __init__(self, url: str, *, rate: Fraction = Fraction(30)) -> None:
        """Start the process.

        Args:
            url: where to send.
            rate: frames per second to expect.
        """
        self._url = url
        command = [sys.executable, "-m", "tapetum.realtime.live.stream_process", url]
        self._process = subprocess.Popen(
            command,
            env=environment_of_others(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for us; the process ends when its input does
        )
        assert self._process.stdin is not None
        self._said = ""
        self._written = False
        self._ended = False
        self._frames = Y4mSink(self._process.stdin, rate=rate, sync="drop")

    def write(self, frame: Frame) -> None:
        """Send one frame.

        Raises:
            MediaError: the process has ended; the message is its own.
        """
        self._written = True
        try:
            self._frames.write(frame)
        except MediaError as error:
            raise MediaError(self._last_words()) from error

    def close(self) -> None:
        """Send what is left, and end the process.

        Raises:
            MediaError: it could not send.
        """
        if self._ended:
            return
        if not self._written:  # there is no stream that could be finished
            self.discard()
        elif self._end() != 0:
            raise MediaError(self._last_words())

    def interrupt(self) -> None:
        """Kill the process: what waits to be read by it is lost."""
        self._process.kill()

    def discard(self) -> None:
        """Kill the process, if it still runs."""
        self._process.kill()
        self._end()

    def _end(self) -> int:
        self._ended = True
        assert self._process.stdin is not None
        with suppress(OSError):  # it ended first; its status says so
            self._process.stdin.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._hear()
        return self._process.wait()

    def _hear(self) -> None:
        """Keep what the process said, to its end, and let go of its stderr."""
        stderr = self._process.stderr
        assert stderr is not None
        if not stderr.closed:
            with stderr:
                self._said = stderr.read().decode(errors="replace").strip()

    def _last_words(self) -> str:
        self._end()
        why = self._said.splitlines()[-1] if self._said else "the sending process ended"
        return why.removeprefix("error: ")
