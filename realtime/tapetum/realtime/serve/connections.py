"""What the server bears of connections: how many, how long one may say nothing, and few sockets."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from aiortc import InvalidStateError

from tapetum.realtime.errors import ServeError
from tapetum.realtime.serve.limits import Limits

_SWEEP_S = 1.0
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)
_OUT_OF_FILES = (
    "this server may open no more files and connections; it goes on when some are closed"
    " (`ulimit -n` says how many there may be)"
)


async def in_time(chunks: AsyncIterator[bytes], limits: Limits) -> AsyncIterator[bytes]:
    """The chunks of an upload, as long as they keep coming.

    Raises:
        ServeError: none came for longer than the limits allow.
    """
    while True:
        try:
            async with asyncio.timeout(limits.silence_s):
                yield await anext(chunks)
        except TimeoutError:
            raise ServeError(f"nothing of the file came for {limits.silence_s:g} s") from None
        except StopAsyncIteration:
            return


@contextmanager
def guarded(server: web.Server, limits: Limits, on_notice: Callable[[str], None]) -> Iterator[None]:
    """Close connections that ask for nothing or are too many, for as long as the block lasts."""
    before = asyncio.get_running_loop().get_exception_handler()
    with _said_once(on_notice) as say:
        asyncio.get_running_loop().set_exception_handler(_loop_errors(say))
        sweeping = asyncio.create_task(_sweep(server, limits))
        try:
            yield
        finally:
            sweeping.cancel()
            asyncio.get_running_loop().set_exception_handler(before)


async def _sweep(server: web.Server, limits: Limits) -> None:
    silent_since_s: dict[web.RequestHandler, float] = {}
    while True:
        now_s = time.monotonic()
        connections = server.connections
        # aiohttp tells of no request until its head is whole, so half of one is silence too.
        silent = [one for one in connections if one._current_request is None]
        silent_since_s = {one: silent_since_s.get(one, now_s) for one in silent}
        late = [one for one in silent if now_s - silent_since_s[one] > limits.silence_s]
        for one in {*late, *connections[limits.connections :]}:
            one.force_close()
        await asyncio.sleep(_SWEEP_S)


@contextmanager
def _said_once(on_notice: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """A function that says that there are no more files; aiohttp's own words about it are kept."""
    said = False

    def say() -> None:
        nonlocal said
        if not said:
            said = True
            on_notice(_OUT_OF_FILES)

    def is_something_else(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not _lacks_files(error):
            return True
        say()
        return False

    log = logging.getLogger("aiohttp.server")
    log.addFilter(is_something_else)
    try:
        yield say
    finally:
        log.removeFilter(is_something_else)


def _loop_errors(
    say: Callable[[], None],
) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if _lacks_files(error):
            say()
        elif not isinstance(error, InvalidStateError):  # of a peer that was closed as it connected
            loop.default_exception_handler(context)

    return handle


def _lacks_files(error: BaseException | None) -> bool:
    """Whether an error, or what led to it, is that nothing more can be opened."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_MORE_FILES:
            return True
        error = error.__cause__ or error.__context__
    return False
