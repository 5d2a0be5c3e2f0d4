"""The command line on a system that lacks what only Linux or Unix has: `support.other_system ...`.

As far as that goes on Linux: what others' packages need of it is imported before it goes.
"""

from __future__ import annotations

import asyncio  # noqa: F401
import errno
import importlib
import multiprocessing.util  # noqa: F401
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OTHERS = ("aiohttp", "aiortc", "av", "cv2", "numba", "openvino", "psutil", "torch")
"""They have wheels of their own for each system."""
MODULES = ("fcntl", "resource", "termios", "tty", "pwd", "grp")
SIGNALS = ("SIGHUP", "SIGALRM", "SIGKILL", "pthread_sigmask", "alarm", "setitimer", "ITIMER_REAL")
SYSTEM = ("sched_getaffinity", "fork", "getuid", "killpg", "getloadavg", "wait4", "major")


def hide() -> None:
    """Let Python lack them, and /proc be no folder."""
    for name in OTHERS:
        if find_spec(name) is not None:
            importlib.import_module(name)
    modules: dict[str, Any] = sys.modules
    for name in MODULES:
        modules[name] = None
    for name in SIGNALS:
        delattr(signal, name)
    for name in SYSTEM:
        delattr(os, name)
    stat = Path.stat

    def stat_outside_proc(self: Path, **options: Any) -> os.stat_result:
        if self.parts[:2] == ("/", "proc"):
            raise FileNotFoundError(errno.ENOENT, "hidden", str(self))
        return stat(self, **options)

    Path.stat = stat_outside_proc  # type: ignore[method-assign]


if __name__ == "__main__":
    hide()
    from tapetum.realtime.command.cli import main

    main()
