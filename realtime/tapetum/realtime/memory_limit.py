"""One line, before anything is loaded, where a process may use less memory than a video needs."""

from __future__ import annotations

import importlib

from tapetum.realtime.errors import DeviceError

_LEAST_BYTES = 1_250_000_000
"""Address space that a small video needs, most of it for threads and never touched."""


def check_memory_limit() -> None:
    """Refuse to begin a video under a limit (`ulimit -v`) that it would end under, midway.

    Codecs, compilers and the network's runtime work in C++, and end the whole process when they
    get no memory: nothing can be said any more then.

    Raises:
        DeviceError: the limit is too low.
    """
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows has no such limits
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_BYTES:
        raise DeviceError(
            f"this process may use {limit / 1e9:.2f} GB of memory (ulimit -v), and a video needs"
            f" {_LEAST_BYTES / 1e9:.2f} GB or more; raise the limit"
        )
