"""What is called of CuPy and NVML exists: they have no types, and most calls need a GPU."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from command_line import ROOT

FOLDERS = (
    ROOT / "realtime" / "tapetum" / "realtime" / "cuda",
    ROOT / "benchmarks" / "tapetum" / "benchmarks" / "gpu",
)
_CALL = re.compile(r"(?<![\w.])(?:self\._(?=cupy))?(cupy|cuda|runtime|nvrtc|pynvml)((?:\.\w+)+)")
_ASKED = re.compile(r'asked\("(\w+)"')
"""How NVML is asked by name in gpu_facts.py."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is None or importlib.util.find_spec("pynvml") is None,
    reason="needs CuPy and nvidia-ml-py: pip install 'tapetum[cuda]'",
)


def calls() -> Iterator[tuple[str, str, str]]:
    """File, root and attributes of everything that is taken of a library in the GPU code."""
    for path in (path for folder in FOLDERS for path in sorted(folder.glob("*.py"))):
        text = path.read_text()
        yield from ((path.name, root, chain) for root, chain in _CALL.findall(text))
        yield from ((path.name, "pynvml", f".{name}") for name in _ASKED.findall(text))


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


def test_every_name_exists() -> None:
    found = list(calls())
    assert len(found) > 40
    for file, root, chain in found:
        place = root_of(root)
        for name in chain.split(".")[1:]:
            assert hasattr(place, name), f"{file}: {root}{chain} does not exist"
            place = getattr(place, name)
            if not inspect.ismodule(place) and not inspect.isclass(place):
                break  # what a call gives back is known on a GPU alone


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
