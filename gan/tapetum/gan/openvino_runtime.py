"""OpenVINO, imported without its telemetry.

Importing OpenVINO imports `openvino_telemetry`, which writes a client ID into the user's home,
starts a thread and reports to a web service unless the user has forbidden it. Where that package
is not to be found OpenVINO takes its own silent stub, so it is hidden during the import. Import
`ov` from here, and from nowhere else, and take the runtime from `core`.
"""

from __future__ import annotations

import importlib
import sys
import threading
from functools import cache
from typing import Any

_TELEMETRY = "openvino_telemetry"


def _import_quietly() -> Any:  # noqa: ANN401 - OpenVINO has no types
    if "openvino" in sys.modules or _TELEMETRY in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment] # Python's mark for "not to be found"
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[_TELEMETRY]


ov: Any = _import_quietly()


_loading = threading.Lock()


def core() -> Any:  # noqa: ANN401 - OpenVINO has no types
    """The process's one runtime, which lives as long as the process does.

    OpenVINO's CPU plugin gives the thread that loads it a signal stack, and unmaps that memory
    when the last `Core` goes, though the kernel still knows it: the next signal (Ctrl-C, the end
    of a child process) would then be a segmentation fault.
    """
    with _loading:  # two threads must not make one each, of which one would go
        return _core()


@cache
def _core() -> Any:  # noqa: ANN401
    return ov.Core()
