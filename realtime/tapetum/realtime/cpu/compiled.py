"""How the pixel kernels are compiled: on first use, once a machine, without the GIL.

Importing a kernel module imports numba (0.4 s): do it where frames are processed, not where
options are parsed.
"""

from __future__ import annotations

import gc
import hashlib
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import event

from tapetum.realtime.errors import DeviceError

_Function = TypeVar("_Function", bound=Callable[..., Any])

_KERNELS: list[Any] = []
_HOW: dict[str, Any] = {"nogil": True, "fastmath": True, "no_cfunc_wrapper": True}
"""Nothing but Python calls a kernel, and nothing but a kernel a part: no more ways in are made."""
_INNER: dict[str, Any] = {**_HOW, "no_cpython_wrapper": True, "_nrt": False}
"""A part counts no references: two atomic steps for each slice of each row, a third of the time."""
_UNREADABLE = (
    *(ImportError, AttributeError, EOFError, IndexError, KeyError, TypeError, ValueError),
    pickle.UnpicklingError,
)
"""What unpickling raises for things that are no more, or never were whole."""


def _source_stamp() -> str:
    """What the source of all kernels is: each has constants and parts of other modules in it."""
    stamp = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        stamp.update(file.read_bytes())
    return stamp.hexdigest()


_SOURCE_STAMP = _source_stamp()


class _UncollectedCompiles(event.Listener):
    """Pauses Python's collector while numba compiles.

    A compiler makes many objects and little rubbish: a seventh of its time would go into looking
    for it. Numba compiles under a lock of its own, one function within another.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._collects = False

    def on_start(self, event: object) -> None:  # noqa: ARG002 - as numba calls it
        if self._depth == 0:
            self._collects = gc.isenabled()
            gc.disable()
        self._depth += 1

    def on_end(self, event: object) -> None:  # noqa: ARG002
        self._depth -= 1
        if self._depth == 0 and self._collects:
            gc.enable()


event.register("numba:compile", _UncollectedCompiles())  # type: ignore[no-untyped-call]


def kernel(function: _Function) -> _Function:
    """Compile a function that is called from Python; its machine code is kept on disk.

    The code lies in `__pycache__` beside the source, else in the user's cache folder (or in
    `NUMBA_CACHE_DIR`); where none can be written, each process compiles for itself.

    Raises:
        DeviceError: numba's compiler is switched off.
    """
    if getattr(numba.config, "DISABLE_JIT", 0):  # set by numba itself, unseen by mypy
        raise DeviceError(
            "NUMBA_DISABLE_JIT is set, and pixels are enhanced by code that numba compiles;"
            " unset it"
        )
    try:
        compiled: Any = numba.njit(**_HOW, cache=True)(function)
    except RuntimeError:
        # Numba's word for "no folder to cache in": slower starts, the same results.
        compiled = numba.njit(**_HOW)(function)
    else:
        _tell_sources_apart(compiled)
        _forget_unreadable(compiled)
        _spare_full_disks(compiled)
    _KERNELS.append(compiled)
    kernel_function: _Function = compiled
    return kernel_function


def _tell_sources_apart(compiled: Any) -> None:  # noqa: ANN401 - numba has no types
    """Take code on disk for that of another source if any kernel's source is another.

    Numba looks at a kernel's own file alone, whose code would go on with what other modules had.
    """
    index = compiled._cache._cache_file  # numba has no public way to say
    index._source_stamp = (index._source_stamp, _SOURCE_STAMP)


def _forget_unreadable(compiled: Any) -> None:  # noqa: ANN401 - numba has no types
    """Drop the code on disk of another version of this package, or what a crash left of it.

    Numba reads the whole list of what is there before it looks how old it is: names of modules
    that have since moved, or half a file, would end the first call with a traceback.
    """
    cache = compiled._cache  # numba has no public way to ask
    try:
        cache._cache_file._load_index()
    except _UNREADABLE:
        cache.flush()


def _spare_full_disks(compiled: Any) -> None:  # noqa: ANN401 - numba has no types
    """Let a kernel run though its code cannot be kept: on a full disk, beyond a limit of size."""
    cache = compiled._cache
    save = cache.save_overload

    def save_if_there_is_room(*arguments: Any) -> None:  # noqa: ANN401
        with suppress(OSError):
            save(*arguments)

    cache.save_overload = save_if_there_is_room


def part(function: _Function) -> _Function:
    """Compile a function that only kernels call, as a part of them; it makes no new arrays."""
    compiled: Any = numba.njit(**_INNER)(function)
    inlined: _Function = compiled
    return inlined


def is_cached() -> bool:
    """Whether any kernel imported so far has machine code on disk; few jobs call all of them.

    False means that the first frame waits for the compiler, some seconds, which is worth a
    line to the user.
    """
    return any(_has_code_on_disk(compiled) for compiled in _KERNELS)


def _has_code_on_disk(compiled: Any) -> bool:  # noqa: ANN401 - numba has no types
    folder = compiled.stats.cache_path
    if folder is None:
        return False
    function = compiled.py_func
    stem = Path(function.__code__.co_filename).stem
    return any(Path(folder).glob(f"{stem}.{function.__qualname__}-*.nbi"))
