"""What is used of CuPy and NVML exists and takes what it is given, as far as can be known here.

They have no types, and most calls need a GPU. PyAV and PyTorch have types, which mypy checks.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.api_calls import Call, accepts, all_calls, calls_on, imported_calls
from support.command_line import ROOT

FOLDERS = (
    ROOT / "realtime" / "tapetum" / "realtime" / "cuda",
    ROOT / "benchmarks" / "tapetum" / "benchmarks" / "gpu",
    ROOT / "benchmarks" / "tapetum" / "benchmarks" / "measure",
)
MODULES = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.py"))}
_PLACE = re.compile(
    r"(?:self\._(?=cupy)|self\.(?=nvml)|gpu\.(?=nvml))?"
    r"(cupy|cuda|runtime|nvrtc|nvml|pynvml)((?:\.\w+)*)"
)
"""A module or class of a library, by the names that the code has for it."""
_MAKER = re.compile(r"cupy_for\(\w+\)")
_ASKED = re.compile(r'asked\("(\w+)"')
"""How NVML is asked by name in nvml.py."""

OBJECTS = {
    "captured_graph": {
        "function": "cupy.cuda.Function",
        "self._graph": "cupy.cuda.Graph",
        "self._stream": "cupy.cuda.Stream.null",
        "side": "cupy.cuda.Stream.null",
    },
    "device": {
        "attributes": "cupy.cuda.runtime.PointerAttributes",
        "cast('Any', array)": "cupy.ndarray",
        "cupy.cuda.Device(index)": "cupy.cuda.Device",
        "done": "cupy.cuda.Event",
        "module": "cupy.cuda.Module",
        "self._pool": "cupy.cuda.MemoryPool",
        "self._stream": "cupy.cuda.Stream.null",
        "stream": "cupy.cuda.Stream.null",
    },
    "clocks": {
        "begin": "cupy.cuda.Event",
        "end": "cupy.cuda.Event",
        "graph": "cupy.cuda.Graph",
        "self._stream": "cupy.cuda.Stream.null",
    },
    "nvml": {
        "memory": "pynvml.c_nvmlMemory_t",
        "rates": "pynvml.c_nvmlUtilization_t",
        "gpu.nvml.nvmlDeviceGetMemoryInfo(gpu.handle)": "pynvml.c_nvmlMemory_t",
    },
    "measurements": {"cupy.cuda.Device(self._device.index)": "cupy.cuda.Device"},
    "pipeline": {"cupy.get_default_memory_pool()": "cupy.cuda.MemoryPool"},
}
"""Module, to each object in it that is of CuPy or NVML, to what it is one of."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is None or importlib.util.find_spec("pynvml") is None,
    reason="needs CuPy and nvidia-ml-py: pip install 'tapetum[cuda]'",
)


def calls() -> Iterator[tuple[str, str, Call]]:
    """File, place in a library and use of all that the GPU code takes of one by its name."""
    for path in MODULES.values():
        for owner, call in all_calls(path):
            if place := place_of(owner):
                yield path.name, place, call
        for module, call in imported_calls(path, ("cupy", "cupyx", "pynvml")):
            yield path.name, module, call
        for name in _ASKED.findall(path.read_text()):
            yield path.name, "pynvml", Call(name, None, 0)


def place_of(owner: str) -> str | None:
    """Where an expression leads to in a library, by the names that the library has; or None."""
    match = _PLACE.fullmatch(_MAKER.sub("cupy", owner))
    if match is None:
        return None
    root = {
        "nvml": "pynvml",
        "cuda": "cupy.cuda",
        "runtime": "cupy.cuda.runtime",
        "nvrtc": "cupy.cuda.nvrtc",
    }
    return f"{root.get(match[1], match[1])}{match[2]}"


def found_at(place: str) -> Any:
    """What stands at a place in a library."""
    library, *names = place.split(".")
    found: Any = importlib.import_module(library)
    for name in names:
        found = getattr(found, name)
    return found


def check(owner: Any, call: Call, where: str) -> None:
    """Hold a use of an attribute against its owner."""
    assert hasattr(owner, call.name), f"{where}:{call.line}: there is no {call.name}"
    used = getattr(owner, call.name)
    if call.arguments is None or not callable(used):
        return
    of_class = inspect.isfunction(used) or type(used).__name__ == "cython_function_or_method"
    itself = inspect.isclass(owner) and of_class  # a method that has no object
    given = call.arguments._replace(positional=call.arguments.positional + itself)
    assert accepts(used, given), f"{where}:{call.line}: {call.name} does not take {given}"


def test_every_call_exists_and_takes_what_it_is_given() -> None:
    found = list(calls())
    assert len(found) > 60
    for file, place, call in found:
        check(found_at(place), call, file)


@pytest.mark.parametrize(
    ("module", "owner", "kind"),
    [(module, owner, kind) for module, of in OBJECTS.items() for owner, kind in of.items()],
)
def test_what_is_asked_of_objects_exists(module: str, owner: str, kind: str) -> None:
    asked = calls_on(MODULES[module], owner)
    assert asked
    for call in asked:
        check(found_at(kind), call, module)
