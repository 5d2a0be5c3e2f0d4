"""Nothing scales pictures with more threads than one: swscale then spoils some, now and then."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from support.command_line import ROOT


def scaling_calls() -> Iterator[tuple[str, ast.Call]]:
    for package in ("realtime", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".reformat"):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_every_picture_is_scaled_by_one_thread() -> None:
    calls = dict(scaling_calls())
    assert len(calls) >= 5
    for place, call in calls.items():
        assert "threads" in {keyword.arg for keyword in call.keywords}, place
