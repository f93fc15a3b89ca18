"""What a fleet consists of: the tables that are moved, and what belongs to one database alone and is not.

The columns are those that both schemas have; the values are those that Python's sqlite3 gives, also of PostgreSQL.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from pushd.model.timestamps import Now, milliseconds

Row = Sequence[Any]
"""The values of the columns of a table, in their order."""

TABLES = tuple(
    "device proof token token_secret person invitation session command large_text attempt orphan event audit epoch"
    " clock_set_back pending_outage presence_change alert alert_device webhook webhook_secret delivery".split()
)
"""In the order in which they are moved."""

NUMBERED = {
    "attempt": "serial",
    "orphan": "id",
    "event": "seq",
    "audit": "id",
    "epoch": "number",
    "alert": "id",
    "webhook_secret": "id",
    "delivery": "id",
}
"""The columns that are numbered; no number may be given twice, not even that of a row which was deleted."""

RENUMBERED = {"presence_change": "id"}
"""Columns whose numbers only give their rows an order."""

UNMOVED_TABLES = frozenset("schema_version transfer clock feed service node sighting rejection mail_owner".split())
"""What belongs to one database: its version, its clocks and counters, which are set, and its nodes."""

UNMOVED_COLUMNS: Mapping[str, frozenset[str]] = {
    "command": frozenset({"outcome", "indexed"}),  # follow from other columns, or belong to SQLite alone
    "attempt": frozenset({"indexed"}),
    "event": frozenset({"indexed"}),
    "device": frozenset({"revision"}),  # counted on PostgreSQL alone
    "token": frozenset({"revision"}),
    "webhook": frozenset({"owner", "owner_until"}),  # the node that delivers it
}

STEADY: Mapping[str, frozenset[str]] = {
    "command": frozenset({"lease_until", "deadline_until"}),
    "pending_outage": frozenset({"grace_until"}),
}
"""Columns with steady time, which each database has its own of."""

MAX_ROWS = 1000
MAX_BYTES = 4 * 1024 * 1024
"""What is written in one transaction, except that a larger row is written alone."""


@frozen
class Table:
    """A table as both databases have it."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    """The columns by which its rows are ordered; empty: it has few rows, which are written at once."""

    def key_of(self, row: Row) -> Row:
        """The key of a row."""
        return [row[self.columns.index(column)] for column in self.key]

    def lasting(self, row: Row) -> Row:
        """What of a row is the same in both databases."""
        steady = STEADY.get(self.name, frozenset())
        return [value for column, value in zip(self.columns, row, strict=True) if column not in steady]


def renewed(table: Table, rows: Iterable[Row], now: Now) -> Iterator[Row]:
    """The rows for a database in which it is ``now``: leases and grace periods get their whole time, and attempts what
    was left of their deadlines.
    """
    if table.name not in STEADY:
        yield from rows
        return
    for row in rows:
        values = dict(zip(table.columns, row, strict=True))
        if values.get("lease_until") is not None:
            lease, since_sent = milliseconds(values["lease"]), max(now.wall - (values["sent_at"] or now.wall), 0)
            left = max(lease, milliseconds(values["deadline"]) - since_sent)
            values |= {"lease_until": now.steady + lease, "deadline_until": now.steady + left}
        if "grace" in values:
            values["grace_until"] = now.steady + milliseconds(values["grace"])
        yield [*values.values()]


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows, as many as are written in one transaction."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        added = sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if batch and (len(batch) == MAX_ROWS or size + added > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += added
    if batch:
        yield batch
