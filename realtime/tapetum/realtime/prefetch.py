"""Threads around stages: reading ahead of a stage, and writing behind one.

`Prefetch` runs an iterable in a thread, so that decoding overlaps with what the caller does.
`WriteBehind` runs a sink in a thread, so that encoding does. Both sit on a bounded `Channel`:

    source --> [Prefetch] --> the caller's loop --> [WriteBehind] --> sink

What goes wrong in a thread is raised on the caller's side, and `close` leaves no thread behind.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeVar

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.protocols import FrameSink, Interruptible
from tapetum.realtime.worker import Worker

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Policy = Literal["wait", "drop_oldest"]
"""`wait`: lossless, the producer waits for room. `drop_oldest`: the newest items win."""

DEPTH = 4
"""Frames that wait between two stages: enough to ride out one slow frame, small in memory."""


_INTERRUPTED_S = 1.0
"""How long a sink that was interrupted may take to come back."""


class Channel(Generic[T]):
    """A bounded queue from one thread to another that either end can end.

    Attributes:
        dropped: items thrown away unread by the policy `drop_oldest`.
    """

    def __init__(self, depth: int = DEPTH, policy: Policy = "wait") -> None:
        if depth < 1:
            raise ValueError(f"a channel holds at least 1 item, got depth {depth}")
        self.dropped = 0
        self._depth = depth
        self._policy = policy
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._waiting: asyncio.Future[None] | None = None
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add an item; False when the reader has closed the channel, and nobody will read it."""
        with self._changed:
            if self._policy == "wait":
                self._changed.wait_for(lambda: self._closed or len(self._items) < self._depth)
            elif len(self._items) >= self._depth:
                self._items.popleft()
                self.dropped += 1
            if not self._closed:
                self._items.append(item)
                self._tell()
            return not self._closed

    @property
    def waiting(self) -> int:
        """Items that were put and not taken."""
        with self._changed:
            return len(self._items)

    def end(self, error: BaseException | None = None) -> None:
        """No more items will come; `error` is raised to the reader after the last one."""
        with self._changed:
            self._ended = True
            self._error = error
            self._tell()

    def close(self) -> None:
        """No more items will be read: those that wait are thrown away."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._tell()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return self.take()

    def take(self, timeout_s: float | None = None) -> T:
        """The next item.

        Raises:
            TimeoutError: none came in `timeout_s`; None waits for ever.
            StopIteration: the last one was taken.
        """
        with self._changed:
            if not self._changed.wait_for(self._is_settled, timeout_s):
                raise TimeoutError(f"no item in {timeout_s} s")
            if self._items:
                self._changed.notify_all()
                return self._items.popleft()
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    async def receive(self) -> T:
        """The next item, for the one reader in an event loop, which goes on meanwhile.

        Raises:
            StopAsyncIteration: the last one was taken.
        """
        import asyncio  # which files do without

        while True:
            with self._changed:
                if self._is_settled():
                    return self._taken_at_once()
                self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    def _taken_at_once(self) -> T:
        try:
            return self.take(0)
        except StopIteration:  # which a coroutine cannot raise
            raise StopAsyncIteration from None

    def _tell(self) -> None:
        """Wake who waits, in a thread or in an event loop."""
        self._changed.notify_all()
        waiting = self._waiting
        if waiting is not None:
            waiting.get_loop().call_soon_threadsafe(_wake, waiting)

    def _is_settled(self) -> bool:
        return self._closed or self._ended or bool(self._items)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class Prefetch(Generic[T]):
    """Iterates over `items` in a thread, up to `depth` items ahead of the reader, in order.

    Use it in a `with` statement, or call `close`. The iterable runs in the thread from its first
    item to its last; what it raises is raised to the reader, after the items before it.

    Example:
        with Prefetch(source) as frames:
            for frame in frames:
                ...
    """

    def __init__(self, items: Iterable[T], *, depth: int = DEPTH, policy: Policy = "wait") -> None:
        self._items = items
        self._channel: Channel[T] = Channel(depth, policy)
        self._thread = Worker(self._read, name="tapetum-prefetch", stop=self._channel.close)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Items that the policy `drop_oldest` threw away so far."""
        return self._channel.dropped

    def _read(self) -> None:
        try:
            for item in self._items:
                if not self._channel.put(item):
                    break
        except BaseException as error:  # noqa: BLE001 - raised again on the reader's side
            self._channel.end(error)
        else:
            self._channel.end()

    def __iter__(self) -> Iterator[T]:
        return self._channel

    def __next__(self) -> T:
        return next(self._channel)

    def take(self, timeout_s: float | None = None) -> T:
        """The next item, like `next`.

        Raises:
            TimeoutError: none came in `timeout_s`.
            StopIteration: there are no more.
        """
        return self._channel.take(timeout_s)

    async def receive(self) -> T:
        """The next item, for a reader in an event loop.

        Raises:
            StopAsyncIteration: there are no more.
        """
        return await self._channel.receive()

    def close(self, timeout_s: float | None = None) -> None:
        """Stop reading, and wait for the thread; calling it again does nothing.

        Args:
            timeout_s: after this the thread is left to end when the item that it waits for
                comes, or with the process.
        """
        self._channel.close()
        self._thread.join(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def interruptible(call: Callable[[], T]) -> T:
    """Call a function that may be long in FFmpeg, where a signal is not heard, in a thread.

    Returns:
        What it returned. When a signal's handler raises meanwhile, the thread is left to end by
        itself.

    Raises:
        BaseException: whatever `call` raised.
    """
    calls = Prefetch(_results(call))
    try:
        return next(calls)
    finally:
        calls.close(0)


def _results(call: Callable[[], T]) -> Iterator[T]:
    yield call()


class WriteBehind:
    """A `FrameSink` that writes to another sink in a thread, up to `depth` frames behind.

    What the sink raises is raised by the next `write`, or by `close`; the sink is discarded then.
    `close` and `discard` call the sink's own in the caller's thread, when the worker has ended.
    `name` is what errors call the sink.
    """

    def __init__(
        self,
        sink: FrameSink,
        *,
        depth: int = DEPTH,
        policy: Policy = "wait",
        name: str = "an output",
    ) -> None:
        self._sink = sink
        self._name = name
        self._channel: Channel[Frame] = Channel(depth, policy)
        self._error: BaseException | None = None
        self._failed = False
        self._written = 0
        self._ending = threading.Lock()
        self._ended = False
        self._left = False
        self._thread = Worker(self._write, name="tapetum-write", stop=self._interrupt)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Frames that the policy `drop_oldest` threw away so far."""
        return self._channel.dropped

    @property
    def waiting(self) -> int:
        """Frames that are not yet written, nor at it."""
        return self._channel.waiting

    def _write(self) -> None:
        try:
            for frame in self._channel:
                self._sink.write(frame)
                self._written += 1
        except BaseException as error:  # noqa: BLE001 - raised again on the writer's side
            self._error = error
            self._failed = True
            self._channel.close()
        with self._ending:
            self._ended = True
            left = self._left
        if left:  # nobody waits for it any more
            self._sink.discard()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def write(self, frame: Frame) -> None:
        """Hand one frame to the thread; waits while `depth` frames are still unwritten.

        With the policy `drop_oldest` it never waits.
        """
        if not self._channel.put(frame):
            self._thread.join()
            self._raise_error()

    def close(self, timeout_s: float | None = None) -> None:
        """Write what waits, then close the sink; one that has failed is discarded.

        Raises:
            MediaError: the sink took longer than `timeout_s` over one frame of these, and was
                discarded: it is stuck, and not only slow.
        """
        self._channel.end()
        written = -1
        while self._thread.is_alive() and self._written > written:
            written = self._written
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            self.discard(_INTERRUPTED_S)
            raise MediaError(f"{self._name} has taken nothing for {timeout_s:g} s; it was left")
        if self._failed:
            self._sink.discard()
            self._raise_error()
            return
        try:
            self._sink.close()
        except BaseException:
            self._sink.discard()
            raise

    def discard(self, timeout_s: float | None = None) -> None:
        """Throw away what waits, then discard the sink.

        Args:
            timeout_s: after this a write that is stuck is left to the thread, which discards the
                sink when it comes back from it.
        """
        self._interrupt()
        self._thread.join(timeout_s)
        with self._ending:
            ended = self._ended
            self._left = not ended
        if ended:
            self._sink.discard()

    def _interrupt(self) -> None:
        self._channel.close()
        if isinstance(self._sink, Interruptible):
            self._sink.interrupt()
