"""Holds calls that only a GPU could run against the signatures of the library that they are for."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple


class Call(NamedTuple):
    """A use of an attribute of an object.

    Attributes:
        name: of the attribute.
        arguments: how many it is called with; None where it is not called, or that is not known.
        line: where.
    """

    name: str
    arguments: int | None
    line: int


def calls_on(path: Path, owner: str) -> list[Call]:
    """What a module does with an object.

    Args:
        path: the module.
        owner: the expression that names the object, such as "self._context".
    """
    tree = ast.parse(path.read_text())
    called = {
        id(node.func): len(node.args) + len(node.keywords)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and not any(isinstance(argument, ast.Starred) for argument in node.args)
    }
    return [
        Call(node.attr, called.get(id(node)), node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == owner
    ]


def takes(documentation: str, arguments: int) -> bool:
    """Whether one of the signatures in a pybind11 docstring takes that many arguments."""
    signatures = re.findall(r"^(?:\d+\. )?\w+\((.*)\) -> ", documentation, re.MULTILINE)
    return any(_fits(signature, arguments) for signature in signatures)


def _fits(signature: str, arguments: int) -> bool:
    flat = re.sub(r"\[[^]]*\]|<[^>]*>", "", signature)
    parameters = [text for text in flat.split(", ") if not text.startswith("self:")]
    needed = sum("=" not in parameter for parameter in parameters)
    return needed <= arguments <= len(parameters)
