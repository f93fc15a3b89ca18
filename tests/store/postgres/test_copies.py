"""Tests of what a process keeps in memory, and another one changes."""

from collections.abc import Collection, Iterator, Mapping
from time import monotonic
from typing import Any

import psycopg
import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from pushd.model.device import Admission, ProofKind
from pushd.model.person import Person
from pushd.model.token import Role, Token
from pushd.store.copies import Copied, StoredDevice
from pushd.store.postgres.copies import read_tail
from pushd.store.postgres.listener import MAX_SILENCE
from pushd.store.postgres.reading import in_snapshot
from pushd.store.postgres.session import SessionOptions
from pushd.store.postgres.store import PostgresStore
from tests.hostile_server import reactor_in_use
from tests.postgres import ReusedDatabase
from tests.results import result_of
from tests.store.clock import new_postgres_store
from tests.store.reactor import ReactorWithManualClock
from tests.store.samples import OTHER_READER, READER


@define(eq=False)
class Notified:
    """What the copies of a process were notified, and waits for more."""

    devices: dict[str, StoredDevice | None] = field(factory=dict)
    stale: list[Copied] = field(factory=list)
    at_first: list[Copied] = field(factory=list)
    """What it was notified when it began to listen."""
    reading: list[Deferred[None]] = field(factory=list)
    """Fired by a test when what was changed is read."""
    _waiting: Deferred[None] = field(factory=Deferred)

    def change_devices(self, changed: Mapping[str, StoredDevice | None]) -> None:
        """Devices were changed."""
        self.devices.update(changed)
        if changed:
            self._go_on()

    def read_again(self, stale: Collection[Copied]) -> Deferred[None]:
        """Something else was."""
        self.stale += stale
        self.reading.append(Deferred())
        self._go_on()
        return self.reading[-1]

    def next(self) -> Deferred[None]:
        """Fires when it is notified something."""
        self._waiting = Deferred()
        return self._waiting

    def _go_on(self) -> None:
        if not self._waiting.called:
            self._waiting.callback(None)


Processes = tuple[PostgresStore, Notified, PostgresStore]
"""A process that changes something, what another one is notified, and that one."""


@pytest.fixture
def processes(postgres_database: ReusedDatabase) -> Iterator[Processes]:
    """Two stores with one database; the second has heard what it may have missed."""
    postgres_database.restore("two_devices")
    reactor: Any = ReactorWithManualClock()
    first, second = (new_postgres_store(postgres_database.url, reactor, node) for node in "ab")
    notified = Notified()
    for store in (first, second):
        store.open()
    second.keep_copies(notified)
    pytest_twisted.blockon(notified.next())
    notified.stale, notified.at_first = [], notified.stale
    yield first, notified, second
    pytest_twisted.blockon(gatherResults([first.close(), second.close()]))


async def test_everything_may_have_changed_before_it_listened(processes: Processes) -> None:
    """When a process begins to listen, it reads all of which it has copies."""
    assert set(processes[1].at_first) == set(Copied)


async def test_device(processes: Processes) -> None:
    """A change of a device, its new secret and its deletion are notified with the device as it is stored."""
    store, notified, _ = processes
    changed = notified.next()
    await store.change_device(READER, {"admission": Admission.BLOCKED})
    await changed
    stored = notified.devices[READER]
    assert stored is not None
    assert (stored.device.admission, stored.proofs) == (Admission.BLOCKED, ())
    changed = notified.next()
    await store.add_proof(OTHER_READER, ProofKind.SECRET, b"digest", 0.0)
    await changed
    stored = notified.devices[OTHER_READER]
    assert stored is not None
    assert [proof.digest for proof in stored.proofs] == [b"digest"]
    changed = notified.next()
    await store.forget_device(READER)
    await changed
    assert notified.devices[READER] is None


def test_what_was_read_before_a_later_change_of_its_own(postgres_database: ReusedDatabase) -> None:
    """What a process has read of a device is not taken over once it has itself changed the device again."""
    postgres_database.restore("two_devices")
    store, notified = new_postgres_store(postgres_database.url), Notified()
    store.open()
    store.keep_copies(notified)
    before = store._tail.known
    with SessionOptions(url=store.url, node="a", instance="1").connect() as connection:
        result_of(store.change_device(READER, {"name": "Gate"}))
        followed = read_tail(connection, in_snapshot(store.now), before)
    result_of(store.change_device(READER, {"name": "Door"}))
    store._on_followed(followed)
    assert notified.devices == {}
    result_of(store.close())


async def test_device_that_is_not_notified_yet(processes: Processes) -> None:
    """A process may look at any time how another one has stored a device, with its secrets."""
    store, _, other = processes
    await store.add_proof(READER, ProofKind.SECRET, b"digest", 0.0)
    await store.change_device(READER, {"name": "Gate"})
    stored = await other.stored_device(READER)
    assert stored is not None
    assert (stored.device.name, [proof.digest for proof in stored.proofs]) == ("Gate", [b"digest"])
    assert await other.stored_device("controlid:0") is None


async def test_look_behind_a_change_of_its_own(processes: Processes) -> None:
    """What a process reads of a device has what the process itself has changed before, also while that waits."""
    store, *_ = processes
    with psycopg.connect(store.url) as lock:
        lock.execute("LOCK TABLE device IN EXCLUSIVE MODE")
        changed = store.change_device(READER, {"name": "Gate"})
        looked = store.stored_device(READER)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'device'::regclass"
        while lock.execute(waiting).fetchone() == (0,):
            await deferLater(reactor_in_use(), 0.01)
        lock.commit()
    await changed
    stored = await looked
    assert stored is not None
    assert stored.device.name == "Gate"


async def test_principals(processes: Processes) -> None:
    """So are new tokens and people, which are then read by the process itself."""
    store, notified, _ = processes
    changed = notified.next()
    await store.add_token(Token(id="t", name="night", role=Role.VIEWER), b"digest")
    await changed
    changed = notified.next()
    await store.add_person(Person(name="ana", role=Role.VIEWER, secret="s", created_at=0))
    await changed
    assert notified.stale == [Copied.PRINCIPALS] * 2
    assert notified.devices == {}


async def test_what_is_saved_all_the_time_is_not_announced(processes: Processes) -> None:
    """That a token was used, or a session, is no change that others must know."""
    store, notified, _ = processes
    await store.save_token_uses({"t": 5})
    await store.save_session_uses({})
    changed = notified.next()
    await store.add_token(Token(id="t", name="night", role=Role.VIEWER), b"digest")
    await changed
    assert notified.stale == [Copied.PRINCIPALS]


async def test_what_was_missed_is_read_first(processes: Processes) -> None:
    """A process that hears again, after it has heard nothing for long, does not know yet what it has missed."""
    _, notified, missing = processes
    for done in notified.reading:
        done.callback(None)
    assert missing.membership().hears()
    missing._on_missed(monotonic() - MAX_SILENCE - 1)
    assert not missing.membership().hears()
    notified.reading[-1].callback(None)
    assert missing.membership().hears()
