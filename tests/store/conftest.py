"""Stores of each kind; a test that takes ``store`` runs on each of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from pushd.model.event import Event
from pushd.model.timestamps import Now
from pushd.store.filters import NO_OPTIONS, StartOptions, StartupSnapshot
from pushd.store.interface import IStore
from pushd.store.sqlite.store import SqliteStore
from tests.postgres import PostgresServer, ReusedDatabase
from tests.store.clock import new_postgres_store, new_store, when
from tests.store.reactor import ReactorWithManualClock
from tests.store.samples import OTHER_READER, READER, at, device

FILE = "pushd.sqlite"


def _in_memory(folder: Path) -> SqliteStore:
    return new_store(index_batch=3)  # the others have nothing in their indexes of devices


def _on_this_thread(folder: Path) -> SqliteStore:
    return new_store(str(folder / FILE))


def _with_threads(folder: Path) -> SqliteStore:
    return new_store(str(folder / FILE), reactor=_reactor())


def _reactor() -> Any:
    return ReactorWithManualClock()


KINDS: dict[str, Callable[[Path], IStore]] = {
    "memory": _in_memory,
    "file": _on_this_thread,
    "threads": _with_threads,
}

POSTGRES_KINDS: dict[str, Callable[[str], IStore]] = {
    "postgres": lambda url: new_postgres_store(url, _reactor()),
}


def _add_devices(store: IStore) -> None:
    for name in (READER, OTHER_READER):
        pytest_twisted.blockon(store.add_device(device(name), False))


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with two approved devices, to be copied: to create one takes ten times as long."""
    folder = tmp_path_factory.mktemp("database")
    store = _on_this_thread(folder)
    store.open()
    _add_devices(store)
    store.close()
    return folder / FILE


@pytest.fixture(scope="session")
def postgres_database(postgres_server: PostgresServer) -> Iterator[ReusedDatabase]:
    """A database on PostgreSQL with the states ``empty`` and ``two_devices``."""
    with postgres_server.database() as url:
        database = ReusedDatabase(url)
        store = new_postgres_store(url)
        store.open()
        database.save("empty")
        _add_devices(store)
        database.save("two_devices")
        pytest_twisted.blockon(store.close())
        yield database


@define(eq=False)
class StoreUnderTest:
    """A store that a test can close and open again."""

    make: Callable[[], IStore]
    store: IStore = field(init=False)
    _open: bool = field(default=False, init=False)

    def open(self, now: Now, options: StartOptions = NO_OPTIONS) -> StartupSnapshot:
        """Open the store."""
        self.store = self.make()
        snapshot: StartupSnapshot = when(self.store, now).open(options)
        self._open = True
        return snapshot

    def close(self) -> Deferred[None]:
        """Close the store, unless it is closed."""
        if not self._open:
            return succeed(None)
        self._open = False
        closed: Deferred[None] = self.store.close()
        return closed

    async def restart(self, now: Now) -> StartupSnapshot:
        """Close the store, and open it as a new process does."""
        await self.close()
        return self.open(now)


@pytest.fixture(params=[*KINDS, *POSTGRES_KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a kind of store."""
    name: str = request.param
    return name


@pytest.fixture
def under_test(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StoreUnderTest]:
    """A store that is not open yet."""
    if kind in KINDS:
        under_test = StoreUnderTest(lambda: KINDS[kind](tmp_path))
        yield under_test
        pytest_twisted.blockon(under_test.close())
        return
    database: ReusedDatabase = request.getfixturevalue("postgres_database")
    database.restore("two_devices" if "store" in request.fixturenames else "empty")
    under_test = StoreUnderTest(lambda: POSTGRES_KINDS[kind](database.url))
    yield under_test
    pytest_twisted.blockon(under_test.close())


@pytest.fixture
def empty(under_test: StoreUnderTest) -> IStore:
    """An open store with nothing in it."""
    under_test.open(at())
    return under_test.store


@pytest.fixture
def store(under_test: StoreUnderTest, kind: str, database: Path, tmp_path: Path) -> IStore:
    """An open store with two approved devices."""
    if kind == "memory":
        under_test.open(at())
        _add_devices(under_test.store)
    elif kind in POSTGRES_KINDS:
        under_test.open(at())
    else:
        copy(database, tmp_path / FILE)
        under_test.open(at())
    return under_test.store


@pytest.fixture
def events(store: IStore) -> list[Event]:
    """The events since the test began."""
    events: list[Event] = []
    store.subscribe(events.append)
    return events
