"""The clock and the ids of a store under test: both are what the test says."""

from typing import Any, TypeVar

from attrs import define, field

from pushd.core.clocks import Clocks
from pushd.model.timestamps import Now
from pushd.model.uuid7 import IdSource
from pushd.store.device_indexes import BATCH
from pushd.store.interface import IStore
from pushd.store.operations import Operations
from pushd.store.postgres.store import PostgresStore
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.store.samples import at, command_id

S = TypeVar("S", bound=IStore)


@define(eq=False)
class StoreClock:
    """The clock of a store; it stands still until the test sets it."""

    now: Now = field(factory=at)

    def __call__(self) -> Now:
        """The time, as the test set it."""
        return self.now


def when(store: S, now: Now) -> S:
    """The store, at this time: its clock is set."""
    clock = _operations(store).now
    assert isinstance(clock, StoreClock)
    clock.now = now
    return store


def _operations(store: IStore) -> Operations:
    assert isinstance(store, Operations)
    return store


def numbered(store: S, number: int) -> S:
    """The store, whose next command gets this number."""
    ids = _operations(store).ids
    assert isinstance(ids, NumberedIds)
    ids.next = number
    return store


@define(eq=False)
class NumberedIds(IdSource):
    """Makes the ids of the commands 1, 2, 3 and so on: see :func:`tests.store.samples.command_id`."""

    next: int = 1

    def after(self, last: str | None) -> None:
        """Go on behind the greatest number of an earlier process."""
        if last is not None and last[:24] == command_id(0)[:24]:  # not of data that something else has made
            self.next = int(last[24:]) + 1

    def make(self, now: int) -> str:
        """The id of the next number."""
        self.next += 1
        return command_id(self.next - 1)


def new_store(path: str = MEMORY, reactor: Any = None, index_batch: int = BATCH) -> SqliteStore:
    """A store that is not open yet, with a clock and numbered ids."""
    return SqliteStore(path, reactor, now=StoreClock(), ids=NumberedIds(), index_batch=index_batch)


def new_postgres_store(url: str, reactor: Any = None, node: str = "a") -> PostgresStore:
    """The same on PostgreSQL."""
    return PostgresStore(url, reactor, node, now=StoreClock(), ids=NumberedIds())


def follow(store: SqliteStore, clocks: Clocks) -> None:
    """Let a store that is not open yet follow the clocks of a server, and make the ids that it makes."""
    store.now, store.uptime, store.ids = clocks.now, clocks.uptime, IdSource()
