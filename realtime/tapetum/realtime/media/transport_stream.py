"""Finds lost packets in an MPEG transport stream, which counts those of each of its streams."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_SYNC = 0x47
_LAYOUTS = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet, and of what stands before it: plain, of Blu-ray and AVCHD, with parity."""
_PACKETS_AT_ONCE = 1 << 16
_PROGRAMS_PID, _NULL_PID = 0, 0x1FFF
_LEAST_ALIGNED = 0.9
"""Part of the packets that must begin where they should, or nothing is known of them."""


class Losses(NamedTuple):
    """What the counts of packets tell.

    Attributes:
        pids: those whose packets do not count on.
        joined: whether a recording was joined in the middle, whose counts begin at 0.
    """

    pids: frozenset[int] = frozenset()
    joined: bool = False


def losses(path: Path) -> Losses:
    """The PIDs whose packets do not count on, and do not say that they begin anew.

    So it is where packets were lost, and also where recordings were joined; whether anything is
    missing, the times tell. Where one was joined whose counts begin at 0, the list of programs
    (PID 0) too, nothing was lost. A loss of 16 packets or a multiple of it cannot be seen. Other
    formats give none.
    """
    with path.open("rb") as file:
        layout = _layout(file.read(3 * max(size for size, _ in _LAYOUTS)))
        if layout is None:
            return Losses()
        size, before = layout
        file.seek(0)
        counts = _Counts()
        while len(data := file.read(size * _PACKETS_AT_ONCE)) >= size:
            packets = np.frombuffer(data, np.uint8, len(data) // size * size).reshape(-1, size)
            counts.add(packets[:, before : before + 6])
    return Losses(frozenset(counts.lossy), bool(len(counts.joins)))


def _layout(head: bytes) -> tuple[int, int] | None:
    for size, before in _LAYOUTS:
        if len(head) > 2 * size + before and all(
            head[place] == _SYNC for place in range(before, 2 * size + before + 1, size)
        ):
            return size, before
    return None


class _Counts:
    """Follows the counts of all PIDs, part after part of a file.

    Attributes:
        lossy: the PIDs that do not count on.
        joins: where recordings were joined that begin at 0.
    """

    def __init__(self) -> None:
        self.lossy = set[int]()
        self._last: dict[int, tuple[int, int]] = {}
        self.joins = np.zeros(0, np.int64)
        self._packets = 0

    def add(self, heads: npt.NDArray[np.uint8]) -> None:
        """Take the first (N, 6) bytes of each of the next packets."""
        aligned = heads[:, 0] == _SYNC
        if aligned.mean() < _LEAST_ALIGNED:
            return
        places = self._packets + np.arange(len(heads))
        self._packets += len(heads)
        is_counted = aligned & ((heads[:, 3] & 0x10) > 0)  # the others have no payload
        heads, places = heads[is_counted], places[is_counted]
        pids = (heads[:, 1].astype(np.int64) & 0x1F) << 8 | heads[:, 2]
        for pid in np.unique(pids).tolist():  # that of the list of programs is the first
            if pid != _NULL_PID:
                self._follow(pid, heads[pids == pid], places[pids == pid])

    def _follow(
        self, pid: int, heads: npt.NDArray[np.uint8], places: npt.NDArray[np.int64]
    ) -> None:
        """Take the packets of one PID, and where in the file they are."""
        count = heads[:, 3].astype(np.int64) & 0x0F
        first = int(count[0]) - 1, int(places[0])
        last_count, last_place = self._last.get(pid, first)
        self._last[pid] = int(count[-1]), int(places[-1])
        step = (count - np.concatenate([[last_count], count[:-1]])) % 16
        has_field = ((heads[:, 3] & 0x20) > 0) & (heads[:, 4] > 0)
        begins_anew = has_field & ((heads[:, 5] & 0x80) > 0)
        missing = (step > 1) & ~begins_anew  # a packet may be sent twice
        if pid == _PROGRAMS_PID:
            self.joins = np.concatenate([self.joins, places[missing & (count == 0)]])
        before = np.concatenate([[last_place], places[:-1]])
        joins_passed = np.searchsorted(self.joins, places, "right")
        joins_passed -= np.searchsorted(self.joins, before, "right")
        if (missing & ~((count == 0) & (joins_passed > 0))).any():
            self.lossy.add(pid)
