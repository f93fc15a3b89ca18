"""The tables of a simulated Control iD device: users, cards, groups and the other objects of its API."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

KINDS = (
    "users",
    "groups",
    "user_groups",
    "cards",
    "templates",
    "access_rules",
    "areas",
    "portals",
    "time_zones",
    "time_spans",
    "access_logs",
)
"""The objects that a device knows; it refuses any other."""

Row = dict[str, Any]


class Refused(Exception):
    """The device will not do what it was asked; the message is what it reports as ``error``."""


@define(eq=False)
class Tables:
    """Rows of every kind, each with an ``id`` that the device gives where it was not told one."""

    _rows: dict[str, dict[int, Row]] = field(factory=lambda: {kind: {} for kind in KINDS}, init=False)

    def load(self, kind: object, where: object = None) -> list[Row]:
        """Copies of the rows of a kind that ``where`` picks; of all, if it is None."""
        return [dict(row) for row in self._pick(kind, where)]

    def create(self, kind: object, values: Sequence[Row]) -> list[int]:
        """Add rows, all or none; the ids that they have now."""
        table = self._table(kind)
        grown = dict(table)
        ids = [_add(grown, row) for row in values]
        table.update(grown)
        return ids

    def modify(self, kind: object, values: Row, where: object = None) -> int:
        """Change the rows that ``where`` picks, but never their ids; how many there were."""
        rows = self._pick(kind, where)
        for row in rows:
            row.update({**values, "id": row["id"]})
        return len(rows)

    def destroy(self, kind: object, where: object = None) -> int:
        """Remove the rows that ``where`` picks; how many there were."""
        rows = self._pick(kind, where)
        for row in rows:
            del self._table(kind)[row["id"]]
        return len(rows)

    def _pick(self, kind: object, where: object) -> list[Row]:
        rows = self._table(kind).values()
        conditions = _conditions(kind, where)
        return [row for row in rows if _meets(row, conditions)]

    def _table(self, kind: object) -> dict[int, Row]:
        if not isinstance(kind, str) or kind not in self._rows:
            raise Refused("there is no such object")
        return self._rows[kind]


def _add(table: dict[int, Row], row: Row) -> int:
    name = row.get("id", max(table, default=0) + 1)
    if not isinstance(name, int) or isinstance(name, bool):
        raise Refused("an id must be an integer")
    if name in table:
        raise Refused(f"the id {name} is taken")
    table[name] = {"id": name} | row
    return name


def _conditions(kind: object, where: object) -> Mapping[str, Any]:
    """The part of ``where`` that is about ``kind``: ``{"users": {"id": 7}}``, with a value or a list of them."""
    if where is None:
        return {}
    conditions = where.get(kind) if isinstance(where, dict) else None
    if not isinstance(conditions, dict):
        raise Refused("where must name the object and its fields")
    return conditions


def _meets(row: Row, conditions: Mapping[str, Any]) -> bool:
    return all(
        row.get(name) in wanted if isinstance(wanted, list) else row.get(name) == wanted
        for name, wanted in conditions.items()
    )
