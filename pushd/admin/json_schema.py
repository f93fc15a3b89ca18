"""JSON Schema (2020-12) of what the API takes and shows, made from the classes of the values."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from attrs import fields, frozen, resolve_types

Schema = Mapping[str, Any]
"""A JSON Schema; it may contain objects of :class:`Component`."""

_SCALARS: Mapping[type, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}

ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
TIMESTAMP: Schema = {"type": "string", "format": "date-time"}


@frozen(eq=False)
class Component:
    """A schema with a name, which stands once in the document."""

    name: str
    schema: Schema


DIALECT = Component("DialectName", {"type": "string"})
"""The name of a dialect; the document lists those that the server has."""

PAYLOAD = Component("Payload", {})
"""What a device is to do; the document lists those of the dialects that the server has."""

RESULT = Component("Result", {})
"""What a device reports; likewise."""


def named(schema: Schema) -> Component:
    """The component of a schema with a ``title``, in which ``anyOf`` may list others."""
    parts = [named(each) if "title" in each else each for each in schema.get("anyOf", ())]
    rest = {name: each for name, each in schema.items() if name != "title"}
    return Component(schema["title"], rest | ({"anyOf": parts} if parts else {}))


def enum_component(kind: type[StrEnum]) -> Component:
    """The values of an enum."""
    return Component(
        kind.__name__, {"type": "string", "enum": list(kind), "description": cleandoc(kind.__doc__ or "")}
    )


def nullable(schema: Schema | Component) -> Schema:
    """Also null."""
    if isinstance(schema, Component) or not isinstance(schema.get("type"), str):
        return {"anyOf": [schema, {"type": "null"}]}
    widened = {**schema, "type": [schema["type"], "null"]}
    return widened if "enum" not in schema else {**widened, "enum": [*schema["enum"], None]}


def schema_of(annotation: Any) -> Schema | Component:
    """The JSON of a value with this type.

    :raises TypeError: if it has none.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (Any, object):
        return {}
    if origin is Literal:
        return {"type": "string", "enum": [*arguments]}
    if origin in (Union, UnionType):
        return _union([each for each in arguments if each is not NoneType], is_nullable=NoneType in arguments)
    kind = origin or annotation
    if isinstance(kind, type):
        if issubclass(kind, StrEnum):
            return enum_component(kind)
        if kind in _SCALARS:
            return _SCALARS[kind]
        if issubclass(kind, Mapping):
            return {"type": "object", "additionalProperties": schema_of(arguments[1]) if arguments else True}
        if issubclass(kind, Sequence | frozenset):
            return list_of(schema_of(arguments[0]))
    raise TypeError(f"{annotation} has no JSON Schema")


def _union(kinds: Sequence[Any], *, is_nullable: bool) -> Schema | Component:
    schemas = [schema_of(each) for each in kinds]
    one: Schema | Component = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return nullable(one) if is_nullable else one


def list_of(item: Schema | Component) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": item}


def object_of(properties: Mapping[str, Schema | Component], description: str = "") -> Schema:
    """An object with all of these properties, and no others."""
    return {
        "type": "object",
        **({"description": description} if description else {}),
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def described(schema: Schema | Component, description: str) -> Schema:
    """A schema with what it means here."""
    if isinstance(schema, Component):
        return {"allOf": [schema], "description": description}
    return {**schema, "description": description}


def annotations(kind: type) -> Mapping[str, Any]:
    """The types of the fields of an attrs class."""
    return {field.name: field.type for field in fields(resolve_types(kind))}
