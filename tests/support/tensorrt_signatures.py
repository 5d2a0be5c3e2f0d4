"""What the Python modules of TensorRT and TensorRT-RTX have.

TensorRT's are read from `tensorrt-cu13-bindings`, its own module without its libraries, which are
gigabytes that only NVIDIA's index has. Importing it calls nothing in them, so empty ones do.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import environment

Signatures = dict[str, dict[str, str]]
"""Class, or "" for the module itself, to names, to the documentation of each.

A signature heads the documentation of what is called; that of a class is its `__init__`'s.
"""

_ENTRY_POINTS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
_LIBRARIES = ("libnvinfer", "libnvinfer_plugin", "libnvonnxparser")
_REPORT = """
import inspect, json

def documentation(thing):
    head = f"{thing.__name__}{inspect.signature(thing)}\\n" if inspect.isfunction(thing) else ""
    return f"{head}{thing.__doc__}"

found = {"": {name: documentation(getattr(trt, name)) for name in dir(trt)}}
for name, kind in inspect.getmembers(trt, inspect.isclass):
    inner = inspect.getmembers(kind, inspect.isclass)
    for whole, each in ((name, kind), *((f"{name}.{part}", part_of) for part, part_of in inner)):
        found[whole] = {one: documentation(getattr(each, one, None)) for one in dir(each)}
print(json.dumps(found))
"""


def tensorrt_signatures(folder: Path) -> Signatures:
    """Those of TensorRT; the test skips where there are no bindings, or no compiler.

    Args:
        folder: an empty one, for the empty libraries.
    """
    report = f"import tensorrt_bindings as trt{_REPORT}"
    found: Signatures = json.loads(python_with_bindings(report, folder))
    return found


def tensorrt_rtx_signatures() -> Signatures:
    """Those of TensorRT-RTX; the test skips where it is not installed."""
    pytest.importorskip("tensorrt_rtx")
    found: Signatures = json.loads(_printed(f"import tensorrt_rtx as trt{_REPORT}", {}))
    return found


def python_with_bindings(code: str, folder: Path) -> str:
    """What a fresh Python prints that can import `tensorrt_bindings`, without what they call.

    TensorRT's functions give null pointers, as they do where no driver serves them.

    Args:
        code: to run.
        folder: an empty one, for the empty libraries.
    """
    compiler = shutil.which("gcc")
    if importlib.util.find_spec("tensorrt_bindings") is None or compiler is None:
        pytest.skip("needs gcc and pip install tensorrt-cu13-bindings")
    source = folder / "empty.c"
    source.write_text("".join(f"void* {name}(void) {{ return 0; }}\n" for name in _ENTRY_POINTS))
    for library in _LIBRARIES:
        for version in (10, 11):
            target = folder / f"{library}.so.{version}"
            subprocess.run([compiler, "-shared", "-fPIC", source, "-o", target], check=True)
    return _printed(code, {"LD_LIBRARY_PATH": os.fspath(folder)})


def _printed(code: str, variables: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment() | variables,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
