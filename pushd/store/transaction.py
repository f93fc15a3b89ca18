"""What an operation sees of a database: statements with descriptions, and events."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from pushd.model.event import Event, EventType
from pushd.model.timestamps import Now
from pushd.store.event_limiter import LIMITED, EventLimiter

if TYPE_CHECKING:
    from pushd.store.overlay import Overlay

Row = Mapping[str, Any]


@frozen
class Statement:
    """SQL with parameters (``:name`` or ``?``), and its purpose, for errors that read "Unable to <description>"."""

    description: str
    sql: str
    text: str | None = None
    """The parameter whose text may be large; if all parameters are NULL, the statement must change nothing, or fail.

    A database may keep the values that a statement was last run with, so it is run once more without any.
    """


def filtered(
    description: str, sql: str, conditions: Mapping[str, str], wanted: Mapping[str, Any]
) -> tuple[Statement, dict[str, Any]]:
    """A statement in which ``{where}`` stands for those conditions whose value is not None; and these values."""
    values = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(conditions[name] for name in values) or "TRUE"
    return Statement(description, sql.format(where=where)), values


Step = Callable[["ITransaction"], object]
"""What a transaction does right before the commit; it must not refer to the transaction, which keeps it."""


class ITransaction(Protocol):
    """A transaction, in which operations run one after the other; what one of them does is kept, or all undone."""

    @property
    def events(self) -> list[Event]:
        """The events that the running operation has recorded so far."""

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

    def record(
        self, at: int, kind: EventType, device: str | None, command: str | None, data: Mapping[str, Any]
    ) -> None:
        """Add an event, at wall milliseconds; all events of the group are written before the commit."""

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
    tx: ITransaction, now: Now, kind: EventType, device: str | None, command: str | None = None, /, **data: Any
) -> None:
    """Record an event in the transaction of the change that it is about; ``data`` that is None is left out."""
    if None in data.values():
        data = {name: value for name, value in data.items() if value is not None}
    record_data(tx, now, kind, device, command, data)


def record_data(
    tx: ITransaction, now: Now, kind: EventType, device: str | None, command: str | None, data: Mapping[str, Any]
) -> None:
    """Record an event with ``data`` as it is, unless the limit of its kind suppresses it."""
    if kind in LIMITED and device is not None and not tx.limiter.allow(device, kind, data, now.elapsed):
        return
    tx.record(now.wall, kind, device, command, data)
