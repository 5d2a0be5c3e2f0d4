"""What an enhancer remembers at the end of a segment, for whoever goes on behind it.

Smoothing forgets in a second; where black bars are, and what noise was told from texture in a part
of the picture that rests, may be remembered for as long as the film lasts. So no warm-up is long
enough for every film. Who has the memory of the enhancer that made the segment before goes on
exactly as that one would have.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import Any

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.protocols import RememberingEnhancer
from tapetum.realtime.segments.segment import Ending, Probe, segment_number

_OF_ARRAYS = frozenset(
    {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy.core.numeric", "_frombuffer"),
    }
)
_OF_ENHANCERS = ("tapetum.realtime.cpu.", "tapetum.realtime.temporal")


@dataclass(frozen=True, slots=True)
class Handover:
    """What is needed to go on behind a segment exactly.

    Attributes:
        last: samples of its last frame, enhanced.
        ending: the rest.
    """

    last: Probe
    ending: Ending


class HandedStage:
    """An enhancer that notes its memory at the end of each segment, and may begin with another's.

    Args:
        stage: the enhancer, which remembers nothing.
        handover: of the segment behind which it goes on: frames up to its last one are only
            compared, and come out as they are.

    Attributes:
        begins: of each segment, what the enhancer remembered for good before it; to be taken out.
        endings: of segments, by their numbers; to be taken out.
        is_apart: whether the frame at which it was to go on is not as it was: it is read otherwise.
    """

    def __init__(self, stage: FrameStage, handover: Handover | None = None) -> None:
        self.begins: dict[int, str] = {}
        self.endings: dict[int, Ending] = {}
        self.is_apart = False
        self._stage = stage
        self._handover = handover
        self._number: int | None = None
        self._last: Frame | None = None

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        handover = self._handover
        if handover is not None:
            seen = handover.ending.seen
            if (frame.pts or 0) < seen.pts:
                return frame
            if frame.pts == seen.pts:
                self.is_apart = not seen.is_same(Probe.of(frame))
                return frame
            self._handover = None
            recall(self._stage, handover.ending.memory)
        number = segment_number(frame)
        if self._number is None or number > self._number:
            self._cross(number)
        self._number, self._last = number, frame
        return self._stage(frame)

    def take(self, number: int) -> tuple[str, Ending | None]:
        """How a segment began and ended; what is known of others that ended before is let go."""
        begins, ending = self.begins.pop(number, ""), self.endings.pop(number, None)
        self.begins = {n: kept for n, kept in self.begins.items() if n > number}
        self.endings = {n: kept for n, kept in self.endings.items() if n > number}
        return begins, ending

    def _cross(self, number: int) -> None:
        """Note the memory between two segments."""
        stage = self._stage
        lasting = stage.lasting if isinstance(stage, RememberingEnhancer) else ""
        self.begins[number] = lasting
        if self._number is not None and self._last is not None:
            seen = Probe.of(self._last)
            self.endings[self._number] = Ending(seen, memory_of(stage), lasting)


def memory_of(stage: FrameStage) -> bytes:
    """What a stage remembers, for `recall`; empty where it remembers nothing."""
    if not isinstance(stage, RememberingEnhancer):
        return b""
    return pickle.dumps(stage.memory, pickle.HIGHEST_PROTOCOL)


def recall(stage: FrameStage, memory: bytes) -> None:
    """Have an enhancer remember what another did.

    Raises:
        MediaError: it is no memory.
    """
    if not isinstance(stage, RememberingEnhancer):
        raise MediaError("an enhancer without a memory was handed one")
    try:
        stage.memory = _Reader(io.BytesIO(memory)).load()
    except Exception as error:  # pickle raises whatever its bytes lead to
        raise MediaError("the memory of an enhancer cannot be read; run it again") from error


class _Reader(pickle.Unpickler):
    """Makes what enhancers are made of, and nothing else: a file's bytes must not run programs."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as it is declared
        found = super().find_class(module, name) if module.startswith(_OF_ENHANCERS) else None
        if isinstance(found, type):
            return found
        if (module, name) in _OF_ARRAYS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a memory")
