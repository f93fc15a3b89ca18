"""The tables of a simulated Control iD device: users, cards, groups and the other objects of its API."""

from collections.abc import Sequence
from functools import partial

from attrs import define, field

from pushd.simulator.controlid.query import (
    EVERYTHING,
    Condition,
    LocalApiError,
    Record,
    Where,
    conditions_of,
    matches,
    parse_where,
)

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
    "alarm_logs",
    "devices",
    "doors",
    "group_access_rules",
    "user_access_rules",
    "portal_access_rules",
    "access_rule_time_zones",
    "holidays",
    "user_roles",
    "pins",
    "qrcodes",
    "uhf_tags",
)
"""The kinds of object that a device has; it rejects any other."""


@define(eq=False)
class Tables:
    """Objects of every kind by ``id``; the device assigns an id to an object that has none."""

    _records: dict[str, dict[int, Record]] = field(factory=lambda: {kind: {} for kind in KINDS}, init=False)

    def load(self, kind: object, where: object = None) -> list[Record]:
        """Copies of the objects of a kind that match ``where``; of all, if it is empty.

        A condition on another kind is one on a related object: one that has this object's id, or whose id it has.
        """
        conditions = parse_where(str(kind), where) if where else EVERYTHING
        return [dict(record) for record in self._select(kind, conditions)]

    def create(self, kind: object, values: Sequence[Record]) -> list[int]:
        """Add objects, all or none; returns their ids."""
        table = self._table(kind)
        updated = dict(table)
        ids = [_add(updated, record) for record in values]
        table.update(updated)
        return ids

    def create_or_modify(self, kind: object, values: Sequence[Record]) -> int:
        """Add objects, or change those whose ids there are, all or none; returns how many there were."""
        table = self._table(kind)
        updated = dict(table)
        for record in values:
            record_id = record.get("id")
            if isinstance(record_id, int) and not isinstance(record_id, bool) and record_id in updated:
                updated[record_id] = updated[record_id] | record
            else:
                _add(updated, record)
        table.update(updated)
        return len(values)

    def modify(self, kind: object, values: Record, where: object = None) -> int:
        """Change the objects that match ``where``, but not their ids; returns how many there were."""
        records = self._select(kind, self._own_conditions(kind, where))
        for record in records:
            record.update({**values, "id": record["id"]})
        return len(records)

    def destroy(self, kind: object, where: object = None) -> int:
        """Remove the objects that match ``where``; returns how many there were."""
        records = self._select(kind, self._own_conditions(kind, where))
        for record in records:
            del self._table(kind)[record["id"]]
        return len(records)

    def _own_conditions(self, kind: object, where: object) -> Where:
        if where is None:
            return EVERYTHING
        parsed = parse_where(str(kind), where)
        if any(condition.kind != kind for condition in conditions_of(parsed)):
            raise LocalApiError("where must name the object and its fields")
        return parsed

    def _select(self, kind: object, where: Where) -> list[Record]:
        for condition in conditions_of(where):
            self._table(condition.kind)
        records = self._table(kind).values()
        return [record for record in records if matches(where, partial(self._holds, str(kind), record))]

    def _holds(self, kind: str, record: Record, condition: Condition) -> bool:
        if condition.kind == kind:
            return condition.holds(record)
        own_key, other_key = _foreign_key(kind), _foreign_key(condition.kind)
        return any(
            condition.holds(other)
            for other in self._table(condition.kind).values()
            if record["id"] == other.get(own_key) or other["id"] == record.get(other_key)
        )

    def _table(self, kind: object) -> dict[int, Record]:
        if not isinstance(kind, str) or kind not in self._records:
            raise LocalApiError("unknown kind of object")
        return self._records[kind]


def _foreign_key(kind: str) -> str:
    """The field in which other objects name one of this kind: ``user_id`` for users."""
    return f"{kind.removesuffix('s')}_id"


def _add(table: dict[int, Record], record: Record) -> int:
    record_id = record.get("id", max(table, default=0) + 1)
    if not isinstance(record_id, int) or isinstance(record_id, bool):
        raise LocalApiError("an id must be an integer")
    if record_id in table:
        raise LocalApiError(f"the id {record_id} is taken")
    table[record_id] = {"id": record_id} | record
    return record_id
