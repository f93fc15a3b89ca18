"""A transaction on SQLite, and the events that are written with it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from attrs import define, field

from pushd.lib.strict_json import LARGE, write_ascii
from pushd.model.actor import Actor
from pushd.model.audit import AuditEntry
from pushd.model.errors import Unavailable
from pushd.model.event import Event, EventType
from pushd.model.timestamps import Now
from pushd.store.event_limiter import EventLimiter
from pushd.store.overlay import Overlay
from pushd.store.transaction import Row, StaleCommands, Statement, Step

_LAST_EVENT = (
    "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0) AS seq,"
    " COALESCE((SELECT name FROM epoch ORDER BY number DESC LIMIT 1), '') AS epoch"
)
_TYPE_NAMES = {kind: kind.value for kind in EventType}
"""For a StrEnum itself sqlite3 would look up an adapter; to read ``value`` takes long."""

_INTO_EVENT = "INSERT INTO event (seq, type, at, device, by, command, data, indexed) VALUES "
_VALUES = "(?, ?, ?, ?, ?, ?, ?, 0)"
_RECORD = _INTO_EVENT + _VALUES

AT_ONCE = 32
"""Events that one statement inserts: each takes half as long as with a statement of its own."""

_RECORD_MANY = _INTO_EVENT + ", ".join([_VALUES] * AT_ONCE)


@define(eq=False)
class SqliteFeed:
    """The events of one group, written together; as no other process writes, their ``seq`` are known before."""

    connection: sqlite3.Connection
    _unwritten: list[tuple[Any, ...]] = field(factory=list, init=False)
    _next: int | None = field(default=None, init=False)
    _epoch: str = field(default="", init=False)

    def add(
        self,
        at: int,
        kind: EventType,
        device: str | None,
        by: str | None,
        command: str | None,
        data: Mapping[str, Any],
    ) -> Event:
        """Add an event."""
        if self._next is None:
            row = self.connection.execute(_LAST_EVENT).fetchone()
            self._next, self._epoch = row["seq"] + 1, row["epoch"]
        event = Event(
            seq=self._next, type=kind, at=at, device=device, by=by, command=command, data=data, epoch=self._epoch
        )
        text = write_ascii(data) if data else "{}"
        self._unwritten.append((self._next, _TYPE_NAMES[kind], at, device, by, command, text))
        self._next += 1
        return event

    @property
    def last(self) -> int | None:
        """The number of the newest event; None: none was added."""
        return None if self._next is None else self._next - 1

    def take_back(self, events: Sequence[Event]) -> None:
        """Drop the events of an operation that failed; they are the latest."""
        if events:
            first = self._next = events[0].seq
            self._unwritten = [entry for entry in self._unwritten if entry[0] < first]

    def write(self) -> None:
        """Insert the events that were added."""
        if self._unwritten:
            unwritten, self._unwritten = self._unwritten, []
            first = len(unwritten) % AT_ONCE
            self.connection.executemany(_RECORD, unwritten[:first])
            for start in range(first, len(unwritten), AT_ONCE):
                self.connection.execute(_RECORD_MANY, [*chain(*unwritten[start : start + AT_ONCE])])


@define(eq=False)
class SqliteTransaction:
    """An :class:`pushd.store.transaction.ITransaction` on SQLite."""

    connection: sqlite3.Connection
    feed: SqliteFeed
    limiter: EventLimiter
    now: Now
    events: list[Event] = field(factory=list, init=False)
    """Of the operation that runs."""
    audited: list[AuditEntry] = field(factory=list, init=False)
    """What it has recorded in the audit log."""
    steps: tuple[Step, ...] = field(default=(), init=False)
    """What it has deferred."""
    actor: Actor | None = field(default=None, init=False)
    commands: Overlay = field(init=False)

    def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        try:
            return self.connection.execute(statement.sql, values).fetchall()
        except sqlite3.Error as error:
            raise _unavailable(statement.description, error) from error

    def tuples(self, statement: Statement, **values: Any) -> Iterator[Sequence[Any]]:
        cursor = self.connection.cursor()
        cursor.row_factory = None
        try:
            # not the cursor itself, which would be closed, even after its database, when this ends early
            yield from chain(cursor.execute(statement.sql, values))
        except sqlite3.Error as error:
            raise _unavailable(statement.description, error) from error

    def run(self, statement: Statement, **values: Any) -> int:
        try:
            changed = self.connection.execute(statement.sql, values).rowcount
            if statement.text is not None:
                self._drop_text(statement, values)
            return changed
        except sqlite3.Error as error:
            raise _unavailable(statement.description, error) from error

    def run_all(self, statement: Statement, values: Sequence[Any]) -> int:
        try:
            return self.connection.executemany(statement.sql, values).rowcount
        except sqlite3.Error as error:
            raise _unavailable(statement.description, error) from error

    def save_all(self, statement: Statement, values: Sequence[Any]) -> None:
        if self.run_all(statement, values) != len(values):
            raise StaleCommands

    def record(
        self,
        at: int,
        kind: EventType,
        device: str | None,
        command: str | None,
        data: Mapping[str, Any],
        by: str | None = None,
    ) -> None:
        if by is None and self.actor is not None:
            by = self.actor.name
        try:
            event = self.feed.add(at, kind, device, by, command, data)
        except sqlite3.Error as error:
            raise _unavailable("write an event", error) from error
        self.events.append(event)

    def defer(self, step: Step) -> None:
        self.steps += (step,)

    def flush(self) -> None:
        try:
            self.feed.write()
        except sqlite3.Error as error:
            raise _unavailable("write events", error) from error

    def _drop_text(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Have SQLite drop a large text: sqlite3 keeps prepared statements, and they keep a copy of their values."""
        text = values[str(statement.text)]
        if text is not None and len(text) > LARGE:
            with suppress(sqlite3.IntegrityError):
                self.connection.execute(statement.sql, dict.fromkeys(values))


def _unavailable(description: str, error: sqlite3.Error) -> Unavailable:
    """The error for a statement that failed, with what it was for."""
    return Unavailable(f"Unable to {description}: {error}")
