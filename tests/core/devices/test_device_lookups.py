"""Tests of devices that another process has added a moment ago, and of how often they are looked for."""

from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, fail

from pushd.config import Config
from pushd.core.devices.admission import AdmissionMode
from pushd.core.devices.device_lookups import PER_SECOND
from pushd.model.device import Device, ProofKind
from pushd.model.errors import NotPermitted, Unavailable
from pushd.store.copies import StoredDevice
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.core.conftest import HarnessBuilder
from tests.core.harness import CoreHarness, StubClient
from tests.core.test_membership import OneOfSeveral, SharedStore
from tests.results import result_of
from tests.store.clock import StoreClock
from tests.store.samples import StubResult, device

ADDED = "controlid:4408801109440198"
"""The device that another process adds."""


@define(eq=False)
class WatchedStore(SharedStore):
    """A store that other processes use, too; it notes which devices this one looks for."""

    asked: list[str] = field(factory=list, kw_only=True)
    is_away: bool = field(default=False, kw_only=True)

    def stored_device(self, device: str) -> Deferred[StoredDevice | None]:
        """Look up a device, unless the database is away."""
        self.asked.append(device)
        return fail(Unavailable("away", is_logged=True)) if self.is_away else super().stored_device(device)


@pytest.fixture
def store() -> WatchedStore:
    """The store."""
    return WatchedStore(MEMORY, now=StoreClock(), others=OneOfSeveral())


@pytest.fixture
def harness(builder: HarnessBuilder, store: WatchedStore) -> CoreHarness:
    """A core over it, which refuses unknown devices."""
    return builder.build(Config(admission=AdmissionMode.CLOSED), store=store)


def add(store: SqliteStore, **fields: Any) -> None:
    """Another process adds the device, which this one has not heard of."""
    result_of(store.add_device(device(ADDED, **fields), False))


def look_up(harness: CoreHarness, name: str) -> Device | None:
    """Look for a device; what is known of it then."""
    harness.result(harness.core.device_service.lookups.look_up(name))
    return harness.core.registry.get(name)


def test_device_of_another_process_polls(harness: CoreHarness, store: WatchedStore) -> None:
    """A device that another process has just registered is not refused here: its poll is held."""
    add(store)
    poll = harness.poll(ADDED)
    assert poll.held
    poll.disconnect()
    assert store.asked == [ADDED]


def test_proofs_of_another_process_are_required(harness: CoreHarness, store: WatchedStore) -> None:
    """The secret that another process has issued for it is required of its first poll here."""
    add(store)
    result_of(store.add_proof(ADDED, ProofKind.SECRET, b"digest", 0.0))
    poll = harness.poll(ADDED)
    harness.clock.advance(5)
    assert [failure.check(NotPermitted) for failure in poll.failures] == [NotPermitted]
    assert harness.core.registry.required_credentials[ADDED] == {ProofKind.SECRET}


def test_result_at_another_process(harness: CoreHarness, store: WatchedStore) -> None:
    """A device that has its first command from another process reports the result here, which is taken."""
    add(store)
    client, service = StubClient(), harness.core.device_service
    harness.result(service.look_up(ADDED))
    assert service.takes_result(client, ADDED)
    harness.result(service.settle(client, ADDED, StubResult(uuid="u1")))


def test_unknown_device_is_refused(harness: CoreHarness, store: WatchedStore) -> None:
    """A device that no process knows is refused, as if there was only one."""
    poll = harness.poll(ADDED)
    harness.clock.advance(5)
    assert [failure.check(NotPermitted) for failure in poll.failures] == [NotPermitted]
    assert store.asked == [ADDED]


def test_known_devices_are_not_looked_for(harness: CoreHarness, store: WatchedStore) -> None:
    """What memory has, and what can be no id of a device, is not looked for."""
    add(store)
    assert look_up(harness, ADDED) is not None
    for name in (ADDED, "controlid:not-a-number", "other:7", "7"):
        look_up(harness, name)
    assert store.asked == [ADDED]


def test_limit(harness: CoreHarness, store: WatchedStore) -> None:
    """Unknown ids are looked for so many times per second; beyond that, what memory lacks is unknown."""
    for number in range(1000):
        look_up(harness, f"controlid:{number}")
    assert len(store.asked) == PER_SECOND
    add(store)
    assert look_up(harness, ADDED) is None
    harness.clock.advance(1)
    assert look_up(harness, ADDED) is not None


def test_database_away(harness: CoreHarness, store: WatchedStore) -> None:
    """While the database is away, an unknown device is refused as unknown."""
    store.is_away = True
    poll = harness.poll(ADDED)
    harness.clock.advance(5)
    assert [failure.check(NotPermitted) for failure in poll.failures] == [NotPermitted]


def test_one_process_looks_for_nothing(builder: HarnessBuilder) -> None:
    """The only process knows all devices."""
    harness = builder.build()
    assert not harness.core.device_service.lookups.is_worth_it(ADDED)
