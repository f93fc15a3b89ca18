"""Queries on the tables of a simulated Control iD device: ``where``, ``order``, ``limit``, ``offset`` and ``fields``.

``where`` is an object, ``{"users": {"id": {">=": 1}}}``, all of whose conditions must hold, or a list of conditions,
``[{"object": "users", "field": "id", "operator": ">", "value": 0, "connector": ") AND ("}]``, each of which says how
it is combined with the next one. As in SQL, AND binds more tightly than OR, and parentheses most tightly.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from attrs import frozen

Record = dict[str, Any]

COUNT = "COUNT(*)"
"""The field with which the web page of a device asks for the number of objects."""

_DIRECTIONS = ("ascending", "descending")
_CONNECTOR = re.compile(r"(\))?\s*(AND|OR)\s*\(?", re.IGNORECASE)


class LocalApiError(Exception):
    """The device rejects a command; the message is what it reports as ``error``."""


@frozen
class Condition:
    """What a field of an object must satisfy."""

    kind: str
    """The kind of object that has the field."""
    field: str
    operator: str
    value: object

    def holds(self, record: Record) -> bool:
        """Whether an object satisfies it."""
        return _OPERATORS[self.operator](record.get(self.field), self.value)


Group = Sequence[Sequence[Condition]]
"""What stands in one pair of parentheses: alternatives; in one of them all conditions must hold."""

Where = Sequence[Sequence[Group]]
"""Alternatives; in one of them all groups must hold."""

EVERYTHING: Where = ((),)


def parse_where(kind: str, where: object) -> Where:
    """The conditions in ``where``, in either form, for objects of this kind.

    :raises LocalApiError: if they are invalid, or there are none.
    """
    if isinstance(where, list) and where:
        return _parse_list(kind, where)
    if not isinstance(where, dict) or not where or not all(isinstance(fields, dict) for fields in where.values()):
        raise LocalApiError("where must name the object and its fields")
    conditions = [
        condition
        for name, fields in where.items()
        for field, required in fields.items()
        for condition in _parse_field(name, field, required)
    ]
    return [[[conditions]]]


def _parse_field(kind: str, field: str, required: object) -> Iterator[Condition]:
    if isinstance(required, list):
        yield _condition(kind, field, "IN", required)
    elif isinstance(required, dict):
        for name, value in required.items():
            yield _condition(kind, field, name, value)
    else:
        yield _condition(kind, field, "=", required)


def _parse_list(kind: str, where: list[object]) -> Where:
    alternatives: list[list[list[list[Condition]]]] = [[[[]]]]
    connector = "AND"
    for entry in where:
        if not isinstance(entry, dict) or not isinstance(entry.get("field"), str):
            raise LocalApiError("each condition in where must name a field")
        _connect(alternatives, connector)
        condition = _condition(
            entry.get("object", kind), entry["field"], entry.get("operator", "="), entry.get("value")
        )
        alternatives[-1][-1][-1].append(condition)
        connector = entry.get("connector") or "AND"
    return alternatives


def _connect(alternatives: list[list[list[list[Condition]]]], connector: object) -> None:
    """Begin what stands after ``connector``; the one of the last condition counts for nothing."""
    match = _CONNECTOR.fullmatch(connector.strip()) if isinstance(connector, str) else None
    if match is None:
        raise LocalApiError(f"unknown connector {connector!a}")
    in_parentheses, is_or = match[1] is not None, match[2].upper() == "OR"
    if in_parentheses and is_or:
        alternatives.append([[[]]])
    elif in_parentheses:
        alternatives[-1].append([[]])
    elif is_or:
        alternatives[-1][-1].append([])


def conditions_of(where: Where) -> Iterator[Condition]:
    """All conditions, in their order."""
    for groups in where:
        for group in groups:
            for conditions in group:
                yield from conditions


def matches(where: Where, holds: Callable[[Condition], bool]) -> bool:
    """Whether ``where`` is satisfied, if ``holds`` says it of a condition."""
    return any(all(any(all(map(holds, conditions)) for conditions in group) for group in groups) for groups in where)


def _condition(kind: object, field: str, name: object, value: object) -> Condition:
    spelled = " ".join(name.upper().split()) if isinstance(name, str) else ""
    if spelled not in _OPERATORS:
        raise LocalApiError(f"unknown operator {name!a}")
    if not isinstance(kind, str):
        raise LocalApiError("unknown kind of object")
    return Condition(kind, field, spelled, value)


def sort_and_cut(records: Sequence[Record], given: Mapping[str, object]) -> Sequence[Record]:
    """The records in the ``order`` that is given, from ``offset`` on, and at most ``limit``; without a limit, as on a
    device, there is no offset.

    :raises LocalApiError: if one of them is invalid.
    """
    order, join = given.get("order") or [], given.get("join", "INNER")
    if not isinstance(order, list) or not isinstance(join, str) or join.upper() not in ("INNER", "LEFT"):
        raise LocalApiError("order must be a list, and join INNER or LEFT")
    names = [_field_name(entry) for entry in order]
    fields = [name for name in names if name not in _DIRECTIONS]
    directions = [name for name in names if name in _DIRECTIONS]
    if fields:
        is_descending = directions[-1:] == ["descending"]
        records = sorted(
            records, key=lambda record: [_sort_key(record.get(name)) for name in fields], reverse=is_descending
        )
    limit, offset = (_count(given, name) for name in ("limit", "offset"))
    return records if limit is None else records[offset or 0 :][:limit]


def select_fields(record: Record, names: object) -> Record:
    """The named fields of a record; all fields, without names."""
    if not isinstance(names, list) or not names:
        return record
    return {name: record[name] for name in map(_field_name, names) if name in record}


def _field_name(entry: object) -> str:
    name = entry.get("field") if isinstance(entry, dict) else entry
    if not isinstance(name, str):
        raise LocalApiError("a field must be a name, or an object with one")
    return name


def _count(given: Mapping[str, object], name: str) -> int | None:
    number = _number(given.get(name))
    if given.get(name) is None:
        return None
    if not isinstance(number, int) or number < 0:
        raise LocalApiError(f"{name} must be a whole number")
    return number


def _number(value: object) -> int | float | None:
    """The number that a value is, or whose text it is."""
    if isinstance(value, int):
        return int(value)
    for convert in (int, float):
        try:
            number = convert(value) if isinstance(value, str | float) else None
        except (ValueError, OverflowError):
            continue
        if number is not None and (convert is float or isinstance(value, str)) and isfinite(number):
            return number
    return None


def _sort_key(value: object) -> tuple[int, float, str]:
    """Nothing before numbers before text, as in SQLite."""
    number = _number(value)
    if number is not None:
        return 1, number, ""
    return (0, 0, "") if value is None else (2, 0, str(value))


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    """A comparison of numbers, or of texts; a text of digits is a number, and nothing compares with nothing."""

    def compare(left: object, right: object) -> bool:
        if left is None or right is None:
            return False
        numbers = _number(left), _number(right)
        return holds(str(left), str(right)) if None in numbers else holds(*numbers)

    return compare


_equal = _compare(operator.eq)


def _is(left: object, right: object) -> bool:
    return (left is None and right is None) or _equal(left, right)


def _in(left: object, right: object) -> bool:
    return isinstance(right, list) and any(_equal(left, value) for value in right)


def _like(left: object, right: object) -> bool:
    if left is None or not isinstance(right, str):
        return False
    pattern = re.sub(r"[*?[]", r"[\g<0>]", right).replace("%", "*").replace("_", "?")
    return fnmatchcase(str(left).casefold(), pattern.casefold())


def _not(holds: Callable[[object, object], bool]) -> Callable[[object, object], bool]:
    return lambda left, right: left is not None and not holds(left, right)


_OPERATORS: Mapping[str, Callable[[object, object], bool]] = {
    "=": _equal,
    "==": _equal,
    "!=": _not(_equal),
    "<>": _not(_equal),
    ">": _compare(operator.gt),
    ">=": _compare(operator.ge),
    "<": _compare(operator.lt),
    "<=": _compare(operator.le),
    "IN": _in,
    "NOT IN": _not(_in),
    "LIKE": _like,
    "NOT LIKE": _not(_like),
    "IS": _is,
    "IS NOT": lambda left, right: not _is(left, right),
}
