"""Tests of admission: which devices are served, pending, or refused."""

from contextlib import nullcontext

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import AdmissionMode
from pushd.core.devices.device_service import REFUSAL_DELAY
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import DeviceBlocked, NotPermitted
from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.store.filters import DeviceFilter
from tests.core.conftest import HarnessBuilder
from tests.core.harness import READER, CoreHarness, HeldPoll, StubClient
from tests.stepped import SteppedStore
from tests.store.samples import StubResult

NEW = "controlid:99"
OTHER = "servereye:other"

OPEN = Config(admission=AdmissionMode.OPEN)
CLOSED = Config(admission=AdmissionMode.CLOSED)


def stored_ids(harness: CoreHarness) -> set[str]:
    """The ids of the devices that are stored."""
    return {device.id for device, _load in harness.result(harness.core.store.devices(DeviceFilter(), None, 500))}


def refused_slowly(poll: HeldPoll, clock: Clock) -> bool:
    """Whether a poll is refused, and only after a delay."""
    clock.advance(REFUSAL_DELAY - 0.001)
    before = poll.held
    clock.advance(0.001)
    return before and [failure.type for failure in poll.failures] == [NotPermitted]


def test_an_unknown_device_waits_for_an_approval(harness: CoreHarness, clock: Clock) -> None:
    """An unknown device is stored when it polls, and held like any other."""
    poll = harness.poll(NEW, client_address="192.0.2.7")
    assert poll.held
    device = harness.device(NEW)
    assert (device.admission, device.presence) == (Admission.PENDING, PresenceState.ONLINE)
    assert device.last_address == "192.0.2.7"
    assert harness.event_types(NEW) == [EventType.DEVICE_PENDING]
    clock.advance(10)
    assert poll.idle


def test_a_pending_device_gets_no_commands(harness: CoreHarness) -> None:
    """Commands for a pending device are queued."""
    harness.poll(NEW)
    command = harness.put(NEW)
    assert harness.poll(NEW).held
    assert harness.command(command).state is State.QUEUED


def test_an_approval_sends_the_queue_to_the_held_poll(harness: CoreHarness) -> None:
    """The device need not poll again to get its queued commands."""
    poll = harness.poll(NEW)
    command = harness.put(NEW)
    harness.result(harness.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    assert poll.commands == [command]


def test_a_device_is_stored_once(stepped: CoreHarness, store: SteppedStore) -> None:
    """A device that polls again before it is stored is counted and stored once."""
    stepped.poll(NEW)
    newer = stepped.poll(NEW)
    assert stepped.core.registry.pending_count == 1
    stepped.run()
    assert stepped.event_types(NEW).count(EventType.DEVICE_PENDING) == 1
    assert newer.held


def test_a_device_that_is_registered_while_its_poll_is_held(builder: HarnessBuilder, clock: Clock) -> None:
    """The poll of a device that was not stored, because too many are pending, ends when an operator registers it, also
    after it was deleted; its next poll gets commands.
    """
    harness = builder.build(Config(max_pending=0))
    for _ in range(2):
        poll = harness.poll(NEW)
        assert poll.held
        harness.register(NEW)
        command = harness.put(NEW)
        clock.advance(0.1)
        assert poll.idle
        assert harness.poll(NEW).commands == [command]
        harness.result(harness.core.registry.delete(NEW))


def test_open_admission_approves_at_once(builder: HarnessBuilder) -> None:
    """With open admission a new device is served from its first poll on."""
    harness = builder.build(OPEN)
    poll = harness.poll(NEW)
    assert harness.device(NEW).admission is Admission.APPROVED
    assert harness.event_types(NEW)[0] == EventType.DEVICE_REGISTERED
    command = harness.put(NEW)
    assert poll.commands == [command]


def test_closed_admission_refuses_slowly(builder: HarnessBuilder, clock: Clock) -> None:
    """With closed admission an unknown device is refused after a delay, and nothing is stored."""
    harness = builder.build(CLOSED)
    assert refused_slowly(harness.poll(NEW), clock)
    assert NEW not in stored_ids(harness)
    assert not clock.getDelayedCalls()


def test_closed_admission_serves_registered_devices(builder: HarnessBuilder) -> None:
    """With closed admission registered devices are served."""
    harness = builder.build(CLOSED)
    command = harness.put(READER)
    assert harness.poll(READER).commands == [command]


def test_a_refused_client_that_disconnects_leaves_nothing(builder: HarnessBuilder, clock: Clock) -> None:
    """A client that disconnects during the delay leaves no timer."""
    poll = builder.build(CLOSED).poll(NEW)
    poll.disconnect()
    assert [failure.type for failure in poll.failures] == [CancelledError]
    assert not clock.getDelayedCalls()


def test_a_refused_poll_takes_nothing_over(harness: CoreHarness, clock: Clock) -> None:
    """The poll of a device stays when another client claims its id and cannot prove it."""
    harness.result(harness.core.registry.change(READER, {"allow_from": ("10.0.0.0/8",)}))
    poll = harness.poll(READER, client_address="10.1.2.3")
    assert refused_slowly(harness.poll(READER, client_address="192.0.2.1"), clock)
    assert poll.held


def test_a_blocked_device_is_refused(harness: CoreHarness, clock: Clock) -> None:
    """A blocked device is refused with the same delay as an unknown one, and cannot be sent commands."""
    harness.result(harness.core.registry.change(READER, {"admission": Admission.BLOCKED}))
    assert refused_slowly(harness.poll(READER), clock)
    with pytest.raises(DeviceBlocked):
        harness.put(READER)
    assert harness.device(READER).presence is PresenceState.NEVER_SEEN


def test_a_held_poll_of_a_blocked_device_gets_no_commands(harness: CoreHarness) -> None:
    """Blocking applies to the held poll, not only to the next one."""
    command = harness.put(READER, not_before=harness.wall_ms_in(2))
    poll = harness.poll(READER)
    harness.result(harness.core.registry.change(READER, {"admission": Admission.BLOCKED}))
    harness.clock.advance(2)
    assert poll.idle
    assert harness.command(command).state is State.QUEUED


def test_beyond_the_limit_unknown_devices_are_not_stored(builder: HarnessBuilder, clock: Clock) -> None:
    """Unknown devices cannot fill the store: beyond the limit they are counted, held and answered idle."""
    harness = builder.build(Config(max_pending=1))
    harness.poll(NEW)
    poll = harness.poll(OTHER)
    assert poll.held
    assert OTHER not in stored_ids(harness)
    assert harness.core.device_service.admission_policy.polls_over_limit == 1
    clock.advance(45)
    assert poll.idle


def test_an_approval_lowers_the_pending_count(builder: HarnessBuilder) -> None:
    """The limit counts the devices that are pending now."""
    harness = builder.build(Config(max_pending=1))
    harness.poll(NEW)
    harness.result(harness.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    harness.poll(OTHER)
    assert harness.device(OTHER).admission is Admission.PENDING


def test_the_limit_counts_devices_that_are_not_stored_yet(builder: HarnessBuilder, store: SteppedStore) -> None:
    """Unknown devices count when they poll, not when they are stored."""
    harness = builder.build(Config(max_pending=2), store=store)
    for number in range(5):
        harness.poll(f"controlid:{100 + number}")
    harness.run()
    assert {device for device in stored_ids(harness) if device.startswith("controlid:1")} == {
        "controlid:100",
        "controlid:101",
    }
    assert harness.core.device_service.admission_policy.polls_over_limit == 3


def test_a_device_that_could_not_be_stored_is_stored_later(builder: HarnessBuilder, store: SteppedStore) -> None:
    """If the store is unavailable, a new device is held, does not count, and is stored with its next poll."""
    harness = builder.build(store=store)
    first = harness.poll(NEW)
    store.executor.fail()
    harness.run()
    assert first.held
    assert harness.core.registry.pending_count == 0
    harness.poll(NEW)
    harness.run()
    assert harness.stored(NEW).admission is Admission.PENDING
    assert harness.device(NEW).presence is PresenceState.ONLINE


def test_a_pending_device_writes_nothing_but_that_it_is_pending(harness: CoreHarness, clock: Clock) -> None:
    """A client that polls and signs off in turn cannot fill the disk; its approval saves whether it is online."""
    harness.poll(NEW)
    changes = harness.core.store._writer.connection.connection  # type: ignore[attr-defined]
    before = changes.total_changes
    for _ in range(20):
        harness.sign_off(NEW)
        harness.poll(NEW, client_address="192.0.2.7")
        clock.advance(3)
        harness.result(harness.core.presence.flush())
    assert changes.total_changes == before
    assert harness.event_types(NEW) == [EventType.DEVICE_PENDING]
    harness.result(harness.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    harness.result(harness.core.presence.flush())
    assert harness.event_types(NEW)[1:] == [EventType.DEVICE_APPROVED, EventType.DEVICE_ONLINE]
    assert (harness.stored(NEW).presence, harness.stored(NEW).last_address) == (PresenceState.ONLINE, "192.0.2.7")


def give_up_after(harness: CoreHarness, clock: Clock, seconds: float) -> None:
    """The pending device gives up two polls after so many seconds each."""
    for _ in range(2):
        poll = harness.poll(NEW)
        clock.advance(seconds)
        poll.disconnect()


def test_the_hold_of_a_pending_device_is_learned_in_memory(harness: CoreHarness, clock: Clock) -> None:
    """A client that gives up its polls ever earlier writes nothing; its approval saves the hold that was learned."""
    changes = harness.core.store._writer.connection.connection  # type: ignore[attr-defined]
    harness.poll(NEW).disconnect()
    before = changes.total_changes
    for seconds in (6, 5, 4):
        give_up_after(harness, clock, seconds)
    assert changes.total_changes == before
    assert harness.core.registry.get_or_raise(NEW).learned_hold == 3.2
    poll = harness.poll(NEW)
    clock.advance(3.5)
    assert poll.idle
    harness.result(harness.core.registry.change(NEW, {"name": "gate"}))
    harness.result(harness.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    assert harness.stored(NEW).learned_hold == harness.core.registry.get_or_raise(NEW).learned_hold == 3.2


def test_the_hold_of_a_pending_device_can_be_forgotten(harness: CoreHarness, clock: Clock) -> None:
    """What was learned about a pending device is gone when an operator says so."""
    give_up_after(harness, clock, 4)
    harness.result(harness.core.registry.change(NEW, {"hold": None, "learned_hold": None}))
    harness.result(harness.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    assert harness.stored(NEW).learned_hold is None


def test_a_conflict_of_unknown_devices_writes_nothing(builder: HarnessBuilder) -> None:
    """A device that is not stored cannot fill the event log, however often it polls."""
    harness = builder.build(Config(max_pending=0))
    for _ in range(5):
        harness.poll(NEW)
    assert harness.event_types(NEW) == []


@pytest.mark.parametrize("mode", list(AdmissionMode))
def test_only_a_poll_stores_a_device(builder: HarnessBuilder, mode: AdmissionMode) -> None:
    """A result or a sign-off of an unknown device does not store it."""
    harness = builder.build(Config(admission=mode))
    device_service, client = harness.core.device_service, StubClient()
    refused = pytest.raises(NotPermitted) if mode is AdmissionMode.CLOSED else nullcontext()
    with refused:
        harness.result(device_service.settle(client, NEW, StubResult(uuid="u1")))
    with refused:
        harness.result(device_service.sign_off(client, NEW))
    assert NEW not in stored_ids(harness)
    assert harness.event_types(NEW) == []


def test_a_deleted_device_is_new_when_it_polls_again(harness: CoreHarness) -> None:
    """A device that was deleted is pending when it polls again."""
    harness.poll(READER).disconnect()
    harness.result(harness.core.registry.delete(READER))
    poll = harness.poll(READER)
    assert poll.held
    assert harness.device(READER).admission is Admission.PENDING
