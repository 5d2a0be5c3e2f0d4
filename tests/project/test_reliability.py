"""docs/reliability.md is the table of `support.reliability`, and each row has its test."""

from __future__ import annotations

import ast

import pytest
from support.command_line import ROOT
from support.reliability import DOCUMENT, FAULTS, Fault, page


def test_the_document_is_the_table() -> None:
    assert DOCUMENT.read_text() == page(), "write it anew: python -m support.reliability, in tests/"


def test_there_are_as_many_as_are_wanted() -> None:
    tests = [row.test for rows in FAULTS.values() for row in rows]
    assert len(tests) == len(set(tests)) >= 80


@pytest.mark.parametrize("area", FAULTS)
def test_every_row_is_shown_by_a_test(area: str) -> None:
    assert [row.what for row in FAULTS[area] if not is_there(row)] == []


def is_there(row: Fault) -> bool:
    """Whether the file of a row's test has that test."""
    file, _, name = row.test.partition("::")
    path = ROOT / "tests" / file
    if not path.is_file():
        return False
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = ast.parse(path.read_text()).body
    return any(isinstance(node, functions) and node.name == f"test_{name}" for node in body)
