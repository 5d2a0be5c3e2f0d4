"""`serve`: runs the page's server until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tapetum.gan.scratch_folder import scratch_folder
from tapetum.gan.stop_signals import heard_stop_signals, leave_closed_terminal
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.live.rung import Rung
from tapetum.realtime.memory_limit import check_memory_limit
from tapetum.realtime.serve.server import Server
from tapetum.realtime.serve.settings import ServerSettings


def serve(
    settings: ServerSettings,
    on_start: Callable[[str, Server], None],
    *,
    on_notice: Callable[[str], None] = lambda _line: None,
) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP, remove all files, and then pass that signal on.

    Args:
        settings: how to serve.
        on_start: called once with the URL to open and the server that runs.
        on_notice: as for `Server`.

    Raises:
        ServeError: the address or port cannot be used.
        ModelError: there is no such model.
        MediaError: the source cannot be opened.
        DeviceError: the process may use too little memory.
        ValueError: a number is out of its range.
    """
    check_memory_limit()
    signal.raise_signal(asyncio.run(_serve(settings, on_start, on_notice)))


async def _serve(
    settings: ServerSettings,
    on_start: Callable[[str, Server], None],
    on_notice: Callable[[str], None],
) -> int:
    with _stop_signal() as stopped, scratch_folder("serve") as folder:
        server = Server(settings, folder, on_notice=on_notice)
        async with server.running() as url:
            on_start(url, server)
            # Compiled code and runtime are there when the first page comes: beside its pictures,
            # on a full machine, that took ten seconds.
            everyday = Rung("grid", make_enhancer)
            try:
                return await stopped
            finally:
                everyday.close(0)


@contextmanager
def _stop_signal() -> Iterator[asyncio.Future[int]]:
    """A future of the first stop signal; inside the block they do nothing else."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(number: int) -> None:
        leave_closed_terminal()
        if not stopped.done():
            stopped.set_result(number)

    before = {number: signal.getsignal(number) for number in heard_stop_signals()}
    for number in before:
        loop.add_signal_handler(number, stop, number)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
