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
"""The kinds of object that a device has; it rejects any other."""

Record = dict[str, Any]


class LocalApiError(Exception):
    """The device rejects a command; the message is what it reports as ``error``."""


@define(eq=False)
class Tables:
    """Objects of every kind by ``id``; the device assigns an id to an object that has none."""

    _records: dict[str, dict[int, Record]] = field(factory=lambda: {kind: {} for kind in KINDS}, init=False)

    def load(self, kind: object, where: object = None) -> list[Record]:
        """Copies of the objects of a kind that match ``where``; of all, if it is None."""
        return [dict(record) for record in self._select(kind, where)]

    def create(self, kind: object, values: Sequence[Record]) -> list[int]:
        """Add objects, all or none; returns their ids."""
        table = self._table(kind)
        updated = dict(table)
        ids = [_add(updated, record) for record in values]
        table.update(updated)
        return ids

    def modify(self, kind: object, values: Record, where: object = None) -> int:
        """Change the objects that match ``where``, but not their ids; returns how many there were."""
        records = self._select(kind, where)
        for record in records:
            record.update({**values, "id": record["id"]})
        return len(records)

    def destroy(self, kind: object, where: object = None) -> int:
        """Remove the objects that match ``where``; returns how many there were."""
        records = self._select(kind, where)
        for record in records:
            del self._table(kind)[record["id"]]
        return len(records)

    def _select(self, kind: object, where: object) -> list[Record]:
        records = self._table(kind).values()
        conditions = _conditions(kind, where)
        return [record for record in records if _matches(record, conditions)]

    def _table(self, kind: object) -> dict[int, Record]:
        if not isinstance(kind, str) or kind not in self._records:
            raise LocalApiError("unknown kind of object")
        return self._records[kind]


def _add(table: dict[int, Record], record: Record) -> int:
    record_id = record.get("id", max(table, default=0) + 1)
    if not isinstance(record_id, int) or isinstance(record_id, bool):
        raise LocalApiError("an id must be an integer")
    if record_id in table:
        raise LocalApiError(f"the id {record_id} is taken")
    table[record_id] = {"id": record_id} | record
    return record_id


def _conditions(kind: object, where: object) -> Mapping[str, Any]:
    """The fields that ``where`` requires of ``kind``: ``{"users": {"id": 7}}``, with a value or a list of values."""
    if where is None:
        return {}
    conditions = where.get(kind) if isinstance(where, dict) else None
    if not isinstance(conditions, dict):
        raise LocalApiError("where must name the object and its fields")
    return conditions


def _matches(record: Record, conditions: Mapping[str, Any]) -> bool:
    return all(
        record.get(name) in required if isinstance(required, list) else record.get(name) == required
        for name, required in conditions.items()
    )
