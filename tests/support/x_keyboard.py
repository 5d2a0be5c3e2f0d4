"""Presses keys on an X display, as a person does: by the X server's own test extension."""

from __future__ import annotations

import ctypes
import time
from ctypes import c_char_p, c_int, c_ubyte, c_uint, c_ulong, c_void_p

import pytest


class Keyboard:
    """The keyboard of a display, over whose upper left corner the mouse is."""

    def __init__(self, display: str) -> None:
        try:
            self._x, self._test = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        except OSError:
            pytest.skip("needs libXtst: apt-get install libxtst6")
        self._declare()
        self._display = self._x.XOpenDisplay(display.encode())
        self._test.XTestFakeMotionEvent(self._display, -1, 50, 50, 0)
        self._x.XFlush(self._display)

    def press(self, name: str) -> None:
        """Press a key by its X name, like "plus"."""
        symbol = self._x.XStringToKeysym(name.encode())
        code = self._x.XKeysymToKeycode(self._display, symbol)
        for down in (1, 0):
            self._test.XTestFakeKeyEvent(self._display, code, down, 0)
        self._x.XFlush(self._display)
        time.sleep(0.5)  # a window takes one key for each frame

    def _declare(self) -> None:
        x, test = self._x, self._test
        x.XOpenDisplay.restype = c_void_p
        x.XFlush.argtypes = (c_void_p,)
        x.XStringToKeysym.argtypes, x.XStringToKeysym.restype = (c_char_p,), c_ulong
        x.XKeysymToKeycode.argtypes, x.XKeysymToKeycode.restype = (c_void_p, c_ulong), c_ubyte
        test.XTestFakeKeyEvent.argtypes = (c_void_p, c_uint, c_int, c_ulong)
        test.XTestFakeMotionEvent.argtypes = (c_void_p, c_int, c_int, c_int, c_ulong)
