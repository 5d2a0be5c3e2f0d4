"""Frames to a network address, sent by a process of its own.

FFmpeg's network protocols block, some of them while they hold Python's lock: in a process of
their own they can make nothing late but themselves. That process encodes as well, unless the frames
are in a GPU's memory: then they are encoded here, where they lie, and it gets packets.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import IO, Any

from tapetum.realtime.errors import EncoderError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.live_device import LiveEncoding
from tapetum.realtime.live.sinks.encoded_output import EncodedOutput
from tapetum.realtime.live.sinks.pipe_sinks import Y4mSink
from tapetum.realtime.live.sinks.steady_output import BegunOutput, SteadyOutput
from tapetum.realtime.live.stream_process import PACKETS, PACKETS_OPTION
from tapetum.realtime.other_programs import environment_of_others

_END_TIMEOUT_S = 3.0


class StreamSink:
    """A `FrameSink` that streams H.264 to udp://, rtmp://, rtsp:// or another address.

    Attributes:
        takes_any_memory: see `TakesAnyMemory`.
    """

    takes_any_memory = True

    def __init__(
        self,
        url: str,
        *,
        rate: Fraction = Fraction(30),
        encoding: LiveEncoding | None = None,
        on_notice: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Start the process.

        Args:
            url: where to send.
            rate: frames per second to expect.
            encoding: what encodes, as long as it does; None is the CPU, in the process. Where it
                fails later, the address is opened anew.
            on_notice: called with a line where the CPU takes over.
        """
        self._url = url
        self._rate = rate
        self._sender = _Sender(url, gets_packets=encoding is not None)
        self._output = SteadyOutput(self._opened, encoding, name=url, on_notice=on_notice)
        self._written = False
        self._ended = False

    def write(self, frame: Frame) -> None:
        """Send one frame.

        Raises:
            MediaError: the process has ended; the message is its own.
        """
        self._written = True
        try:
            self._output.write(frame)
        except EncoderError:
            raise
        except MediaError as error:
            raise MediaError(self._sender.last_words()) from error

    def close(self) -> None:
        """Send what is left, and end the process.

        Raises:
            MediaError: it could not send.
        """
        if self._ended:
            return
        if not self._written:  # there is no stream that could be finished
            self.discard()
            return
        self._ended = True
        with suppress(MediaError):  # the process says why
            self._output.close()
        if self._sender.end() != 0:
            raise MediaError(self._sender.last_words())

    def interrupt(self) -> None:
        """Kill the process: what waits to be read by it is lost."""
        self._sender.kill()

    def discard(self) -> None:
        """Kill the process, if it still runs."""
        self._ended = True
        self._sender.kill()
        with suppress(MediaError):
            self._output.close()
        self._sender.end()

    def _opened(self, first: Frame, encoding: LiveEncoding | None, *, goes_on: bool) -> BegunOutput:
        if encoding is not None:
            file: Any = _Flushing(self._sender.input)
            return EncodedOutput(
                file, PACKETS, first, name=self._url, rate=self._rate, encoding=encoding
            )
        if self._sender.gets_packets:  # the CPU takes over
            if goes_on:
                self._sender.end()
            else:
                self._sender.kill()
                self._sender.end()
            self._sender = _Sender(self._url, gets_packets=False)
        return _Uncompressed(self._sender.input, self._rate)


class _Uncompressed:
    """Frames for a process that encodes them; a `BegunOutput`."""

    has_begun = True

    def __init__(self, output: IO[bytes], rate: Fraction) -> None:
        self._frames = Y4mSink(output, rate=rate, sync="drop")

    def write(self, frame: Frame) -> None:
        """Write one frame."""
        self._frames.write(frame)

    def close(self) -> None:
        """Do nothing: the process ends when its input does."""


class _Flushing:
    """A pipe for packets, each of which goes out at once."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def write(self, data: bytes) -> int:
        """Write all of it."""
        written = self._pipe.write(data)
        self._pipe.flush()
        return written


class _Sender:
    """The process that sends.

    Attributes:
        input: its standard input.
        gets_packets: whether that is to be packets, and not frames.
    """

    def __init__(self, url: str, *, gets_packets: bool) -> None:
        command = [sys.executable, "-m", "tapetum.realtime.live.stream_process", url]
        self.gets_packets = gets_packets
        self._process = subprocess.Popen(
            [*command, *([PACKETS_OPTION] if gets_packets else [])],
            env=environment_of_others(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for us; the process ends when its input does
        )
        assert self._process.stdin is not None
        self.input: IO[bytes] = self._process.stdin
        self._said = ""

    def kill(self) -> None:
        """Kill it, if it still runs."""
        self._process.kill()

    def end(self) -> int:
        """Let it send what is left, and end; its status."""
        with suppress(OSError):  # it ended first; its status says so
            self.input.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._hear()
        return self._process.wait()

    def last_words(self) -> str:
        """End it; why it could not send."""
        self.end()
        why = self._said.splitlines()[-1] if self._said else "the sending process ended"
        return why.removeprefix("error: ")

    def _hear(self) -> None:
        """Keep what the process said, to its end, and let go of its stderr."""
        stderr = self._process.stderr
        assert stderr is not None
        if not stderr.closed:
            with stderr:
                self._said = stderr.read().decode(errors="replace").strip()
