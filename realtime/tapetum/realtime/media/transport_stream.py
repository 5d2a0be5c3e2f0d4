"""Finds lost packets in an MPEG transport stream, which counts those of each of its streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

_SYNC = 0x47
_LAYOUTS = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet, and of what stands before it: plain, of Blu-ray and AVCHD, with parity."""
_PACKETS_AT_ONCE = 1 << 16
_NULL_PID = 0x1FFF
_LEAST_ALIGNED = 0.9
"""Part of the packets that must begin where they should, or nothing is known of them."""


def pids_with_losses(path: Path) -> set[int]:
    """The PIDs whose packets do not count on, and do not say that they begin anew.

    So it is where packets were lost, and also where recordings were joined; whether anything is
    missing, the times tell. A loss of 16 packets or a multiple of it cannot be seen. Other formats
    give none.
    """
    with path.open("rb") as file:
        layout = _layout(file.read(3 * max(size for size, _ in _LAYOUTS)))
        if layout is None:
            return set()
        size, before = layout
        file.seek(0)
        found, last = set[int](), dict[int, int]()
        while len(data := file.read(size * _PACKETS_AT_ONCE)) >= size:
            packets = np.frombuffer(data, np.uint8, len(data) // size * size).reshape(-1, size)
            found |= _losses(packets[:, before : before + 6], last)
    return found


def _layout(head: bytes) -> tuple[int, int] | None:
    for size, before in _LAYOUTS:
        if len(head) > 2 * size + before and all(
            head[place] == _SYNC for place in range(before, 2 * size + before + 1, size)
        ):
            return size, before
    return None


def _losses(heads: npt.NDArray[np.uint8], last: dict[int, int]) -> set[int]:
    """The PIDs that do not count on among packets, of whose begins (N, 6) bytes are given.

    Args:
        heads: the first bytes of each packet.
        last: of each PID its last count; changed in place.
    """
    aligned = heads[:, 0] == _SYNC
    if aligned.mean() < _LEAST_ALIGNED:
        return set()
    heads = heads[aligned & ((heads[:, 3] & 0x10) > 0)]  # the others have no payload, and no count
    pids = (heads[:, 1].astype(np.int64) & 0x1F) << 8 | heads[:, 2]
    counts = heads[:, 3].astype(np.int64) & 0x0F
    has_field = ((heads[:, 3] & 0x20) > 0) & (heads[:, 4] > 0)
    begins_anew = has_field & ((heads[:, 5] & 0x80) > 0)
    found = set[int]()
    for pid in np.unique(pids).tolist():
        of_pid = pids == pid
        count, anew = counts[of_pid], begins_anew[of_pid]
        before = np.concatenate([[last.get(pid, count[0] - 1)], count[:-1]])
        step = (count - before) % 16
        last[pid] = int(count[-1])
        if pid != _NULL_PID and ((step > 1) & ~anew).any():  # a packet may be sent twice
            found.add(pid)
    return found
