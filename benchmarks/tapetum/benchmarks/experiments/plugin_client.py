"""The plugins' C client, compiled and driven from Python: this process is the host."""

from __future__ import annotations

import ctypes
import subprocess
import sys
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
        with (
            as_file(files("tapetum.realtime.plugins") / "native") as native,
            as_file(files("tapetum.benchmarks.experiments") / "timed_client.c") as timed,
        ):
            sources = [f"-I{native}", str(native / "tapetum_client.c"), str(timed)]
            words = [found, "-std=c11", "-O2", "-fPIC", "-shared", "-pthread", *sources]
            done = subprocess.run([*words, "-o", str(library)], capture_output=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"{found} cannot compile the client: {done.stderr.decode()[:300]}")
        self._library = ctypes.CDLL(str(library))
        self._library.timed_open.restype = ctypes.c_void_p
        self._library.timed_open.argtypes = [ctypes.c_char_p, ctypes.c_int]
        self._library.tapetum_close.argtypes = [ctypes.c_void_p]
        self._library.timed_call.restype = ctypes.c_bool
        self._library.timed_call.argtypes = [
            *(ctypes.c_void_p, ctypes.POINTER(_Frame), ctypes.c_bool),
            ctypes.POINTER(ctypes.c_int64),
        ]
        self._library.timed_sleep_ns.restype = ctypes.c_int64
        self._library.timed_sleep_ns.argtypes = [ctypes.c_int64]

    @contextmanager
    def stream(self, patience_ms: int, *, exchange: bool = False) -> Iterator[ClientStream]:
        """A stream, whose frames may each take so long."""
        opened = self._library.timed_open(sys.executable.encode(), patience_ms)
        try:
            yield ClientStream(opened, self._library.timed_call, exchange=exchange)
        finally:
            self._library.tapetum_close(opened)

    def sleep(self, wanted_s: float) -> float:
        """Sleep; gives how many seconds that took."""
        return 1e-9 * int(self._library.timed_sleep_ns(round(1e9 * wanted_s)))


class ClientStream:
    """One video that is handed to the worker."""

    def __init__(self, opened: int, function: ctypes._NamedFuncPointer, *, exchange: bool) -> None:
        """Made by `Client.stream`."""
        self._opened = opened
        self._function = function
        self._exchange = exchange

    def __call__(
        self, planes: Sequence[Bytes], time_ns: int, *, strength: float = 1.0
    ) -> tuple[bool, float]:
        """Hand over a frame of I420, whose planes are changed in place.

        Returns:
            Whether it was enhanced, and how many seconds the call took, without Python's part.
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
        took_ns = ctypes.c_int64()
        enhanced = self._function(
            self._opened, ctypes.byref(frame), self._exchange, ctypes.byref(took_ns)
        )
        return bool(enhanced), 1e-9 * took_ns.value
