"""Holds JSON to a schema, as far as the schema of results goes (a part of JSON Schema 2020-12)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
Schema = dict[str, Any]


def first_violation(value: object, schema: Schema) -> str | None:
    """Where a value is first other than its schema allows, in words; None where it never is."""
    return next(_violations(value, schema, schema, "it"), None)


def _violations(value: object, schema: Schema, root: Schema, place: str) -> Iterator[str]:
    kinds = schema.get("type")
    if kinds is not None and not any(
        _is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)
    ):
        yield f"{place} is no {kinds if isinstance(kinds, str) else ' or '.join(kinds)}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{place} is not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is none of {', '.join(schema['enum'])}"
    yield from _of_others(value, schema, root, place)
    if isinstance(value, dict):
        yield from _of_object(value, schema, root, place)
    elif isinstance(value, list):
        yield from _of_list(value, schema, root, place)
    elif _is(value, "number"):
        yield from _of_number(value, schema, place)


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool) != (kind == "boolean"):
        return False
    return isinstance(value, _TYPES[kind]) and not (
        isinstance(value, float) and not math.isfinite(value)
    )


def _of_others(value: object, schema: Schema, root: Schema, place: str) -> Iterator[str]:
    if reference := schema.get("$ref"):
        yield from _violations(value, _find(root, reference), root, place)
    for part in schema.get("allOf", ()):
        yield from _violations(value, part, root, place)
    choices = schema.get("anyOf")
    if choices and all(any(_violations(value, part, root, place)) for part in choices):
        yield f"{place} is none of what it may be"


def _find(root: Schema, reference: str) -> Schema:
    found: Any = root
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    assert isinstance(found, dict)
    return found


def _of_object(value: dict[str, object], schema: Schema, root: Schema, place: str) -> Iterator[str]:
    yield from (f"{place} lacks {name}" for name in schema.get("required", ()) if name not in value)
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, part in value.items():
        if name in known:
            yield from _violations(part, known[name], root, name)
        elif isinstance(others, dict):
            yield from _violations(part, others, root, name)
        elif not others:
            yield f"{place} has {name}, which nobody writes"


def _of_list(value: list[object], schema: Schema, root: Schema, place: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{place} has {len(value)} entries"
    if "items" in schema:
        for part in value:
            yield from _violations(part, schema["items"], root, f"an entry of {place}")


def _of_number(value: Any, schema: Schema, place: str) -> Iterator[str]:  # noqa: ANN401 - a number
    below = value < schema.get("minimum", value)
    if below or value <= schema.get("exclusiveMinimum", -math.inf):
        yield f"{place} is {value}"
