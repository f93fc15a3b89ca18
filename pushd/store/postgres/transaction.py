"""A transaction on PostgreSQL, and the events that are numbered right before its commit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import psycopg
from attrs import define, evolve, field
from psycopg import errors
from psycopg.rows import tuple_row

from pushd.lib.strict_json import write_ascii
from pushd.model.actor import Actor
from pushd.model.audit import AuditEntry
from pushd.model.errors import Unavailable
from pushd.model.event import Event, EventType
from pushd.model.timestamps import Now
from pushd.model.uuid7 import IdSource
from pushd.store.event_limiter import EventLimiter
from pushd.store.open_commands import OpenCommands
from pushd.store.overlay import Overlay
from pushd.store.postgres.pipeline import Request, Rows, array, exchange
from pushd.store.postgres.saving import SAVES
from pushd.store.postgres.session import Connection, Session, reason
from pushd.store.postgres.sql import to_query
from pushd.store.transaction import Row, StaleCommands, Statement, Step

T = TypeVar("T")

_NUMBER = (
    b"WITH numbered AS (UPDATE feed SET last = last + $7 RETURNING last - $7 AS base, history),"
    b" written AS (INSERT INTO event (seq, type, at, device, by, command, data)"
    b" SELECT base + place, type, at, device, by, command, data FROM numbered, unnest("
    b"$1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])"
    b" WITH ORDINALITY AS new (type, at, device, by, command, data, place))"
    b" SELECT base, history FROM numbered"
)
"""Takes numbers from the row of the feed, which stays locked until the commit, and writes events with them."""

_KINDS = ("text", "bigint", "text", "text", "text", "text")


@define(eq=False)
class PostgresFeed:
    """The events of one group. Until they are written, their ``seq`` count from 1 within the group."""

    _added: int = field(default=0, init=False)
    _numbered: int = field(default=0, init=False)
    """How many of them have a number."""
    _unwritten: list[tuple[Any, ...]] = field(factory=list, init=False)
    _base: int | None = field(default=None, init=False)
    """The last number before those of the group."""
    _epoch: str = field(default="", init=False)

    def add(self, event: Event) -> Event:
        """Add an event; returns it with its place in the group."""
        self._added += 1
        text = write_ascii(event.data) if event.data else "{}"
        self._unwritten.append((event.type.value, event.at, event.device, event.by, event.command, text))
        return evolve(event, seq=self._added)

    def mark(self) -> tuple[int, int, int | None]:
        """Where :meth:`take_back` returns to: before an operation that may fail."""
        return self._added, self._numbered, self._base

    def take_back(self, mark: tuple[int, int, int | None]) -> None:
        """Drop the events since a mark, which are rolled back if they were written."""
        added, self._numbered, self._base = mark
        left = len(self._unwritten) - (self._added - added)
        self._unwritten = self._unwritten[: max(left, 0)]
        self._added = added

    def take(self) -> Request | None:
        """What numbers the events that were added, and inserts them; its answer goes to :meth:`written`."""
        if not self._unwritten:
            return None
        unwritten, self._unwritten = self._unwritten, []
        columns = zip(_KINDS, zip(*unwritten, strict=True), strict=True)
        return Request(_NUMBER, [*(array(kind, column) for kind, column in columns), b"%d" % len(unwritten)])

    def written(self, answer: Rows) -> None:
        """All events that were added have been numbered."""
        [(before, self._epoch)] = answer
        if self._base is None:
            self._base = before - self._numbered
        self._numbered = self._added

    def numbered(self, events: Sequence[Event]) -> Sequence[Event]:
        """Events of the group as they are stored."""
        base = self._base
        if base is None:
            return events
        return [evolve(event, seq=base + event.seq, epoch=self._epoch) for event in events]

    @property
    def last(self) -> int | None:
        """The number of the last event that was written; None if there is none."""
        return None if self._base is None else self._base + self._added


@define(eq=False)
class PostgresTransaction:
    """An :class:`pushd.store.transaction.ITransaction` on PostgreSQL."""

    connection: Connection
    limiter: EventLimiter
    now: Now
    feed: PostgresFeed = field(factory=PostgresFeed, init=False)
    events: list[Event] = field(factory=list, init=False)
    """Of the operation that runs."""
    audited: list[AuditEntry] = field(factory=list, init=False)
    """What it has recorded in the audit log."""
    steps: tuple[Step, ...] = field(default=(), init=False)
    """What it has deferred."""
    actor: Actor | None = field(default=None, init=False)
    commands: Overlay = field(init=False)
    written: int = field(default=0, init=False)
    """Counts the statements that may have changed something."""
    waiting: list[Request] = field(factory=list, init=False)
    """What goes to the database with the next statement, before it."""

    def send(self) -> None:
        """Send what is waiting."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            exchange(self.connection, waiting)

    def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        try:
            self.send()
            cursor = self.connection.execute(to_query(statement), values)
            self._count(statement)
            return cursor.fetchall()
        except psycopg.Error as error:
            raise _unavailable(statement.description, error) from error

    def tuples(self, statement: Statement, **values: Any) -> Iterator[Sequence[Any]]:
        try:
            self.send()
            with self.connection.cursor(row_factory=tuple_row) as cursor:
                yield from chain(cursor.execute(to_query(statement), values))
        except psycopg.Error as error:
            raise _unavailable(statement.description, error) from error

    def run(self, statement: Statement, **values: Any) -> int:
        try:
            self.send()
            self.written += 1
            return self.connection.execute(to_query(statement), values).rowcount
        except psycopg.Error as error:
            raise _unavailable(statement.description, error) from error

    def run_all(self, statement: Statement, values: Sequence[Any]) -> int:
        if not values:
            return 0
        try:
            self.send()
            self.written += 1
            with self.connection.cursor() as cursor:
                cursor.executemany(to_query(statement), values)
                return cursor.rowcount
        except psycopg.Error as error:
            raise _unavailable(statement.description, error) from error

    def save_all(self, statement: Statement, values: Sequence[Any]) -> None:
        self.written += 1
        try:
            self.waiting.append(SAVES[statement].request(values))
        except psycopg.Error as error:
            raise _unavailable(statement.description, error) from error

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
        event = Event(seq=0, type=kind, at=at, device=device, by=by, command=command, data=data)
        self.events.append(self.feed.add(event))

    def defer(self, step: Step) -> None:
        self.steps += (step,)

    def flush(self) -> None:
        number = self.feed.take()
        if number is None:
            return
        self.written += 1
        try:
            self.send()
            [answer] = exchange(self.connection, [number])
        except psycopg.Error as error:
            raise _unavailable("write events", error) from error
        self.feed.written(answer)

    def _count(self, statement: Statement) -> None:
        if not statement.sql.startswith("SELECT"):
            self.written += 1


def _unavailable(description: str, error: psycopg.Error) -> Unavailable:
    """The error for a statement that failed, with what it was for; the cause tells whether to try again."""
    if isinstance(error, errors.DivisionByZero):  # by which a statement that saves commands says so
        return StaleCommands()
    return Unavailable(f"Unable to {description}: {reason(error)}")


def run_once(session: Session, now: Callable[[], Now], operation: Callable[..., T], *args: Any) -> T:
    """Run and commit one operation, without an executor; what it records is not delivered.

    :raises Unavailable: if that fails.
    """
    connection = session.get()
    try:
        with connection.transaction():
            tx = PostgresTransaction(connection, EventLimiter(), now())
            tx.commands = Overlay(OpenCommands(), tx, IdSource(), IdSource())
            outcome = operation(tx, *args)
            tx.commands.save()
            tx.send()
            tx.flush()
            del tx.commands  # else the two would keep each other
            return outcome
    except psycopg.Error as error:
        raise _unavailable("use the database", error) from error
