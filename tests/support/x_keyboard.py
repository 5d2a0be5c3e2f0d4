"""Presses keys on an X display, as a person does: by the X server's own test extension."""

from __future__ import annotations

import ctypes
import time
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_ubyte, c_uint, c_ulong, c_void_p

import pytest

_CLIENT_MESSAGE = 33


class _Message(ctypes.Structure):
    """Xlib's XClientMessageEvent, in the room of an XEvent."""

    _fields_ = (
        ("type", c_int),
        ("serial", c_ulong),
        ("send_event", c_int),
        ("display", c_void_p),
        ("window", c_ulong),
        ("message_type", c_ulong),
        ("format", c_int),
        ("data", c_long * 5),
        ("room", c_long * 12),
    )


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

    def close_window(self, title: str) -> None:
        """Do what the button of a window's frame does, of which there is none without a desktop."""
        x, display = self._x, c_void_p(self._display)
        protocols, delete = (
            x.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        (window,) = (one for one in self._windows() if self._title(one) == title)
        message = _Message(type=_CLIENT_MESSAGE, window=window, message_type=protocols, format=32)
        message.data[0] = delete
        x.XSendEvent(display, c_ulong(window), 0, c_long(0), byref(message))
        x.XFlush(display)

    def _windows(self) -> list[int]:
        root, parent, found, count = c_ulong(), c_ulong(), POINTER(c_ulong)(), c_uint()
        display = c_void_p(self._display)
        whole = c_ulong(self._x.XDefaultRootWindow(display))
        self._x.XQueryTree(display, whole, byref(root), byref(parent), byref(found), byref(count))
        return [found[index] for index in range(count.value)]

    def _title(self, window: int) -> str:
        name = c_char_p()
        self._x.XFetchName(c_void_p(self._display), c_ulong(window), byref(name))
        return (name.value or b"").decode()

    def _declare(self) -> None:
        x, test = self._x, self._test
        x.XOpenDisplay.restype = c_void_p
        x.XFlush.argtypes = (c_void_p,)
        x.XInternAtom.restype = x.XDefaultRootWindow.restype = c_ulong
        x.XStringToKeysym.argtypes, x.XStringToKeysym.restype = (c_char_p,), c_ulong
        x.XKeysymToKeycode.argtypes, x.XKeysymToKeycode.restype = (c_void_p, c_ulong), c_ubyte
        test.XTestFakeKeyEvent.argtypes = (c_void_p, c_uint, c_int, c_ulong)
        test.XTestFakeMotionEvent.argtypes = (c_void_p, c_int, c_int, c_int, c_ulong)
