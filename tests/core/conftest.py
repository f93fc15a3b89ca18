"""Cores of which nothing may be left behind."""

from collections.abc import Iterator

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.core.harness import CONTAINER, READER, Rooms, build_rooms
from tests.stepped import SteppedLane, SteppedStore


@define(eq=False)
class Site:
    """Where a test has its cores built; at its end they are stopped, and must hold nothing then."""

    clock: Clock
    built: list[Rooms] = field(factory=list, init=False)

    def build(self, config: Config | None = None, jitter: float = 0.0, store: SqliteStore | None = None) -> Rooms:
        """A core that knows a device of each dialect, over a store that does at once what it is asked for."""
        rooms = build_rooms(self.clock, config or Config(), jitter, store or SqliteStore(MEMORY))
        self.built.append(rooms)
        rooms.register(READER)
        rooms.register(CONTAINER)
        return rooms

    def clear(self) -> None:
        """Stop all that was built."""
        for rooms in self.built:
            rooms.core.drain()
            rooms.run()
            assert len(rooms.core.poll_registry) == 0
            rooms.result(rooms.core.store.close())


@pytest.fixture
def site(clock: Clock) -> Iterator[Site]:
    """For tests that choose their options."""
    site = Site(clock)
    yield site
    site.clear()


@pytest.fixture
def rooms(site: Site) -> Rooms:
    """A core with the options that it has unless somebody chooses others."""
    return site.build()


@pytest.fixture
def store() -> SteppedStore:
    """A store that works only when the test says so."""
    return SteppedStore()


@pytest.fixture
def stepped(site: Site, store: SteppedStore) -> Rooms:
    """A core over that store."""
    return site.build(store=store)


@pytest.fixture
def lane(stepped: Rooms, store: SteppedStore) -> SteppedLane:
    """What makes the store of the ``stepped`` core work."""
    return store.lane
