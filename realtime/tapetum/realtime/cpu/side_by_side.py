"""Two parts of a frame's work at once, where a core has nothing else to do.

Kernels release the GIL, so a second thread can run one of them meanwhile. Nothing ever waits for it
to begin: a part that it has not begun when the other is done is done where it was asked for, as it
is on one core, and where other streams of this process have the cores.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from tapetum.gan.machine import usable_cores

SECOND_THREAD = "tapetum-second"
"""The name of the thread beside that which asks."""
_IDLE_S = 1.0
"""After so long without work it ends; the next work begins another."""

_First = TypeVar("_First")
_Second = TypeVar("_Second")


class Cores:
    """The cores that this process may use: who works on a frame takes one, a second thread another.

    Example:
        cores = Cores(4)
        with cores.taken():
            a, b = cores.side_by_side(one_half, other_half)
    """

    def __init__(self, count: int) -> None:
        """Have so many cores, all of them free; no thread is begun yet."""
        self._count, self._taken = count, 0
        self._counting = threading.Lock()
        self._offers = SimpleQueue[tuple["Future[Any]", Callable[[], Any]]]()
        self._second: threading.Thread | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A core is this thread's meanwhile, or is wanted by it: there may be fewer."""
        with self._counting:
            self._taken += 1
        try:
            yield
        finally:
            self._give_back()

    def side_by_side(
        self, here: Callable[[], _First], there: Callable[[], _Second]
    ) -> tuple[_First, _Second]:
        """What two calls return, which do not depend on each other.

        Args:
            here: called in this thread, that has a core.
            there: called by the second thread meanwhile if a core is free, else here, after it. Not
                called if `here` raised before it began.

        Raises:
            Exception: what the calls raise, of both that of `here`; the other has ended by then.
        """
        if self._is_behind or not self._take_free():
            return here(), there()
        try:
            part = self._offered(there)
            try:
                return here(), there() if part.cancel() else part.result()
            except BaseException:
                if not part.cancel():
                    wait([part])  # it writes to what the caller has
                raise
        finally:
            self._give_back()

    def _take_free(self) -> bool:
        """Take a core if one is left, beside that of who asks."""
        with self._counting:
            is_free = max(self._taken, 1) < self._count
            self._taken += is_free
        return is_free

    def _give_back(self) -> None:
        with self._counting:
            self._taken -= 1

    def _offered(self, work: Callable[[], _Second]) -> Future[_Second]:
        """What becomes of work that a second thread may begin, until it is cancelled."""
        part = Future[_Second]()
        self._offers.put((part, work))
        if not self._has_second:
            self._second = threading.Thread(target=self._work, name=SECOND_THREAD, daemon=True)
            self._second.start()
        return part

    @property
    def _has_second(self) -> bool:
        """Whether it lives: it ends when it is idle, and in a process that was forked."""
        return self._second is not None and self._second.is_alive()

    @property
    def _is_behind(self) -> bool:
        """Whether the second thread is busy, or waits for a core: what was offered is there yet."""
        return self._has_second and not self._offers.empty()

    def _work(self) -> None:
        while True:
            try:
                part, work = self._offers.get(timeout=_IDLE_S)
            except Empty:
                return
            if part.set_running_or_notify_cancel():
                try:
                    part.set_result(work())
                except BaseException as error:  # noqa: BLE001 - raised by `result`
                    part.set_exception(error)
            del part, work  # they hold frames


@cache
def cores() -> Cores:
    """Those of this process."""
    return Cores(usable_cores())
