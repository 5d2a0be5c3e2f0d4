"""Keeps libtiff, by which Pillow decodes compressed TIFF, from writing to the terminal.

It writes lines by the hundred about a damaged file, past Python; Pillow raises what matters of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools

from PIL import _imaging


@functools.cache
def silence() -> None:
    """Take the handler of errors away that libtiff begins with; Pillow does so with its warnings.

    Where Pillow holds libtiff within itself, as on Windows, it cannot be reached, and writes on.
    """
    with contextlib.suppress(OSError, AttributeError):
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
