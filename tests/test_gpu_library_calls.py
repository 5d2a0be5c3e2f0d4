"""What is called of CuPy and NVML exists and takes what it is given.

They have no types, and most calls need a GPU.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from api_calls import Call, accepts, all_calls, calls_on
from command_line import ROOT

from tapetum.benchmarks.gpu import event_clock
from tapetum.realtime.cuda import captured_graph, device, launch_queue

FOLDERS = (
    ROOT / "realtime" / "tapetum" / "realtime" / "cuda",
    ROOT / "benchmarks" / "tapetum" / "benchmarks" / "gpu",
)
_PLACE = re.compile(r"(?:self\._(?=cupy))?(cupy|cuda|runtime|nvrtc|pynvml)((?:\.\w+)*)")
_ASKED = re.compile(r'asked\("(\w+)"')
"""How NVML is asked by name in gpu_facts.py."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is None or importlib.util.find_spec("pynvml") is None,
    reason="needs CuPy and nvidia-ml-py: pip install 'tapetum[cuda]'",
)


def calls() -> Iterator[tuple[str, str, str, Call]]:
    """File, root, attributes on the way and use of all that the GPU code takes of a library."""
    for path in (path for folder in FOLDERS for path in sorted(folder.glob("*.py"))):
        for place, call in all_calls(path):
            if match := _PLACE.fullmatch(place):
                yield path.name, match[1], match[2], call
        for name in _ASKED.findall(path.read_text()):
            yield path.name, "pynvml", "", Call(name, None, 0)


def root_of(name: str) -> Any:
    import cupy
    import pynvml

    return {
        "cupy": cupy,
        "cuda": cupy.cuda,
        "runtime": cupy.cuda.runtime,
        "nvrtc": cupy.cuda.nvrtc,
        "pynvml": pynvml,
    }[name]


def found_at(root: str, chain: str) -> Any:
    """What stands there; None for an attribute of what only a GPU gives."""
    place = root_of(root)
    for name in chain.split(".")[1:]:
        if not inspect.ismodule(place) and not inspect.isclass(place):
            return None
        place = getattr(place, name)
    return place


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
    for file, root, chain, call in found:
        owner = found_at(root, chain)
        if owner is not None:
            check(owner, call, file)


@pytest.mark.parametrize(
    ("module", "owner", "kind"),
    [
        (captured_graph, "side", "cuda.Stream.null"),
        (captured_graph, "self._graph", "cuda.Graph"),
        (launch_queue, "self._stream", "cuda.Stream.null"),
        (launch_queue, "function", "cuda.Function"),
        (device, "self._stream", "cuda.Stream.null"),
        (device, "self._uploads", "cuda.Stream.null"),
        (device, "self._downloads", "cuda.Stream.null"),
        (device, "stream", "cuda.Stream.null"),
        (device, "device", "cuda.Device"),
        (device, "self._module", "cuda.Module"),
        (device, "attributes", "cuda.runtime.PointerAttributes"),
        (event_clock, "self._stream", "cuda.Stream.null"),
        (event_clock, "begin", "cuda.Event"),
        (event_clock, "end", "cuda.Event"),
        (event_clock, "graph", "cuda.Graph"),
    ],
)
def test_what_is_asked_of_objects_exists(module: ModuleType, owner: str, kind: str) -> None:
    import cupy

    owned: Any = cupy
    for name in kind.split("."):
        owned = getattr(owned, name)
    path = Path(str(module.__file__))
    asked = calls_on(path, owner)
    assert asked
    for call in asked:
        check(owned, call, path.name)


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
