"""Tests of how OpenVINO is imported: alone, each time in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("openvino")


def _said(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


_IMPORT = "import sys; from tapetum.gan.openvino_runtime import openvino; module = openvino(); "


def test_neither_telemetry_nor_the_converter_is_imported() -> None:
    names = "'openvino_telemetry', 'openvino.tools.ovc'"
    assert _said(f"{_IMPORT}print([n for n in ({names}) if n in sys.modules])") == "[]"


def test_other_code_of_the_process_finds_the_converter() -> None:
    code = f"{_IMPORT}from openvino import convert_model; print(convert_model.__name__)"
    assert _said(code) == "convert_model"
    code = f"{_IMPORT}import openvino.tools.ovc; print(openvino.tools.ovc.convert_model.__name__)"
    assert _said(code) == "convert_model"


def test_what_openvino_lacks_it_still_lacks() -> None:
    assert _said(f"{_IMPORT}print(hasattr(module, 'convert_modle'))") == "False"


def test_openvino_imported_by_others_is_left_as_it_is() -> None:
    code = "import openvino; before = dict(vars(openvino)); "
    assert _said(f"{code}{_IMPORT}print(vars(module) == before)") == "True"


def test_a_machine_without_any_runtime_is_told_so_in_one_line() -> None:
    """As one with a GPU may be."""
    code = """
import sys
sys.modules["openvino"] = sys.modules["onnxruntime"] = None
from tapetum.gan.errors import ModelError
from tapetum.realtime import make_enhancer
try:
    make_enhancer("grid", device="cpu")
except ModelError as error:
    print(error)
"""
    says = "the CPU needs OpenVINO or ONNX Runtime, and neither is installed: pip install openvino"
    assert _said(code) == says
