"""`Room`: memory of a GPU that was promised to one stream of this process, and not to two."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Self

from tapetum.realtime.errors import DeviceError

_COUNTING = threading.Lock()
_promised_bytes: Counter[str] = Counter()
"""Of each GPU, by name: what this process's streams were promised and have not taken yet."""


class Room:
    """Memory of a GPU that a stream was promised, and no other gets meanwhile.

    Release it when the stream has taken it, for then the GPU's own count has it, or needs it no
    more. As a context manager it does so at its end.
    """

    def __init__(self, device: str, needed_bytes: int, what: str, free: Callable[[], int]) -> None:
        """Take it, if it is there.

        Args:
            device: such as "cuda:1".
            needed_bytes: the least that it takes.
            what: takes it, for the message.
            free: bytes of the device that nobody has.

        Raises:
            DeviceError: there is not enough.
        """
        self._device, self._bytes = device, max(0, needed_bytes)
        with _COUNTING:
            free_bytes = max(0, free() - _promised_bytes[device])
            if free_bytes < needed_bytes:
                raise DeviceError(
                    f"{device} has not enough memory ({free_bytes >> 20} MB are free, and {what}"
                    f" takes {-(-needed_bytes >> 20)} MB at least); close what else uses it, or use"
                    " --device cpu"
                )
            _promised_bytes[device] += self._bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Give back the promise; calling it again does nothing."""
        with _COUNTING:
            _promised_bytes[self._device] -= self._bytes
            self._bytes = 0
