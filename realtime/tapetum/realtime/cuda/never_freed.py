"""What CuPy holds on a GPU, and must not free any more.

CuPy's destructors call CUDA, and for each call that fails Python writes a traceback ("Exception
ignored in: 'cupy.cuda.function.Module.__dealloc__'"). On a GPU that is lost every call fails.
"""

from __future__ import annotations

import ctypes
from weakref import WeakSet

_owners: WeakSet[object] = WeakSet()


def owns(owner: object) -> None:
    """Note one of CuPy's objects on a GPU, or an object that such objects go with."""
    _owners.add(owner)


def free_nothing() -> None:
    """Keep all that was noted: a GPU is lost."""
    while _owners:
        keep(_owners.pop())


def keep(thing: object) -> None:
    """Never free an object, at the end of the process neither, when modules let go of theirs."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
