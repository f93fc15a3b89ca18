"""Fields of JSON request bodies: each says how its value is read, and is described by a schema.

A body is refused with one error for each field that is unknown or wrong. A null counts as a missing field, except in
merge patches.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from attrs import evolve, field, frozen

from pushd.admin.json_schema import (
    ANY_OBJECT,
    TIMESTAMP,
    Component,
    Schema,
    described,
    enum_component,
    list_of,
    nullable,
)
from pushd.lib import strict_json
from pushd.lib.ip_networks import parse_network
from pushd.model.device import MAX_TEXT
from pushd.model.errors import FieldError, InvalidFields
from pushd.model.timestamps import from_rfc3339

MAX_LIST = 64
"""Items of a list, such as networks or event types."""

_LARGEST = 1e15
"""More seconds than any field may have; a larger number is read as this one, since it might not fit a float."""

CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
PRINTABLE = f"^[^{CONTROLS}]*$"
"""A regular expression of JSON Schema cannot say more of what Python calls printable."""

Read = Callable[[object], object]
"""Converts the JSON value of a field; raises ValueError if it is wrong."""


@frozen(eq=False)
class Field:
    """A field of a body."""

    read: Read
    schema: Schema | Component
    most: int | None = None
    """Of a list: how many items it may have; ``read`` and ``schema`` are of each item."""
    text: str = ""
    """What it means."""

    def about(self, text: str) -> "Field":
        """The same field with what it means."""
        return evolve(self, text=text)

    @property
    def full_schema(self) -> Schema:
        """The schema of the whole value, with what it means."""
        whole = self.schema if self.most is None else {**list_of(self.schema), "maxItems": self.most}
        return described(whole, self.text)


Fields = Mapping[str, Field]


def list_field(item: Field, most: int = MAX_LIST) -> Field:
    """A list of such values."""
    return evolve(item, most=most)


def _exactly(kind: type, name: str, schema: Schema) -> Field:
    def read(value: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"must be {name}")
        return value

    return Field(read, schema)


ANY_TEXT = _exactly(str, "a string", {"type": "string"})
BOOLEAN = _exactly(bool, "true or false", {"type": "boolean"})
OBJECT = _exactly(dict, "an object", ANY_OBJECT)


def one_of(kind: type[StrEnum]) -> Field:
    """A member of an enum."""

    def read(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in list(kind):
            raise ValueError(f"must be one of {', '.join(kind)}")
        return kind(value)

    return Field(read, enum_component(kind))


def choice(values: Mapping[str, Any]) -> Field:
    """One of two words; read as it is."""

    def read(value: object) -> object:
        if not isinstance(value, str) or value not in values:
            raise ValueError(f"must be {' or '.join(values)}")
        return value

    return Field(read, {"type": "string", "enum": list(values)})


def text(most: int = MAX_TEXT) -> Field:
    """Printable text."""

    def read(value: object) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise ValueError(f"must be a string of at most {most} characters")
        if not value.isprintable():
            raise ValueError("must have no control characters")
        return value

    return Field(read, {"type": "string", "maxLength": most, "pattern": PRINTABLE})


TEXT = text()


def _name(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("must not be empty")
    return TEXT.read(value)


NAME = Field(
    _name,
    {
        "type": "string",
        "maxLength": MAX_TEXT,
        "pattern": rf"^[^{CONTROLS}]*[^\s{CONTROLS}][^{CONTROLS}]*$",
    },
)
"""Printable text that is not blank."""


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return float(max(-_LARGEST, min(value, _LARGEST)))


def number(least: float, most: float, remedy: str | None = None) -> Field:
    """A number, such as a duration in seconds; without ``remedy``, which follows the bounds in the message about them,
    the bounds are checked later.
    """

    def read(value: object) -> float:
        found = _number(value)
        if remedy is not None and not least <= found <= most:
            raise ValueError(f"must be {least:.15g} to {most:.15g} {remedy}")
        return found

    return Field(read, {"type": "number", "minimum": least, "maximum": most})


def whole_number(least: int, most: int, remedy: str | None = None) -> Field:
    """The same for a number without a fraction."""

    def read(value: object) -> int:
        whole = int(value) if isinstance(value, float) and value.is_integer() else value  # JSON has one kind of number
        if type(whole) is not int:
            raise ValueError("must be a whole number")
        if remedy is not None and not least <= whole <= most:
            raise ValueError(f"must be {least} to {most}{remedy}")
        return whole

    return Field(read, {"type": "integer", "minimum": least, "maximum": most})


def _timestamp(value: object) -> int:
    try:
        return from_rfc3339(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"must be an RFC 3339 time such as 2026-01-02T03:04:05Z: {error}") from None


TIME = Field(_timestamp, TIMESTAMP)


def _cidr(value: object) -> str:
    try:
        return str(parse_network(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise ValueError(f"must be a network such as 192.0.2.0/24: {error}") from None


_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV6_PREFIX = "/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$"
NETWORK = Field(
    _cidr,
    {
        "type": "string",
        "anyOf": [
            {"pattern": rf"^{_OCTET}(\.{_OCTET}){{3}}(/(3[0-2]|[12]?[0-9]))?$"},
            {"format": "ipv6"},
            {"pattern": f"^([0-9A-Fa-f]{{1,4}}:){{1,6}}:([0-9A-Fa-f]{{1,4}})?{_IPV6_PREFIX}"},
            {"pattern": f"^::([0-9A-Fa-f]{{1,4}})?{_IPV6_PREFIX}"},
            {"pattern": f"^([0-9A-Fa-f]{{1,4}}:){{7}}[0-9A-Fa-f]{{1,4}}{_IPV6_PREFIX}"},
        ],
    },
)


@frozen(kw_only=True, eq=False)
class Body:
    """A JSON object that a call takes."""

    name: str
    """Of its schema."""
    fields: Fields
    required: tuple[str, ...] = ()
    """Fields that must be there, and not null."""
    not_null: tuple[str, ...] = ()
    """Fields that may be missing, but not null."""
    rules: Schema = field(factory=dict)
    """What else its schema says."""
    example: Mapping[str, Any]
    may_be_empty: bool = False
    """Whether no body stands for an empty object."""

    @property
    def component(self) -> Component:
        """Its schema."""
        properties = {
            name: each.full_schema if name in (*self.required, *self.not_null) else _or_null(each.full_schema)
            for name, each in self.fields.items()
        }
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        needed = {"required": list(self.required)} if self.required else {}
        return Component(self.name, {**schema, **needed, **self.rules, "examples": [self.example]})


def _or_null(schema: Schema) -> Schema:
    if "allOf" in schema:  # described
        return {"anyOf": [*schema["allOf"], {"type": "null"}], "description": schema["description"]}
    return nullable(schema)


def without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body that are given."""
    return {name: value for name, value in body.items() if value is not None}


def read_fields(body: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """The fields of a body, converted.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    errors = [] if body.keys() <= fields.keys() else unknown_fields(body, fields)
    values: dict[str, Any] = {}
    for name, value in body.items():
        known = fields.get(name, _UNKNOWN)
        try:
            values[name] = known.read(value) if known.most is None else _read_items(value, known, name, errors)
        except ValueError as error:
            errors.append(FieldError(f"#/{name}", str(error)))  # the names of fields need no escaping
        except InvalidFields as error:
            errors += error.errors
    if errors:
        raise InvalidFields(errors)
    return values


_UNKNOWN = Field(lambda _value: None, {})
"""Of an unknown field, nothing more is wrong."""


def _read_items(value: object, known: Field, name: str, errors: list[FieldError]) -> tuple[object, ...]:
    """A list, each item converted; what is wrong with an item is added to ``errors``."""
    if not isinstance(value, list) or len(value) > (known.most or 0):
        raise ValueError(f"must be a list of at most {known.most} items")
    items = []
    for position, each in enumerate(value):
        try:
            items.append(known.read(each))
        except ValueError as error:
            errors.append(FieldError(f"#/{name}/{position}", str(error)))
    return tuple(items)


def unknown_fields(names: Iterable[str], fields: Fields) -> list[FieldError]:
    """An error for each of these names that no field has."""
    known = f"is not a known field; the fields here are: {', '.join(fields)}"
    return [FieldError(strict_json.below("#", name), known) for name in names if name not in fields]


def read_patch(body: Mapping[str, Any], fields: Fields) -> tuple[dict[str, Any], list[str]]:
    """A JSON merge patch: the fields that it sets, and the names of those that it resets.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    given = {name: value for name, value in body.items() if value is not None or name not in fields}
    return read_fields(given, fields), [name for name, value in body.items() if value is None]
