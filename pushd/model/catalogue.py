"""The catalogue of a dialect: the endpoints (controls) that its devices are known to have, as data.

It is a TOML file with one table for each endpoint. What is not in it is allowed, and treated as a write.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from attrs import Factory, field, frozen

from pushd.lib.strict_json import below
from pushd.model.command import DEFAULT_TTL, Endpoints, Payload
from pushd.model.errors import FieldError
from pushd.model.lifecycle import Delivery

ACT_TTL = 15.0
"""Seconds: what moves something must happen now, or not at all."""

UNCHECKED = "(unchecked=1 skips this check)"
"""The remedy where a device differs from what is known."""


class EndpointClass(StrEnum):
    """What an endpoint does to a device."""

    READ = "read"  # changes nothing, so it may be repeated
    WRITE = "write"  # changes what the device stores
    ACT = "act"  # moves something in the physical world, so that it must happen now or not at all


@frozen(kw_only=True)
class Defaults:
    """How a command is sent if its sender does not say; ``ttl`` in seconds."""

    delivery: Delivery = Delivery.AT_MOST_ONCE
    ttl: float = DEFAULT_TTL


_DEFAULTS = {
    EndpointClass.READ: Defaults(delivery=Delivery.AT_LEAST_ONCE),
    EndpointClass.WRITE: Defaults(),
    EndpointClass.ACT: Defaults(ttl=ACT_TTL),
}
UNLISTED = _DEFAULTS[EndpointClass.WRITE]
"""The defaults of an endpoint that is not in the catalogue."""


@frozen(kw_only=True)
class Parameter:
    """A parameter of an endpoint.

    ``name`` is a path: ``actions[].action`` is the member ``action`` of each item of the list ``actions``. ``type`` is
    one of :data:`TYPES`, or several with ``|`` between them; ``values`` are all that a device accepts.
    """

    name: str
    type: str
    required: bool = False
    meaning: str
    values: tuple[str | int, ...] | None = None
    path: tuple[str, ...] = field(
        init=False, repr=False, default=Factory(lambda self: tuple(self.name.split(".")), takes_self=True)
    )
    _texts: frozenset[str] = field(
        init=False,
        repr=False,
        default=Factory(lambda self: frozenset(str(each).lower() for each in self.values or ()), takes_self=True),
    )
    """The values as a query has them."""
    _kinds: tuple[str, ...] = field(
        init=False, repr=False, default=Factory(lambda self: tuple(self.type.split("|")), takes_self=True)
    )

    def problems(self, given: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
        """What is certainly wrong with this parameter among those that are given at ``pointer``."""
        *parents, name = self.path
        for members, place in _members(given, parents, pointer):
            at = below(place, name)
            if not isinstance(members, Mapping):
                yield FieldError(place, f"must be an object {UNCHECKED}")
            elif name in members:
                if problem := self.problem(members[name]):
                    yield FieldError(at, f"{problem} {UNCHECKED}")
            elif self.required:
                yield FieldError(at, f"is required: {self.meaning} {UNCHECKED}")

    def problem(self, value: object) -> str | None:
        """What is certainly wrong with a value of it; None if nothing is."""
        for kind in self._kinds:
            if TYPES[kind](value):
                break
        else:
            return f"must be {' or '.join(_TYPE_NAMES[kind] for kind in self._kinds)}"
        if self.values is not None and value not in self.values and str(value).lower() not in self._texts:
            return f"must be one of {', '.join(map(str, self.values))}"
        return None


def _members(value: Any, parents: Sequence[str], pointer: str) -> Iterator[tuple[Any, str]]:
    """The objects in which the last part of a path is looked up; none if a parent is missing or of a wrong type, which
    is an error of the parent.
    """
    if not parents:
        yield value, pointer
        return
    if not isinstance(value, Mapping):
        return
    name = parents[0].removesuffix("[]")
    inner, place = value.get(name), below(pointer, name)
    if parents[0] == name:
        if isinstance(inner, Mapping):
            yield from _members(inner, parents[1:], place)
    elif isinstance(inner, list):
        for index, item in enumerate(inner):
            yield from _members(item, parents[1:], below(place, index))


_WHOLE_NUMBER = re.compile(r"-?[0-9]+")


def _is_integer(value: object) -> bool:
    """Whether firmware can read it as a whole number: a query has texts, and some clients send texts in JSON."""
    if isinstance(value, bool):
        return False
    return (
        isinstance(value, int)
        or (isinstance(value, float) and value.is_integer())
        or (isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value) is not None)
    )


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, int | str) and str(value).lower() in _BOOLEANS)


_BOOLEANS = ("0", "1", "false", "true")

TYPES: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "boolean": _is_boolean,
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "any": lambda _value: True,
}
"""The types of parameters, and whether a device could read a JSON value as one."""

_TYPE_NAMES = {
    "string": "a string",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "any": "anything",
}


def _required_of(endpoint: "Endpoint") -> frozenset[str]:
    return frozenset(each.name for each in endpoint.parameters if each.required and len(each.path) == 1)


def _simple_of(endpoint: "Endpoint") -> dict[str, Parameter | None]:
    """The parameters by name; None for one that has members of its own."""
    simple: dict[str, Parameter | None] = {each.name: each for each in endpoint.parameters if len(each.path) == 1}
    return simple | {each.path[0].removesuffix("[]"): None for each in endpoint.parameters if len(each.path) > 1}


@frozen(kw_only=True)
class Endpoint:
    """An endpoint or control: what it does, its parameters, its defaults and one example of a payload."""

    name: str
    kind: EndpointClass
    summary: str
    parameters: tuple[Parameter, ...]
    models: tuple[str, ...] | None
    """The models that have it; None: as far as is known all."""
    defaults: Defaults
    example: Payload
    source: str

    _required: frozenset[str] = field(init=False, repr=False, default=Factory(_required_of, takes_self=True))
    _simple: Mapping[str, Parameter | None] = field(
        init=False, repr=False, default=Factory(_simple_of, takes_self=True)
    )

    def problems(self, given: Mapping[str, Any], pointer: str) -> Iterable[FieldError]:
        """What is certainly wrong with the parameters that are given at ``pointer``."""
        if self._is_right(given):
            return ()
        found = (problem for parameter in self.parameters for problem in parameter.problems(given, pointer))
        return dict.fromkeys(found)  # an item that is no object is wrong for each of its members

    def _is_right(self, given: Mapping[str, Any]) -> bool:
        """Whether nothing is wrong, as is usual, and as can be seen without a look into lists and objects."""
        if not self._required <= given.keys():
            return False
        simple = self._simple
        for name, value in given.items():
            if name in simple and ((parameter := simple[name]) is None or parameter.problem(value)):
                return False
        return True


@frozen
class Catalogue:
    """The endpoints of a dialect, by name."""

    endpoints: Mapping[str, Endpoint] = field(factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Catalogue":
        """Read a catalogue from TOML.

        :raises ValueError: or :exc:`KeyError`, :exc:`TypeError`, if it is not as it should be.
        """
        return cls({name: _endpoint(name, dict(table)) for name, table in tomllib.loads(text).items()})

    def defaults(self, called: Endpoints) -> Defaults:
        """How a command that calls these endpoints is sent, if its sender does not say.

        Of several, the shortest time to live counts, and it is repeated only if each of them may be.
        """
        if isinstance(called, str):
            known = self.endpoints.get(called)
            return UNLISTED if known is None else known.defaults
        found = [self.defaults(name) for name in called]
        may_repeat = all(each.delivery is Delivery.AT_LEAST_ONCE for each in found)
        return Defaults(
            delivery=Delivery.AT_LEAST_ONCE if may_repeat else Delivery.AT_MOST_ONCE,
            ttl=min(each.ttl for each in found),
        )


def _endpoint(name: str, table: dict[str, Any]) -> Endpoint:
    kind = EndpointClass(table.pop("class"))
    usual = _DEFAULTS[kind]
    models = table.pop("models", None)
    return Endpoint(
        name=name,
        kind=kind,
        defaults=Defaults(
            delivery=Delivery(table.pop("delivery", usual.delivery)), ttl=float(table.pop("ttl", usual.ttl))
        ),
        parameters=tuple(_parameter(each) for each in table.pop("parameters", ())),
        models=None if models is None else tuple(models),
        **table,
    )


def _parameter(table: dict[str, Any]) -> Parameter:
    values = table.pop("values", None)
    parameter = Parameter(values=None if values is None else tuple(values), **table)
    if unknown := set(parameter.type.split("|")) - TYPES.keys():
        raise ValueError(f"unknown type {unknown.pop()}")
    return parameter
