"""Keeps an encoder from giving itself priority over the rest of the machine."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522
"""Of the structures: linux/capability.h, _LINUX_CAPABILITY_VERSION_3."""
_SYS_NICE = 1 << 23
"""CAP_SYS_NICE, by which root may have real-time threads."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("thread", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def without_real_time_threads() -> Iterator[None]:
    """Let neither this thread nor those that it starts become real-time threads.

    Run by root, SVT-AV1 would make its threads, and the one that opens it, real-time threads of
    the highest priority: everything else on the machine would wait for them, and on a single core
    they would wait for each other for ever. Linux allows that to threads with a capability, see
    capabilities(7). This thread does without it meanwhile, and those that it starts always.
    """
    if platform.system() != "Linux":
        yield
        return
    before = _capabilities()
    reduced = (_Capabilities * 2)(*before)
    reduced[0].effective &= ~_SYS_NICE
    _set(reduced)
    try:
        yield
    finally:
        _set(before)


def _capabilities() -> ctypes.Array[_Capabilities]:
    """Of this thread, 32 of them in each."""
    found = (_Capabilities * 2)()
    _call("capget", found)
    return found


def _set(capabilities: ctypes.Array[_Capabilities]) -> None:
    _call("capset", capabilities)


def _call(name: str, capabilities: ctypes.Array[_Capabilities]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(ctypes.byref(_Header(_VERSION, 0)), capabilities):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
