"""Tests of the offline detector when the store fails, when checks are late, and with many devices."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.clocks import Clocks
from pushd.core.devices.offline_detector import BATCH_SIZE, MARKED_TOGETHER
from pushd.model.device import PresenceState
from pushd.model.errors import Unavailable
from pushd.periodic import PeriodicTask
from pushd.wiring import build_core
from tests.core.conftest import HarnessBuilder
from tests.core.harness import CONTAINER, EPOCH, READER, CoreHarness, Wall
from tests.stepped import SteppedExecutor
from tests.store.clock import follow, new_store
from tests.store.samples import OPEN_ALERTS
from tests.token_file import MemoryTokenFile

T = TypeVar("T")

TIMEOUT = 120
MANY = 3000


def miss_timeout(stepped: CoreHarness) -> "Deferred[None]":
    """Let a reader poll, disconnect and miss its timeout; returns the check whose transaction is not committed yet."""
    stepped.poll(READER).disconnect()
    stepped.run()
    stepped.pass_time(TIMEOUT - 1)
    stepped.clock.advance(1)
    return stepped.start(stepped.core.detect_offline())


def online_events(harness: CoreHarness) -> list[str]:
    """The online and offline events of the reader."""
    return [kind for kind in harness.event_types(READER) if kind in ("device.online", "device.offline")]


def observe_turns(harness: CoreHarness, observe: Callable[[], T]) -> list[T]:
    """What ``observe`` returns in each reactor turn during a check, and after it."""
    check = harness.start(harness.core.detect_offline())
    observed: list[T] = []

    def turn() -> None:
        observed.append(observe())
        if not check.called:
            harness.clock.callLater(0, turn)

    turn()
    harness.clock.advance(0)
    harness.result(check)
    return observed


def scheduled(harness: CoreHarness, seconds: int) -> list[str]:
    """The devices whose checks are due within so many seconds; this removes them."""
    wheel = harness.core.presence.wheel
    wheel.turn_to(harness.core.clocks.steady() + seconds)
    found: list[str] = []
    while wheel.has_expired:
        found += [entry.device for entry in wheel.take(BATCH_SIZE)[1]]
    return found


def test_a_poll_during_the_commit_makes_the_device_online(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A device that polls while its offline state is being saved is offline for a moment, then online."""
    check = miss_timeout(stepped)
    stepped.poll(READER)
    stepped.result(check)
    assert online_events(stepped) == ["device.online", "device.offline", "device.online"]
    assert stepped.stored(READER).presence is PresenceState.ONLINE
    assert stepped.device(READER).presence is PresenceState.ONLINE


def test_a_device_that_returned_during_the_commit_is_checked_again(
    stepped: CoreHarness, executor: SteppedExecutor
) -> None:
    """The next outage of that device is detected like the first."""
    check = miss_timeout(stepped)
    stepped.poll(READER).disconnect()
    stepped.result(check)
    stepped.pass_time(TIMEOUT - 1)
    assert stepped.device(READER).presence is PresenceState.ONLINE
    stepped.pass_time(1)
    assert stepped.device(READER).presence is PresenceState.OFFLINE


def test_an_outage_is_saved_when_the_store_is_available_again(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """If the store is unavailable, a device is marked offline when it is available again, and only once."""
    for _ in range(3):
        check = miss_timeout(stepped) if not online_events(stepped) else stepped.start(stepped.core.detect_offline())
        executor.fail()
        with pytest.raises(Unavailable):
            stepped.result(check)
        assert stepped.device(READER).presence is PresenceState.ONLINE
        stepped.clock.advance(1)
    stepped.pass_time(2)
    assert online_events(stepped) == ["device.online", "device.offline"]
    assert stepped.stored(READER).presence is PresenceState.OFFLINE


def test_a_device_that_returns_before_it_is_saved_was_never_offline(
    stepped: CoreHarness, executor: SteppedExecutor
) -> None:
    """A device that polls before its offline state could be saved has no outage."""
    check = miss_timeout(stepped)
    stepped.poll(READER).disconnect()
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(check)
    stepped.pass_time(TIMEOUT - 1)
    assert online_events(stepped) == ["device.online"]


def test_a_device_that_signs_off_before_it_is_saved(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A device that signs off before its offline state could be saved has signed off."""
    check = miss_timeout(stepped)
    signing_off = stepped.start(stepped.core.presence.sign_off(READER, None))
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(check)
    stepped.result(signing_off)
    stepped.pass_time(5)
    assert online_events(stepped) == ["device.online"]
    assert stepped.device(READER).presence is PresenceState.SIGNED_OFF


def test_an_online_state_is_saved_before_the_offline_state(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """If a device could not be saved as online, that is repeated before it is saved as offline."""
    stepped.poll(READER).disconnect()
    executor.fail()
    stepped.run()
    stepped.pass_time(TIMEOUT)
    assert online_events(stepped) == ["device.online", "device.offline"]


def test_a_failed_check_is_followed_by_another(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """A check that fails on a full disk is followed by another."""
    stepped.poll(READER).disconnect()
    stepped.run()
    task = PeriodicTask("offline detection", 1, stepped.core.detect_offline, clock)
    task.startService()
    clock.pump([1] * TIMEOUT)
    executor.fail()
    executor.notify()
    clock.advance(1)
    executor.run()
    task.stopService()
    assert online_events(stepped) == ["device.online", "device.offline"]


def test_a_check_waits_for_the_one_before(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """A slow disk does not get the same device twice."""
    stepped.poll(READER).disconnect()
    stepped.run()
    task = PeriodicTask("offline detection", 1, stepped.core.detect_offline, clock)
    task.startService()
    clock.pump([1] * (TIMEOUT + 5))
    assert len(executor.submitted) == 1
    task.stopService()
    executor.run()


@pytest.mark.parametrize("late", [0.5, 1.9])
def test_a_late_check_counts_only_to_the_time_it_was_due(harness: CoreHarness, clock: Clock, late: float) -> None:
    """After a busy moment requests may wait in the sockets: they are read before their devices are called offline."""
    harness.register("controlid:8", heartbeat_timeout=1)
    harness.pass_time(1)
    clock.advance(0.5)
    harness.poll("controlid:8").disconnect()
    clock.advance(0.5 + late)
    harness.result(harness.core.detect_offline())
    harness.poll("controlid:8").disconnect()
    assert harness.event_types("controlid:8")[1:] == ["device.online"]
    harness.pass_time(2)
    assert harness.event_types("controlid:8")[1:] == ["device.online", "device.offline"]


def test_a_clock_that_is_replaced_before_the_start(clock: Clock) -> None:
    """The reactor's clock may be replaced by a monotonic one between building and starting the server."""
    wall, started = Wall(clock), clock.seconds()
    clock.rightNow = EPOCH
    store, clocks = new_store(), Clocks(clock, wall)
    follow(store, clocks)
    core = build_core(store, clocks, Config(), MemoryTokenFile())
    clock.rightNow = started
    core.start()
    harness = CoreHarness(core, clock, wall, lambda: None)
    harness.register(READER)
    harness.poll(READER).disconnect()
    harness.pass_time(TIMEOUT)
    assert harness.device(READER).presence is PresenceState.OFFLINE
    harness.result(core.store.close())


def test_many_changes_of_a_timeout_are_one_entry(harness: CoreHarness) -> None:
    """However often the timeout changes, in the end a device has one entry in the timing wheel."""
    harness.poll(READER).disconnect()
    for _ in range(20):
        for timeout in (600, 30, 60.0):
            harness.result(harness.core.registry.change(READER, {"heartbeat_timeout": timeout}))
    for _ in range(12):
        harness.pass_time(50)
        harness.poll(READER).disconnect()
    assert scheduled(harness, 60) == [READER]
    assert online_events(harness) == ["device.online"]


def test_a_device_that_comes_and_goes_has_one_entry(harness: CoreHarness) -> None:
    """However often a container signs off and on, it has one entry in the timing wheel."""
    for _ in range(50):
        harness.poll(CONTAINER).disconnect()
        harness.sign_off(CONTAINER)
    harness.poll(CONTAINER).disconnect()
    assert scheduled(harness, 1200) == [CONTAINER]


def test_a_stall_while_the_sweep_waits_for_the_disk(harness: CoreHarness, clock: Clock) -> None:
    """A check detects a stall of the server by itself, without the sweep."""
    harness.pass_time(1)
    harness.poll(READER).disconnect()
    clock.advance(3600)
    harness.pass_time(TIMEOUT - 1)
    assert online_events(harness) == ["device.online"]


def test_many_offline_devices_are_saved_in_batches(builder: HarnessBuilder, clock: Clock) -> None:
    """When thousands of devices go offline in the same second, other work runs between the batches."""
    harness = builder.build()
    devices = [harness.register(f"controlid:{number}").id for number in range(100, 100 + MANY)]
    for device in devices:
        harness.core.presence.record_activity(device, None)
    harness.pass_time(TIMEOUT - 1)
    harness.events.clear()
    clock.advance(1)
    counts = [0, *observe_turns(harness, lambda: len(harness.events))]
    assert max(after - before for before, after in pairwise(counts)) == BATCH_SIZE
    assert sorted(event.device or "" for event in harness.events) == sorted(devices)
    assert {str(event.type) for event in harness.events} == {"device.offline"}


def test_an_outage_of_the_fleet_leaves_the_reactor_to_others(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """Each transaction that marks devices offline is short: the executor gives way to the sockets after each."""
    for number in range(100, 100 + 2 * BATCH_SIZE):
        stepped.register(f"controlid:{number}")
        stepped.core.presence.record_activity(f"controlid:{number}", None)
    stepped.run()
    stepped.pass_time(TIMEOUT - 1)
    stepped.clock.advance(1)
    stepped.events.clear()
    check = stepped.start(stepped.core.detect_offline())
    assert len(executor.submitted) > 1
    statements: list[str] = []
    executor.connection.connection.set_trace_callback(statements.append)  # type: ignore[attr-defined]
    most = 0
    while not executor.idle:
        statements.clear()
        executor.commit()
        most = max(most, len(statements))
        if not executor.submitted:
            executor.run()
            stepped.clock.advance(0)  # the next batch of the check
    stepped.result(check)
    assert stepped.event_types() == ["device.offline"] * 2 * BATCH_SIZE
    assert most <= 20 * MARKED_TOGETHER


def test_a_part_of_an_outage_that_cannot_be_saved_is_tried_again(
    stepped: CoreHarness, executor: SteppedExecutor
) -> None:
    """The other devices are offline already, and each has one event in the end."""
    names = [stepped.register(f"controlid:{number}").id for number in range(100, 100 + 3 * MARKED_TOGETHER)]
    for name in names:
        stepped.core.presence.record_activity(name, None)
    stepped.run()
    stepped.pass_time(TIMEOUT - 1)
    stepped.clock.advance(1)
    stepped.events.clear()
    check = stepped.start(stepped.core.detect_offline())
    executor.commit()
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(check)
    assert len(stepped.events) == 2 * MARKED_TOGETHER
    stepped.pass_time(2)
    assert sorted(event.device or "" for event in stepped.events) == names
    assert {stepped.stored(name).presence for name in names} == {PresenceState.OFFLINE}


def test_many_online_devices_are_checked_in_batches(
    builder: HarnessBuilder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Devices that hold a poll are rescheduled in batches, too, and have no events."""
    monkeypatch.setattr("pushd.core.devices.offline_detector.BATCH_SIZE", 2)
    harness = builder.build()
    for number in range(100, 105):
        harness.poll(harness.register(f"controlid:{number}", heartbeat_timeout=3, hold=50).id)
    harness.events.clear()
    harness.pass_time(2)
    clock.advance(1)
    wheel = harness.core.presence.wheel
    assert observe_turns(harness, lambda: wheel.has_expired) == [True, True, False]
    assert harness.events == []


def test_devices_are_grouped_by_where_they_were_seen_last(harness: CoreHarness) -> None:
    """Five devices of one site are one alert, also if the addresses from which they polled are not stored yet."""
    names = [f"controlid:{number}" for number in range(11, 16)]
    for number, name in enumerate(names):
        harness.register(name)
        harness.poll(name, client_address=f"2001:db8::{number}").disconnect()
    harness.pass_time(TIMEOUT + 1)
    assert {harness.stored(name).last_address for name in names} == {None}
    harness.pass_time(30)
    harness.sweep()
    (alert,) = harness.result(harness.core.store.alerts(OPEN_ALERTS, None, 10))
    assert (alert.address, alert.devices) == ("2001:db8::/64", tuple(names))
