"""What an operation sees of a database: statements with descriptions, and events."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from attrs import field, frozen

from pushd.model.actor import Actor
from pushd.model.audit import AuditEntry
from pushd.model.errors import Unavailable
from pushd.model.event import Event, EventType
from pushd.model.timestamps import Now
from pushd.store.event_limiter import LIMITED, EventLimiter

if TYPE_CHECKING:
    from pushd.store.overlay import Overlay

T = TypeVar("T")

Row = Mapping[str, Any]


@frozen
class Statement:
    """SQL with parameters (``:name`` or ``?``), and its purpose, for errors that read "Unable to <description>"."""

    description: str
    sql: str
    postgres: str | None = field(default=None, kw_only=True)
    """The SQL for PostgreSQL, where it cannot be the same."""
    text: str | None = None
    """The parameter whose text may be large; if all parameters are NULL, the statement must change nothing, or fail.

    A database may keep the values that a statement was last run with, so it is run once more without any.
    """


def filtered(
    description: str,
    sql: str,
    conditions: Mapping[str, str],
    wanted: Mapping[str, Any],
    postgres: str | None = None,
) -> tuple[Statement, dict[str, Any]]:
    """A statement in which ``{where}`` stands for those conditions whose value is not None; and these values."""
    values = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(conditions[name] for name in values) or "TRUE"
    postgres = None if postgres is None else postgres.format(where=where)
    return Statement(description, sql.format(where=where), postgres=postgres), values


Step = Callable[["ITransaction"], object]
"""What a transaction does right before the commit; it must not refer to the transaction, which keeps it."""


class StaleCommands(Unavailable):
    """What memory knows of commands is not what the database has."""

    def __init__(self) -> None:
        super().__init__("Unable to save commands: they were changed by another program.")


class ITransaction(Protocol):
    """A transaction, in which operations run one after the other; what one of them does is kept, or all undone."""

    now: Now
    """When it began; of one that starts a process, elapsed time is continued in it."""

    @property
    def events(self) -> list[Event]:
        """The events that the running operation has recorded so far."""

    actor: Actor | None
    """For whom the operation runs; None: for a device, or the server itself."""

    audited: list[AuditEntry]
    """What the running operation has recorded in the audit log."""

    @property
    def commands(self) -> "Overlay":
        """The commands, on which rules decide."""

    @property
    def limiter(self) -> EventLimiter:
        """Decides which of the events that a device causes are written."""

    def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Run a statement and return its rows."""

    def tuples(self, statement: Statement, **values: Any) -> Iterator[Sequence[Any]]:
        """Run a statement and read its rows one by one, as tuples: for those that may have very many."""

    def run(self, statement: Statement, **values: Any) -> int:
        """Run a statement and return how many rows it changed."""

    def run_all(self, statement: Statement, values: Sequence[Any]) -> int:
        """Run a statement once for each of these values; returns how many rows it changed together."""

    def save_all(self, statement: Statement, values: Sequence[Any]) -> None:
        """Run a statement of :mod:`.command_rows` once for each of these values, before any other statement runs, at
        the latest before the commit.

        :raises StaleCommands: then or now, if it changes no row for one of them: something else has changed it.
        """

    def record(
        self,
        at: int,
        kind: EventType,
        device: str | None,
        command: str | None,
        data: Mapping[str, Any],
        by: str | None = None,
    ) -> None:
        """Add an event, at wall milliseconds, caused by the actor unless ``by`` names another; all events of the group
        are written before the commit.
        """

    def defer(self, step: "Step") -> None:
        """Call ``step`` with this transaction right before the commit, off the reactor's thread: it may take long.

        If it fails, nothing is committed. Other operations of the group do not see what it changes.
        """

    def flush(self) -> None:
        """Write the recorded events now, for a statement that reads them."""


def first(tx: ITransaction, statement: Statement, **values: Any) -> Row | None:
    """The first row of a statement, or None."""
    rows = tx.rows(statement, **values)
    return rows[0] if rows else None


def record(
    tx: ITransaction,
    kind: EventType,
    device: str | None,
    command: str | None = None,
    by: str | None = None,
    /,
    **data: Any,
) -> None:
    """Record an event in the transaction of the change that it is about; ``data`` that is None is left out."""
    if None in data.values():
        data = {name: value for name, value in data.items() if value is not None}
    record_data(tx, kind, device, command, data, by)


def record_data(
    tx: ITransaction,
    kind: EventType,
    device: str | None,
    command: str | None,
    data: Mapping[str, Any],
    by: str | None = None,
) -> None:
    """Record an event with ``data`` as it is, unless the limit of its kind suppresses it."""
    if kind in LIMITED and device is not None and not tx.limiter.allow(device, kind, data, tx.now.elapsed):
        return
    tx.record(tx.now.wall, kind, device, command, data, by)


def act(tx: ITransaction, actor: Actor, operation: Callable[..., T], *args: Any) -> T:
    """The operation that runs another one for an actor."""
    tx.actor = actor
    try:
        return operation(tx, *args)
    finally:
        tx.actor = None


_TOUCH = Statement("write to the database", "UPDATE schema_version SET checked = checked + 1")


def touch(tx: ITransaction) -> None:
    """Change something: a transaction without a change would be committed even on a full disk."""
    tx.run(_TOUCH)
