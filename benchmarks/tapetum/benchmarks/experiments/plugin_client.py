"""The plugins' C client, compiled and driven from Python: this process is the host."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime.plugins.native_plugin import compiler

Bytes = npt.NDArray[np.uint8]

I420 = 1
_BT601, _LIMITED = 6, 1


class _Frame(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_int),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("planes", ctypes.c_void_p * 3),
        ("strides", ctypes.c_ssize_t * 3),
        ("time_ns", ctypes.c_int64),
        ("matrix", ctypes.c_uint8),
        ("range", ctypes.c_uint8),
        ("primaries", ctypes.c_uint8),
        ("transfer", ctypes.c_uint8),
        ("strength", ctypes.c_float),
        ("denoise", ctypes.c_float),
        ("before", ctypes.c_float),
        ("always", ctypes.c_bool),
        ("model", ctypes.c_char_p),
    )


_LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


class _Options(ctypes.Structure):
    _fields_ = (
        ("python", ctypes.c_char_p),
        ("patience_ms", ctypes.c_int),
        ("log", _LOG),
        ("log_context", ctypes.c_void_p),
    )


class Client:
    """The compiled client.

    Raises:
        BenchmarkError: there is no compiler, or it fails.
    """

    def __init__(self, folder: Path) -> None:
        """Compile it into a folder."""
        found, library = compiler(), folder / "client.so"
        if found is None:
            raise BenchmarkError("the plugins' client needs a C compiler; apt-get install gcc")
        with as_file(files("tapetum.realtime.plugins") / "native" / "tapetum_client.c") as source:
            words = [found, "-std=c11", "-O2", "-fPIC", "-shared", "-pthread", str(source)]
            done = subprocess.run([*words, "-o", str(library)], capture_output=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"{found} cannot compile the client: {done.stderr.decode()[:300]}")
        self._library = ctypes.CDLL(str(library))
        self._library.tapetum_open.restype = ctypes.c_void_p
        self._library.tapetum_open.argtypes = [ctypes.POINTER(_Options)]
        self._library.tapetum_close.argtypes = [ctypes.c_void_p]
        for name in ("tapetum_enhance", "tapetum_exchange"):
            function = getattr(self._library, name)
            function.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Frame)]
            function.restype = ctypes.c_bool

    @contextmanager
    def stream(self, patience_ms: int, *, exchange: bool = False) -> Iterator[ClientStream]:
        """A stream, whose frames may each take so long."""
        quiet = _LOG(lambda _context, _line: None)
        options = _Options(sys.executable.encode(), patience_ms, quiet, None)
        opened = self._library.tapetum_open(ctypes.byref(options))
        function = self._library.tapetum_exchange if exchange else self._library.tapetum_enhance
        try:
            yield ClientStream(opened, function)
        finally:
            self._library.tapetum_close(opened)


class ClientStream:
    """One video that is handed to the worker."""

    def __init__(self, opened: int, function: ctypes._NamedFuncPointer) -> None:
        """Made by `Client.stream`."""
        self._opened = opened
        self._function = function

    def __call__(
        self, planes: Sequence[Bytes], time_ns: int, *, strength: float = 1.0
    ) -> tuple[bool, float]:
        """Hand over a frame of I420, whose planes are changed in place.

        Returns:
            Whether it was enhanced, and how many seconds the call took.
        """
        height, width = planes[0].shape
        frame = _Frame(
            format=I420,
            width=width,
            height=height,
            planes=(ctypes.c_void_p * 3)(*(plane.ctypes.data for plane in planes)),
            strides=(ctypes.c_ssize_t * 3)(*(plane.strides[0] for plane in planes)),
            time_ns=time_ns,
            matrix=_BT601,
            range=_LIMITED,
            primaries=2,
            transfer=2,
            strength=strength,
        )
        begin_s = time.perf_counter()
        enhanced = bool(self._function(self._opened, ctypes.byref(frame)))
        return enhanced, time.perf_counter() - begin_s
