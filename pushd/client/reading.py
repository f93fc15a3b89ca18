"""Reads JSON as frozen attrs values, by the types of their fields."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from attrs import NOTHING, fields, has, resolve_types

from pushd.client.errors import UnexpectedAnswer

T = TypeVar("T")
Reader = Callable[[object], Any]

_SCALARS = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}


def read(kind: type[T], value: object) -> T:
    """A value of an attrs class from a JSON object; members that the class does not have are left out.

    :raises UnexpectedAnswer: if a member is missing, or has another type.
    """
    try:
        found: T = _reader(kind)(value)  # type: ignore[arg-type]  # a class can be hashed
    except ValueError as error:
        raise UnexpectedAnswer(f"this is not the JSON of {kind.__name__}: {error}") from None
    return found


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    :raises UnexpectedAnswer: if there is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UnexpectedAnswer("this is not a JSON object; is it the admin port of pushd?")
    return value


@cache
def _reader(kind: Any) -> Reader:
    """What reads a value of a type, or raises ValueError."""
    if kind is Any:
        return lambda value: value
    if kind is datetime:
        return _read_time
    if has(kind):
        return _object_reader(kind)
    arguments = get_args(kind)
    if get_origin(kind) is UnionType:  # only ever with None
        return _optional_reader(*(_reader(each) for each in arguments if each is not NoneType))
    if get_origin(kind) is tuple:
        return _list_reader(_reader(arguments[0]))
    if get_origin(kind) is Mapping:
        return _mapping_reader(_reader(arguments[1]))
    return _scalar_reader(kind)


def _read_time(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("must be a time")
    return datetime.fromisoformat(value).astimezone(UTC)


def _scalar_reader(kind: type) -> Reader:
    def read_scalar(value: object) -> object:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise ValueError(f"must be {_SCALARS[kind]}")
        return value

    return read_scalar


def _optional_reader(read_value: Reader) -> Reader:
    return lambda value: None if value is None else read_value(value)


def _list_reader(read_item: Reader) -> Reader:
    def read_list(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError("must be a list")
        return tuple(read_item(each) for each in value)

    return read_list


def _mapping_reader(read_member: Reader) -> Reader:
    def read_mapping(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("must be an object")
        return {name: _read_at(name, read_member, each) for name, each in value.items()}

    return read_mapping


def _object_reader(kind: type) -> Reader:
    resolve_types(kind)
    named = {field.name.rstrip("_"): field for field in fields(kind)}  # from_: `from` is a keyword
    members = {name: (field.name, _reader(field.type)) for name, field in named.items()}
    required = {name for name, field in named.items() if field.default is NOTHING}

    def read_value(value: object) -> Any:
        if not isinstance(value, dict):
            raise ValueError("must be an object")
        if missing := required - value.keys():
            raise ValueError(f"{min(missing)} is missing")
        given = ((name, *members[name]) for name in members.keys() & value.keys())
        return kind(**{field: _read_at(name, read_member, value[name]) for name, field, read_member in given})

    return read_value


def _read_at(name: str, read_member: Reader, value: object) -> Any:
    try:
        return read_member(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
