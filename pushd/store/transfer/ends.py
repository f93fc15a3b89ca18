"""An end of a move: the database that a fleet leaves, or the one at which it arrives."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from attrs import frozen

from pushd.store.filters import History, Violation
from pushd.store.transactions.transfer import Transfer
from pushd.store.transfer.tables import Row, Table


@frozen(kw_only=True)
class Counters:
    """What a database keeps beside its tables; times in milliseconds."""

    last: Mapping[str, int]
    """The last number that was given, by table."""
    elapsed_behind: int
    """By how much elapsed time is behind wall time."""
    retention_from: int
    """Elapsed time before which nothing is purged."""
    history: str
    """The name of the newest epoch; empty: there is none yet."""

    @property
    def newest(self) -> History:
        """The newest epoch and event."""
        return History(self.history, self.last["event"])


class IEnd(Protocol):
    """A database; no server uses it. Errors are those of its library."""

    @property
    def name(self) -> str:
        """As messages have it, without a password."""

    def transfer(self) -> Transfer | None:
        """The mark of the database."""

    def mark(self, transfer: Transfer | None) -> None:
        """Mark the database, or (None) let servers use it."""

    def keys(self) -> Mapping[str, Sequence[str]]:
        """The columns of the key of each table; none of one that has no key."""

    def columns(self) -> Mapping[str, Sequence[str]]:
        """The columns of each table."""

    def count(self, table: str) -> int:
        """How many rows a table has."""

    def rows(self, table: Table, after: Row | None = None) -> Iterator[Row]:
        """The rows of a table behind a key (None: all), in the order of their keys; they are not read all at once."""

    def last_key(self, table: Table) -> Row | None:
        """The key of the last row; None if there are no rows."""

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, and commit."""

    def clear(self) -> None:
        """Delete the rows of all tables, and begin steady time."""

    def steady(self) -> int:
        """The steady time that counts from the next start of a server on."""

    def counters(self) -> Counters:
        """What it keeps beside the tables."""

    def set_counters(self, counters: Counters) -> None:
        """Take over what the other end keeps beside its tables."""

    def find_violations(self) -> Sequence[Violation]:
        """The inconsistencies of the database."""
