"""Holds calls that only a GPU could run against the signatures of the library that they are for."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple


class Arguments(NamedTuple):
    """What a call gives.

    Attributes:
        positional: how many arguments by place.
        keywords: the names of the others.
    """

    positional: int
    keywords: tuple[str, ...] = ()


class Call(NamedTuple):
    """A use of an attribute of an object.

    Attributes:
        name: of the attribute.
        arguments: what it is called with; None where it is not called, or that is not known.
        line: where.
    """

    name: str
    arguments: Arguments | None
    line: int


def calls_on(path: Path, owner: str) -> list[Call]:
    """What a module does with an object.

    Args:
        path: the module.
        owner: the expression that names the object, such as "self._context".
    """
    return [call for place, call in all_calls(path) if place == owner]


def all_calls(path: Path) -> list[tuple[str, Call]]:
    """Every use of an attribute in a module, with the expression that names its object."""
    tree = ast.parse(path.read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {id(node.func): _arguments(node) for node in nodes}
    return [
        (ast.unparse(node.value), Call(node.attr, called.get(id(node)), node.lineno))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    ]


def imported_calls(path: Path, libraries: Collection[str]) -> list[tuple[str, Call]]:
    """What a module imports from libraries by name, and its calls; with where it is imported from.

    Args:
        path: the module.
        libraries: names of packages; from their modules counts too.
    """
    nodes = list(ast.walk(ast.parse(path.read_text())))
    imported = [
        (node.module, Call(alias.name, None, node.lineno))
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if node.module.partition(".")[0] in libraries
    ]
    modules = {call.name: module for module, call in imported}
    return imported + [
        (modules[node.func.id], Call(node.func.id, _arguments(node), node.lineno))
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in modules
    ]


def overridden_methods(path: Path) -> list[tuple[str, Call]]:
    """The public methods of classes in a module whose base is an attribute, with the base's name.

    Their arguments are those that the base's library gives.
    """
    nodes = ast.walk(ast.parse(path.read_text()))
    return [
        (base.attr, Call(method.name, Arguments(len(method.args.args) - 1), method.lineno))
        for kind in nodes
        if isinstance(kind, ast.ClassDef)
        for base in kind.bases
        for method in kind.body
        if isinstance(base, ast.Attribute) and isinstance(method, ast.FunctionDef)
        if not method.name.startswith("_")
    ]


def takes(documentation: str, arguments: Arguments) -> bool:
    """Whether one of the signatures in a docstring of pybind11 or Cython takes these arguments."""
    found = re.findall(r"^(?:\d+\. )?[\w.]+\((.*)\)(?: -> .*)?$", documentation, re.MULTILINE)
    return any(_fits(signature, arguments) for signature in found)


def accepts(function: object, arguments: Arguments) -> bool:
    """Whether a function or a class takes these arguments, by its signature or docstring."""
    assert callable(function)
    try:
        signature = inspect.signature(function)
    except ValueError:  # compiled: what it takes stands in its docstring, if anywhere
        documentation = str(function.__doc__)
        return "(" not in documentation.partition("\n")[0] or takes(documentation, arguments)
    try:
        signature.bind(*range(arguments.positional), **dict.fromkeys(arguments.keywords))
    except TypeError:
        return False
    return True


def _arguments(node: ast.Call) -> Arguments | None:
    """What a call gives; None where it gives what it unpacks."""
    names = [keyword.arg for keyword in node.keywords]
    if None in names or any(isinstance(argument, ast.Starred) for argument in node.args):
        return None
    return Arguments(len(node.args), tuple(map(str, names)))


def _fits(signature: str, arguments: Arguments) -> bool:
    flat = re.sub(r"\[[^]]*\]|<[^>]*>", "", signature)
    parameters = [text for text in flat.split(", ") if text and not text.startswith("self")]
    star = parameters.index("*") if "*" in parameters else len(parameters)
    by_place, by_name = parameters[:star], parameters[star + 1 :]
    names = [_name(parameter) for parameter in parameters]
    given = {*names[: arguments.positional], *arguments.keywords}
    needed = {_name(each) for each in (*by_place, *by_name) if "=" not in each}
    return (
        arguments.positional <= len(by_place)
        and set(arguments.keywords) <= set(names[arguments.positional :])
        and needed <= given
    )


def _name(parameter: str) -> str:
    """Of "dtype: type = float" and of Cython's "size_t shared_mem=0"."""
    return parameter.partition(":")[0].partition("=")[0].split()[-1]
