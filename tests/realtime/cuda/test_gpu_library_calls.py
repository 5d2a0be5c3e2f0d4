"""What is used of CuPy and NVML exists and takes what it is given, and every use is looked at.

They have no types, and most calls need a GPU. PyAV and PyTorch have types, which mypy checks.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.api_calls import Call, accepts, all_calls, calls_on, imported_calls
from support.command_line import ROOT

FOLDERS = (
    ROOT / "realtime" / "tapetum" / "realtime" / "cuda",
    ROOT / "benchmarks" / "tapetum" / "benchmarks" / "gpu",
)
MODULES = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.py"))}
_PLACE = re.compile(r"(?:self\._(?=cupy))?(cupy|cuda|runtime|nvrtc|pynvml)((?:\.\w+)*)")
"""A module or class of a library, by the names that the code has for it."""
_MAKER = re.compile(r"cupy_for\(\w+\)")
_ASKED = re.compile(r'asked\("(\w+)"')
"""How NVML is asked by name in gpu_facts.py."""

OBJECTS = {
    "captured_graph": {"self._graph": "cupy.cuda.Graph", "side": "cupy.cuda.Stream.null"},
    "device": {
        "attributes": "cupy.cuda.runtime.PointerAttributes",
        "cast('Any', array)": "cupy.ndarray",
        "device": "cupy.cuda.Device",
        "self._downloads": "cupy.cuda.Stream.null",
        "self._module": "cupy.cuda.Module",
        "self._stream": "cupy.cuda.Stream.null",
        "self._uploads": "cupy.cuda.Stream.null",
        "stream": "cupy.cuda.Stream.null",
    },
    "event_clock": {
        "begin": "cupy.cuda.Event",
        "end": "cupy.cuda.Event",
        "graph": "cupy.cuda.Graph",
        "self._stream": "cupy.cuda.Stream.null",
    },
    "gpu_facts": {
        "memory": "pynvml.c_nvmlMemory_t",
        "pynvml.nvmlDeviceGetMemoryInfo(handle)": "pynvml.c_nvmlMemory_t",
    },
    "kernel_compiler": {},
    "launch_queue": {"function": "cupy.cuda.Function", "self._stream": "cupy.cuda.Stream.null"},
    "measurements": {"cupy.cuda.Device(self._device.index)": "cupy.cuda.Device"},
    "pipeline": {"cupy.get_default_memory_pool()": "cupy.cuda.MemoryPool"},
}
"""Module, to each object in it that is of CuPy or NVML, to what it is one of."""

OTHERS = {
    "captured_graph": {"arguments", "queue", "self", "threading"},
    "device": {"array", "npt", "self", "self._queue", "source", "source.dtype", "target"},
    "event_clock": {"device", "self", "self._device"},
    "gpu_facts": {"answer"},
    "kernel_compiler": {
        *("resources", "resources.files('tapetum.realtime.cuda')", "text", "text.strip()"),
        "resources.files('tapetum.realtime.cuda').joinpath('kernels.cu')",
    },
    "launch_queue": {"KernelNode", "self", "self.nodes", "super()"},
    "measurements": {
        *("self", "self._choices", "self._device", "choose_engine(self._device.index)"),
    },
    "pipeline": {
        *("clock", "device", "enhance", "opened", "opened.frames", "rows", "tempfile", "time"),
        *("torch", "torch.cuda"),
    },
}
"""The other objects of these modules, of which attributes are used."""

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
    root = {"cuda": "cupy.cuda", "runtime": "cupy.cuda.runtime", "nvrtc": "cupy.cuda.nvrtc"}
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
    itself = inspect.isclass(owner) and inspect.isfunction(used)  # a method that has no object
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


@pytest.mark.parametrize("module", OBJECTS)
def test_every_object_of_a_library_is_looked_at(module: str) -> None:
    owners = {owner for owner, _ in all_calls(MODULES[module])}
    others = {owner for owner in owners if place_of(owner) is None}
    assert others == OBJECTS[module].keys() | OTHERS[module]


def test_no_other_module_touches_a_library() -> None:
    touching = {Path(file).stem for file, _, _ in calls()}
    given = {name for name, path in MODULES.items() if ": CuPyObject" in path.read_text()}
    assert touching | given == set(OBJECTS)


def test_a_call_that_does_not_exist_is_caught(tmp_path: Path) -> None:
    import cupy

    code = tmp_path / "wrong.py"
    wrong = (
        "cupy.emptied((2, 2))",
        "cupy.asnumpy(1, strm=2)",
        "cupy.asnumpy(1, 2, 3, 4, 5)",
        "cupy.from_dlpack(1, 2)",
    )
    code.write_text("\n".join((*wrong, "cupy.asnumpy(1, stream=2, out=3)", "cupy.empty((2, 2))")))
    caught = []
    for call in calls_on(code, "cupy"):
        try:
            check(cupy, call, code.name)
        except AssertionError:
            caught.append(call.line)
    assert caught == [1, 2, 3, 4]


def test_what_is_imported_from_a_library_is_looked_at(tmp_path: Path) -> None:
    code = tmp_path / "wrong.py"
    code.write_text("from cupyx import empty_pinned, pinned\nempty_pinned(1, order=2, more=3)\n")
    found = imported_calls(code, ("cupyx",))
    assert [(module, call.name) for module, call in found] == [
        ("cupyx", "empty_pinned"),
        ("cupyx", "pinned"),
        ("cupyx", "empty_pinned"),
    ]
    check(found_at("cupyx"), found[0][1], code.name)
    for _, call in found[1:]:
        with pytest.raises(AssertionError, match=r"wrong\.py:[12]: "):
            check(found_at("cupyx"), call, code.name)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("memcpy2DAsync", ["dst", "dpitch", "src", "spitch", "width", "height", "kind", "stream"]),
        ("setDevice", ["device"]),
        ("deviceGetPCIBusId", ["device"]),
        ("memGetInfo", []),
    ],
)
def test_arguments_are_in_the_order_in_which_they_are_given(
    name: str, parameters: list[str]
) -> None:
    from cupy.cuda import runtime

    signature = str(getattr(runtime, name).__doc__).splitlines()[0]
    inside = signature[signature.index("(") + 1 : signature.rindex(")")]
    names = [part.split()[-1] for part in inside.split(",") if part.strip()]
    assert names == parameters


def test_streams_can_be_captured_and_made_of_others() -> None:
    from cupy.cuda import Event, Graph, Stream

    for kind, names in {
        Stream: ("from_external", "begin_capture", "end_capture", "synchronize"),
        Event: ("record",),
        Graph: ("launch",),
    }.items():
        for name in names:
            assert callable(getattr(kind, name)), f"{kind.__name__}.{name}"
