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
