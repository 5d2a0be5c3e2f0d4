"""Frames to an encoder on a GPU as long as that works, and then to one on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from tapetum.realtime.errors import DeviceError, EncoderError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.live_device import LiveEncoding


class BegunOutput(Protocol):
    """What encodes frames, opened by the first of them."""

    @property
    def has_begun(self) -> bool:
        """Whether anything encoded has gone out."""

    def write(self, frame: Frame) -> None:
        """Encode one frame; `EncoderError` where the encoder is what fails."""

    def close(self) -> None:
        """Finish."""


class OpenOutput(Protocol):
    """Opens an output."""

    def __call__(
        self, first: Frame, encoding: LiveEncoding | None, *, goes_on: bool
    ) -> BegunOutput:
        """Open it for frames like the first one.

        Args:
            first: in main memory where the CPU encodes.
            encoding: what encodes; None is the CPU.
            goes_on: whether another one gave a part of the stream already.

        Raises:
            EncoderError: the encoder refuses.
            MediaError: it cannot be opened.
        """


class SteadyOutput:
    """An output that goes on by the CPU where a GPU's encoder fails, and says so once.

    Before the first packet nothing is lost by that: the frames are kept until it has come, of which
    the encoder holds all but the last itself. Later, what the encoder held is.
    """

    def __init__(
        self,
        open_output: OpenOutput,
        encoding: LiveEncoding | None,
        *,
        name: str,
        on_notice: Callable[[str], None],
    ) -> None:
        """Open nothing yet.

        Args:
            open_output: opens the output with its first frame, and again for the CPU.
            encoding: what encodes first; None is the CPU.
            name: of the output, for messages.
            on_notice: called with a line where the CPU takes over.
        """
        self._open = open_output
        self._encoding = encoding
        self._name = name
        self._on_notice = on_notice
        self._output: BegunOutput | None = None
        self._kept: list[Frame] = []
        self._goes_on = False

    def write(self, frame: Frame) -> None:
        """Encode one frame, wherever it lies.

        Raises:
            MediaError: the output cannot be opened or written.
        """
        if self._encoding is None:
            self._write_by_cpu(frame)
            return
        if self._output is None or not self._output.has_begun:
            self._kept.append(frame)
        try:
            if self._output is None:
                self._output = self._open(frame, self._encoding, goes_on=False)
            self._output.write(frame)
        except (DeviceError, EncoderError) as error:
            self._go_over(frame, error)
            return
        if self._output.has_begun:
            self._kept.clear()

    def close(self) -> None:
        """Finish; without a frame there is nothing to do.

        Raises:
            MediaError: that failed.
        """
        output, self._output = self._output, None
        if output is None:
            return
        try:
            output.close()
        except (DeviceError, EncoderError) as error:
            if not self._kept:
                raise
            self._output = None
            self._go_over(None, error)
            self.close()

    def _go_over(self, frame: Frame | None, error: DeviceError | EncoderError) -> None:
        encoding, self._encoding = self._encoding, None
        assert encoding is not None
        output, self._output = self._output, None
        if output is not None:
            self._goes_on = output.has_begun
            with suppress(MediaError, DeviceError):
                output.close()
        self._on_notice(f"the CPU encodes {self._name}, not {encoding.description}: {error}")
        kept, self._kept = self._kept, []
        for left in kept or ([] if frame is None else [frame]):
            self._write_by_cpu(left)

    def _write_by_cpu(self, frame: Frame) -> None:
        try:
            here = frame.in_memory
        except DeviceError:  # it went with its device; those that follow are the CPU's
            return
        if self._output is None:
            self._output = self._open(here, None, goes_on=self._goes_on)
        self._output.write(here)
