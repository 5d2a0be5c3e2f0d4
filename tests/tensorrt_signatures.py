"""What TensorRT's Python module has, read from its bindings alone.

`tensorrt-cu13-bindings` is TensorRT's own module without TensorRT's libraries, which are gigabytes
that only NVIDIA's index has. Importing it calls nothing in them, so empty ones do.
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
from command_line import environment

Signatures = dict[str, dict[str, str]]
"""Class, or "" for the module itself, to names, to the documentation of each."""

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
import inspect, json, tensorrt_bindings as trt
found = {"": {name: str(getattr(trt, name).__doc__) for name in dir(trt)}}
for name, kind in inspect.getmembers(trt, inspect.isclass):
    inner = inspect.getmembers(kind, inspect.isclass)
    for whole, each in ((name, kind), *((f"{name}.{part}", part_of) for part, part_of in inner)):
        found[whole] = {one: str(getattr(each, one, None).__doc__) for one in dir(each)}
print(json.dumps(found))
"""


def tensorrt_signatures(folder: Path) -> Signatures:
    """Read them; the test skips where there are no bindings, or no compiler.

    Args:
        folder: an empty one, for the empty libraries.
    """
    found: Signatures = json.loads(python_with_bindings(_REPORT, folder))
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
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment() | {"LD_LIBRARY_PATH": os.fspath(folder)},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
