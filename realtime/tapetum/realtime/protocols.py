"""The three parts that a pipeline is made of, and the engine under an enhancer.

    FrameSource --> FrameEnhancer --> FrameSink        one direction, one frame type

Stages are passive: frames go through them in their caller's thread, and `tapetum.realtime.prefetch`
puts threads between them. (FFmpeg, OpenVINO and numba have threads of their own, and a live ladder
those of `tapetum.realtime.background`.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tapetum.realtime.aim import Aim
from tapetum.realtime.frame import Frame


@runtime_checkable
class FrameSource(Protocol):
    """Yields frames in presentation order."""

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Release the file or device; calling it again does nothing."""


@runtime_checkable
class FrameEnhancer(Protocol):
    """Turns a frame into a brighter one of the same size, format, time and colour.

    An enhancer belongs to one stream: it holds that stream's temporal state.
    """

    strength: float
    """0 leaves the picture as it is, 1 is the model's own output."""

    @property
    def description(self) -> str:
        """What runs where, for the line printed at the start, like "grid on CPU, OpenVINO f32"."""

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame; frames come in presentation order."""

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""


@runtime_checkable
class StripEnhancer(FrameEnhancer, Protocol):
    """An enhancer that looks at a whole picture once, and then enhances it strip by strip."""

    def look_at(self, overview: Frame) -> None:
        """See a picture, which may be made small; its strips come next."""

    def enhance_strip(self, frame: Frame, *, top: int, height: int) -> Frame:
        """Enhance the rows from `top` on of the picture, which has `height` rows."""


@runtime_checkable
class RememberingEnhancer(FrameEnhancer, Protocol):
    """An enhancer whose memory of its stream can be kept, and given to another one like it."""

    memory: object
    """All that it remembers. Reading gives what it goes on to change: keep a copy."""

    @property
    def lasting(self) -> str:
        """What of it does not fade, but stays until the picture says otherwise, in words."""


@runtime_checkable
class SparingEnhancer(FrameEnhancer, Protocol):
    """An enhancer that leaves pictures as they are where they are well lit."""

    def most_needed(self) -> float:
        """The greatest share of its effect, 0 to 1, that a picture needed since the last call."""


@runtime_checkable
class AimingEnhancer(FrameEnhancer, Protocol):
    """An enhancer that can be told at any time when, and how, pictures are to be made bright."""

    aim: Aim


@runtime_checkable
class NoticingEnhancer(FrameEnhancer, Protocol):
    """An enhancer that has something to say of what runs where, or of what it leaves undone."""

    notices: tuple[str, ...]
    """Lines for the user."""


def notices_of(enhancer: FrameEnhancer) -> tuple[str, ...]:
    """Lines for the user about what runs where, and what is left undone there."""
    return enhancer.notices if isinstance(enhancer, NoticingEnhancer) else ()


@runtime_checkable
class SizingEnhancer(FrameEnhancer, Protocol):
    """An enhancer that may have to compile its network for each size of frames."""

    @property
    def compiles_by_size(self) -> bool:
        """Whether it does, which can take minutes."""


@runtime_checkable
class FrameSink(Protocol):
    """Takes frames in presentation order, then is closed or discarded; by one thread at a time.

    The first `close` or `discard` ends it: no file, process, thread or device is held after that,
    and either may be called again and does nothing. A `close` that fails has discarded it. After a
    `write` that failed only `discard` makes sense.
    """

    def write(self, frame: Frame) -> None:
        """Take one frame.

        Raises:
            TapetumError: it cannot be taken, and none that follows can.
        """

    def close(self) -> None:
        """Finish: after this the output is whole and under its final name.

        Raises:
            TapetumError: it cannot be finished.
        """

    def discard(self) -> None:
        """Give up, without an error: leave nothing under a final name.

        A recording, a pipe or a stream is not taken back: what was written stays.
        """


@runtime_checkable
class Interruptible(Protocol):
    """A sink whose `write` may wait for another process, for ever."""

    def interrupt(self) -> None:
        """Make a `write` that waits in another thread fail at once; the sink is discarded next."""


class Engine(Protocol):
    """A compiled network: an array in, an array out, on one device."""

    @property
    def description(self) -> str:
        """Runtime, device and precision, like "CPU, OpenVINO f32"."""

    def __call__(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network on (N, C, H, W) float32."""
