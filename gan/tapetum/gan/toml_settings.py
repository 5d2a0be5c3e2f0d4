"""Dataclasses as TOML and back; tables are nested dataclasses, and absent keys are None."""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from tapetum.gan.errors import TrainingError

Settings = TypeVar("Settings")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        TrainingError: the file is missing or not TOML.
    """
    try:
        return tomllib.loads(os.fsdecode(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is not a readable TOML file: {error}") from error


def to_toml(settings: object) -> str:
    """A dataclass as TOML text; settings that are None are left out."""
    return "\n".join(_lines(_plain(settings), "")) + "\n"


def from_tables(kind: type[Settings], tables: Mapping[str, Any], where: str = "") -> Settings:
    """A dataclass from tables, every value checked against the field's type.

    Raises:
        TrainingError: a key is unknown or missing, or a value is of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    unknown = tables.keys() - hints.keys()
    if unknown:
        known = ", ".join(sorted(hints))
        raise TrainingError(f"there is no setting {where}{min(unknown)}; there are {known}")
    values = {key: _value(hints[key], value, where + key) for key, value in tables.items()}
    missing = [item.name for item in _required(kind) if item.name not in values]
    if missing:
        raise TrainingError(f"the setting {where}{missing[0]} is missing")
    return kind(**values)


def _required(kind: type) -> Iterator[dataclasses.Field[Any]]:
    for item in dataclasses.fields(kind):
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            yield item


def _value(hint: Any, value: object, name: str) -> Any:  # noqa: ANN401 - any field's type
    """`value` as the type that `hint` says."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return from_tables(hint, value, f"{name}.")
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal and value in choices:
        return value
    if origin in {types.UnionType, typing.Union}:
        if value is None:
            return None
        return _value(next(choice for choice in choices if choice is not type(None)), value, name)
    if origin is tuple and isinstance(value, list | tuple) and len(value) == len(choices):
        return tuple(_value(*item, name) for item in zip(choices, value, strict=True))
    if hint in {int, float, bool, str, Path} and _is_a(hint, value):
        return hint(value)
    expected = " or ".join(map(str, choices)) if origin is typing.Literal else _type_name(hint)
    raise TrainingError(f"{name} must be {expected}, not {value!r}")


def _is_a(hint: type, value: object) -> bool:
    if isinstance(value, bool) or hint is bool:
        return hint is bool and isinstance(value, bool)
    if hint is Path:
        return isinstance(value, str | Path)
    return isinstance(value, (int, float) if hint is float else hint)


def _type_name(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _plain(settings: object) -> dict[str, Any]:
    fields = dataclasses.fields(settings)  # type: ignore[arg-type]  # callers pass dataclasses
    return {item.name: getattr(settings, item.name) for item in fields}


def _lines(table: Mapping[str, Any], name: str) -> Iterator[str]:
    nested = {key: value for key, value in table.items() if dataclasses.is_dataclass(value)}
    if name:
        yield f"\n[{name}]"
    for key, value in table.items():
        if key not in nested and value is not None:
            yield f"{key} = {_toml_value(value)}"
    for key, value in nested.items():
        yield from _lines(_plain(value), f"{name}.{key}" if name else key)


def _toml_value(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | int):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)  # TOML's basic strings are JSON's


def assignment(text: str) -> dict[str, Any]:
    """The tables of one assignment, such as `losses.pair_pixel=1.0` or `teacher=grid`.

    Text needs no quotes: a shell would take them away.

    Raises:
        TrainingError: the text is no assignment.
    """
    name, _, value = text.partition("=")
    for written in (text, f"{name} = {json.dumps(value.strip())}"):
        with suppress(ValueError):
            if value.strip():
                return tomllib.loads(written)
    raise TrainingError(f"{text!r} is no setting; write NAME=VALUE as in TOML")
