"""`tapetum serve` in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.command_line import environment


@asynccontextmanager
async def serving(
    *arguments: str | Path, port: int = 0, program: str = "tapetum.realtime"
) -> AsyncIterator[tuple[Process, str]]:
    """The process and the URL that it printed; it is stopped at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program, "serve", "--port", str(port)),
        *map(str, arguments),
        stdout=PIPE,
        stderr=PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    try:
        url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
        if not url:
            _, errors = await process.communicate()
            raise AssertionError(errors.decode())
        yield process, url
    finally:
        # A test may have killed it just now, before asyncio hears of the end.
        with contextlib.suppress(ProcessLookupError):
            if process.returncode is None:
                process.terminate()
        await process.wait()
