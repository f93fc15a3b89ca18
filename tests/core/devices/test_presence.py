"""Tests of presence: online, offline, signed off, last seen."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.devices.presence import ONLINE_BATCH
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import Unavailable
from pushd.model.event import EventType
from tests.core.harness import CONTAINER, READER, CoreHarness, StubClient
from tests.stepped import SteppedExecutor
from tests.store.samples import StubResult

HOLD = 10.0
TIMEOUT = 120
WINDOW = 30
ADDRESS, OTHER_ADDRESS = "192.0.2.1", "192.0.2.2"


def presence(harness: CoreHarness, device: str = READER) -> PresenceState:
    """The stored presence of a device."""
    return harness.stored(device).presence


def acknowledge(harness: CoreHarness, device: str = CONTAINER, address: str | None = None) -> None:
    """Acknowledge a command, whichever."""
    harness.result(harness.core.device_service.acknowledge(StubClient(address), device, "no-such-command"))


def test_a_registered_device_was_never_seen(harness: CoreHarness) -> None:
    """A device that an operator registered has no presence before its first request."""
    device = harness.device(READER)
    assert (device.presence, device.last_seen_at, device.last_address) == (PresenceState.NEVER_SEEN, None, None)


def test_a_poll_makes_a_device_online(harness: CoreHarness) -> None:
    """Only the first poll causes an event."""
    harness.poll(READER)
    harness.poll(READER)
    assert presence(harness) is PresenceState.ONLINE
    assert harness.event_types(READER).count(EventType.DEVICE_ONLINE) == 1


@pytest.mark.parametrize("report", ["acknowledgement", "result"])
def test_any_report_makes_a_device_online(harness: CoreHarness, report: str) -> None:
    """A device that acknowledges or reports is online, whether the command is known or not."""
    client = StubClient(ADDRESS)
    device_service = harness.core.device_service
    harness.result(
        device_service.acknowledge(client, CONTAINER, "m1")
        if report == "acknowledgement"
        else device_service.settle(client, CONTAINER, StubResult())
    )
    device = harness.device(CONTAINER)
    assert (device.presence, device.last_address) == (PresenceState.ONLINE, ADDRESS)


def test_only_a_poll_ends_a_sign_off(harness: CoreHarness) -> None:
    """A device that signed off stays so while its last results arrive."""
    harness.sign_off(CONTAINER)
    acknowledge(harness)
    harness.result(harness.core.device_service.settle(StubClient(), CONTAINER, StubResult(message="m1")))
    assert presence(harness, CONTAINER) is PresenceState.SIGNED_OFF
    harness.poll(CONTAINER)
    assert presence(harness, CONTAINER) is PresenceState.ONLINE
    assert harness.event_types(CONTAINER)[-2:] == [EventType.RESULT_ORPHANED, EventType.DEVICE_ONLINE]


def test_a_second_sign_off_causes_no_event(harness: CoreHarness) -> None:
    """A device that signs off twice causes one event."""
    harness.sign_off(CONTAINER)
    harness.sign_off(CONTAINER)
    assert harness.event_types(CONTAINER).count(EventType.DEVICE_SIGNED_OFF) == 1


def test_a_pending_device_may_sign_off(harness: CoreHarness, clock: Clock) -> None:
    """A pending device can sign off, which ends its poll like any other's."""
    harness.register("servereye:new", Admission.PENDING)
    poll = harness.poll("servereye:new")
    harness.sign_off("servereye:new")
    clock.advance(1)
    assert poll.idle
    assert harness.device("servereye:new").presence is PresenceState.SIGNED_OFF


def test_a_sign_off_is_answered_when_it_is_durable(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A sign-off is answered after its commit, or refused if it cannot be saved."""
    signing_off = [Deferred.fromCoroutine(stepped.core.device_service.sign_off(StubClient(), CONTAINER)) for _ in "ab"]
    assert not any(one.called for one in signing_off)
    executor.fail()
    executor.commit()
    executor.notify()
    with pytest.raises(Unavailable):
        stepped.result(signing_off[0])
    stepped.result(signing_off[1])


def test_a_device_is_seen_for_as_long_as_its_poll_is_held(harness: CoreHarness, clock: Clock) -> None:
    """While a poll is held, the device was last seen now."""
    harness.poll(READER)
    clock.advance(HOLD / 2)
    assert harness.device(READER).last_seen_at == harness.wall_ms_in(0)


@pytest.mark.parametrize("leaves", [True, False], ids=["it leaves", "it is answered"])
def test_a_device_was_last_seen_when_its_poll_ended(harness: CoreHarness, clock: Clock, leaves: bool) -> None:
    """After the poll, the device was last seen when the poll ended, also if the device disconnected."""
    poll = harness.poll(READER)
    clock.advance(HOLD / 2)
    if leaves:
        poll.disconnect()
    else:
        harness.put(READER)
    ended = harness.wall_ms_in(0)
    clock.advance(100)
    assert harness.device(READER).last_seen_at == ended


def test_a_takeover_leaves_the_device_connected(harness: CoreHarness, clock: Clock) -> None:
    """The end of the older poll does not matter while a newer one is held."""
    harness.poll(READER)
    harness.poll(READER)
    clock.advance(5)
    assert harness.device(READER).last_seen_at == harness.wall_ms_in(0)


def test_the_last_address(harness: CoreHarness) -> None:
    """Every request of a device updates its address."""
    harness.poll(CONTAINER, client_address=ADDRESS)
    assert harness.device(CONTAINER).last_address == ADDRESS
    acknowledge(harness, address=OTHER_ADDRESS)
    assert harness.device(CONTAINER).last_address == OTHER_ADDRESS


def test_last_seen_is_saved_in_batches(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """However many requests there are, saving last-seen times is one transaction per flush."""
    for _ in range(3):
        stepped.poll(READER, client_address=ADDRESS).disconnect()
        stepped.poll(CONTAINER, client_address=OTHER_ADDRESS).disconnect()
    stepped.run()
    assert stepped.stored(READER).last_seen_at is None
    flushed = stepped.start(stepped.core.presence.flush())
    assert len(executor.submitted) == 1
    stepped.result(flushed)
    assert [stepped.stored(device).last_address for device in (READER, CONTAINER)] == [ADDRESS, OTHER_ADDRESS]
    assert stepped.stored(READER).last_seen_at == stepped.wall_ms_in(0)


def test_an_idle_poll_needs_no_transaction(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """From the second on, an idle poll touches no database."""
    stepped.poll(READER)
    stepped.run()
    clock.advance(HOLD)
    poll = stepped.poll(READER)
    clock.advance(HOLD)
    assert poll.idle
    assert executor.idle


def test_a_saved_last_seen_is_not_saved_again(harness: CoreHarness, clock: Clock) -> None:
    """Only devices that were seen since the last flush are saved."""
    harness.poll(READER).disconnect()
    harness.result(harness.core.presence.flush())
    seen = harness.stored(READER).last_seen_at
    clock.advance(100)
    harness.result(harness.core.presence.flush())
    assert harness.stored(READER).last_seen_at == seen


def test_many_devices_are_saved_in_several_transactions(
    stepped: CoreHarness, executor: SteppedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many devices were seen, no other transaction waits for all of them."""
    monkeypatch.setattr("pushd.core.devices.presence.LAST_SEEN_BATCH", 2)
    devices = [READER, CONTAINER, *(stepped.register(f"controlid:{number}").id for number in range(100, 103))]
    for device in devices:
        stepped.poll(device).disconnect()
    stepped.run()
    flushed = stepped.start(stepped.core.presence.flush())
    for _ in range(3):
        assert len(executor.submitted) == 1
        executor.commit()
        executor.notify()
    stepped.result(flushed)
    assert all(stepped.stored(device).last_seen_at == stepped.wall_ms_in(0) for device in devices)


def test_a_failed_flush_is_repeated(
    stepped: CoreHarness, executor: SteppedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last-seen times that could not be saved are saved by the next flush."""
    monkeypatch.setattr("pushd.core.devices.presence.LAST_SEEN_BATCH", 1)
    for device in (READER, CONTAINER):
        stepped.poll(device, client_address=ADDRESS).disconnect()
    stepped.run()
    flushed = stepped.start(stepped.core.presence.flush())
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(flushed)
    stepped.result(stepped.core.presence.flush())
    assert [stepped.stored(device).last_address for device in (READER, CONTAINER)] == [ADDRESS, ADDRESS]


def test_without_requests_nothing_is_saved(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """While no device sends requests, a flush writes nothing."""
    stepped.result(stepped.core.presence.flush())
    assert executor.idle
    stepped.poll(READER).disconnect()
    stepped.run()
    stepped.result(stepped.core.presence.flush())
    stepped.start(stepped.core.presence.flush())
    assert executor.idle


def test_a_deleted_device_leaves_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A held poll, and last-seen times that are not saved yet, do not bring a deleted device back."""
    poll = harness.poll(READER)
    harness.result(harness.core.registry.delete(READER))
    clock.advance(HOLD)
    assert poll.idle
    assert harness.core.registry.get(READER) is None
    harness.register(READER)
    harness.result(harness.core.presence.flush())
    assert harness.device(READER).presence is PresenceState.NEVER_SEEN
    assert harness.device(READER).last_seen_at is None


def test_a_device_that_comes_back_while_the_store_is_down(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """If a device could not be saved as online, its next poll saves it."""
    stepped.sign_off(CONTAINER)
    stepped.poll(CONTAINER).disconnect()
    executor.fail()
    stepped.run()
    stepped.poll(CONTAINER)
    stepped.run()
    assert presence(stepped, CONTAINER) is PresenceState.ONLINE
    stepped.put(CONTAINER)


def poll_during_outage(stepped: CoreHarness, executor: SteppedExecutor, *devices: str) -> None:
    """Let devices poll and disconnect while the store is unavailable."""
    for device in devices:
        stepped.poll(device).disconnect()
        executor.fail()
    stepped.run()


def test_a_device_that_returned_during_an_outage_raises_no_alert(
    stepped: CoreHarness, executor: SteppedExecutor
) -> None:
    """A device that returned while the store was unavailable raises no alert, even without another request."""
    stepped.poll(READER).disconnect()
    stepped.run()
    stepped.pass_time(TIMEOUT + WINDOW - 1)
    assert presence(stepped) is PresenceState.OFFLINE
    poll_during_outage(stepped, executor, READER)
    for _ in range(2):
        stepped.clock.advance(1)
        stepped.sweep()
    assert EventType.ALERT_RAISED not in stepped.event_types()
    assert presence(stepped) is PresenceState.ONLINE


def test_a_flush_saves_returned_devices(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A flush saves the devices that returned while the store was unavailable."""
    poll_during_outage(stepped, executor, READER, CONTAINER)
    stepped.result(stepped.core.presence.flush())
    assert {presence(stepped, device) for device in (READER, CONTAINER)} == {PresenceState.ONLINE}


def test_returned_devices_are_saved_in_batches(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """However many devices have returned, a batch is tried at a time; the others wait, and none is lost."""
    returned = [stepped.register(f"controlid:{number}").id for number in range(100, 100 + ONLINE_BATCH + 1)]
    poll_during_outage(stepped, executor, *returned)
    caught_up = stepped.start(stepped.core.presence.save_returned())
    assert len(executor.submitted) == ONLINE_BATCH
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(caught_up)
    written = stepped.event_types().count(EventType.DEVICE_ONLINE)
    assert written == ONLINE_BATCH - 1
    stepped.result(stepped.core.presence.save_returned())
    assert stepped.event_types().count(EventType.DEVICE_ONLINE) == len(returned)


def test_a_device_that_signed_off_during_an_outage(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A container that signed off after its return is not saved as online."""
    poll_during_outage(stepped, executor, CONTAINER)
    stepped.sign_off(CONTAINER)
    stepped.result(stepped.core.presence.save_returned())
    assert presence(stepped, CONTAINER) is PresenceState.SIGNED_OFF


def test_the_repr_of_many_devices_is_short(harness: CoreHarness) -> None:
    """The repr of a device does not contain all others that are to be checked in the same second."""
    for number in range(100, 200):
        harness.register(f"controlid:{number}")
        harness.poll(f"controlid:{number}")
    assert len(repr(harness.core.presence._entries)) < 100_000
