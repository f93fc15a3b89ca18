"""Stores of each kind; every test that takes ``store`` runs over all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from pushd.model.event import Event
from pushd.model.timestamps import Now
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.store.samples import DOOR, GATE, at, device


def _in_memory(folder: Path) -> SqliteStore:
    return SqliteStore(path=MEMORY)


def _on_this_thread(folder: Path) -> SqliteStore:
    return SqliteStore(path=str(folder / "pushd.sqlite"))


def _with_threads(folder: Path) -> SqliteStore:
    from twisted.internet import reactor

    return SqliteStore(path=str(folder / "pushd.sqlite"), reactor=reactor)  # type: ignore[arg-type]


KINDS: dict[str, Callable[[Path], IStore]] = {
    "memory": _in_memory,
    "file": _on_this_thread,
    "threads": _with_threads,
}


@define(eq=False)
class Shelf:
    """The place where a test's store is kept, from which it can be taken again after it was closed."""

    make: Callable[[], IStore]
    store: IStore = field(init=False)
    _open: bool = field(default=False, init=False)

    def open(self, now: Now) -> StartupSnapshot:
        """Start."""
        self.store = self.make()
        known: StartupSnapshot = self.store.open(now)
        self._open = True
        return known

    def close(self) -> Deferred[None]:
        """Stop, unless that was done."""
        if not self._open:
            return succeed(None)
        self._open = False
        closed: Deferred[None] = self.store.close()
        return closed

    async def restart(self, now: Now) -> StartupSnapshot:
        """Stop, and start again as a new process does."""
        await self.close()
        return self.open(now)


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a kind of store."""
    name: str = request.param
    return name


@pytest.fixture
def shelf(kind: str, tmp_path: Path) -> Iterator[Shelf]:
    """A place for a store; not opened yet."""
    shelf = Shelf(lambda: KINDS[kind](tmp_path))
    yield shelf
    pytest_twisted.blockon(shelf.close())


@pytest.fixture
def empty(shelf: Shelf) -> IStore:
    """A store that knows nothing yet."""
    shelf.open(at())
    return shelf.store


@pytest.fixture
def store(empty: IStore) -> IStore:
    """A store that knows two approved devices."""
    for name in (DOOR, GATE):
        pytest_twisted.blockon(empty.add_device(device(name), False, at()))
    return empty


@pytest.fixture
def events(store: IStore) -> list[Event]:
    """What the store has told since the test began."""
    events: list[Event] = []
    store.subscribe(events.append)
    return events
