"""What a verb sees of a database: statements with names, and events."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen

from pushd.model.event import Event, EventType
from pushd.model.timestamps import Now

Row = Mapping[str, Any]


@frozen
class Statement:
    """A piece of SQL, with named parameters (``:name``), and what it is for: "Unable to <description>" tells a
    person.
    """

    description: str
    sql: str


class ITransaction(Protocol):
    """One verb's part of a transaction: all of it happens, or nothing."""

    @property
    def events(self) -> list[Event]:
        """What the verb has recorded so far."""

    def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Run a statement; the rows that it gives."""

    def run(self, statement: Statement, **values: Any) -> int:
        """Run a statement; how many rows it touched."""

    def run_all(self, statement: Statement, values: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement with each of these values."""

    def record(
        self, at: int, kind: EventType, device: str | None, command: str | None, data: Mapping[str, Any]
    ) -> None:
        """Add an event, at wall milliseconds; it is written with those of others before the commit."""

    def flush(self) -> None:
        """Write what was recorded, for a statement that reads events."""


def first(tx: ITransaction, statement: Statement, **values: Any) -> Row | None:
    """The first row that a statement gives, or None."""
    rows = tx.rows(statement, **values)
    return rows[0] if rows else None


def record(
    tx: ITransaction, now: Now, kind: EventType, device: str | None, command: str | None = None, /, **data: Any
) -> None:
    """Write an event in the transaction of the change that it tells; data that is None is left out."""
    if None in data.values():
        data = {name: value for name, value in data.items() if value is not None}
    tx.record(now.wall, kind, device, command, data)
