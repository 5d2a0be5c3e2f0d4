"""Two parts of a frame's work at once, where a core has nothing else to do.

Kernels release the GIL, so a second thread can run one of them meanwhile. Nothing ever waits for it
to begin: a part that it has not begun when the other is done is done where it was asked for, as on
a machine of one core, or where other streams keep the helpers busy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from tapetum.gan.machine import usable_cores

HELPER = "tapetum-helper"
"""The name of threads that help."""
_MOST_HELPERS = 4
_IDLE_S = 1.0
"""After so long without work a helper ends; the next work begins another."""

_First = TypeVar("_First")
_Second = TypeVar("_Second")

_offers = SimpleQueue[tuple["Future[Any]", Callable[[], Any]]]()
_helpers = list[threading.Thread]()
_beginning = threading.Lock()


def side_by_side(
    here: Callable[[], _First], there: Callable[[], _Second]
) -> tuple[_First, _Second]:
    """What two calls return, which do not depend on each other.

    Args:
        here: called in this thread.
        there: called in a helper's meanwhile if one is free, else here, as the second. Not called
            if `here` raised before it began.

    Raises:
        Exception: what the calls raise, of both that of `here`; the other has ended by then.
    """
    part = _offered(there)
    try:
        first = here()
    except BaseException:
        if not part.cancel():
            wait([part])
        raise
    return first, there() if part.cancel() else part.result()


def _offered(work: Callable[[], _Second]) -> Future[_Second]:
    """What becomes of work that a helper may begin, until it is cancelled."""
    part = Future[_Second]()
    most = min(usable_cores() // 2, _MOST_HELPERS)
    # An offer that nobody has taken yet: all helpers are busy, or wait for a core.
    if most and _offers.empty():
        _offers.put((part, work))
        if not any(helper.is_alive() for helper in _helpers):
            _begin_helpers(most)
    return part


def _begin_helpers(count: int) -> None:
    with _beginning:
        if any(helper.is_alive() for helper in _helpers):
            return
        _helpers[:] = [
            threading.Thread(target=_help, name=HELPER, daemon=True) for _ in range(count)
        ]
        for helper in _helpers:
            helper.start()


def _help() -> None:
    while True:
        try:
            part, work = _offers.get(timeout=_IDLE_S)
        except Empty:
            return
        if part.set_running_or_notify_cancel():
            try:
                part.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
                part.set_exception(error)
        del part, work  # they hold frames
