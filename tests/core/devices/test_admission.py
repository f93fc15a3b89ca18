"""Tests of who is served, who waits for an approval, who is refused."""

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import AdmissionMode, ClientIdentity
from pushd.core.devices.device_service import REFUSAL_DELAY
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import DeviceBlocked, NotPermitted
from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.store.filters import DeviceFilter
from tests.core.conftest import HarnessBuilder
from tests.core.harness import READER, CoreHarness, HeldPoll
from tests.stepped import SteppedStore
from tests.store.samples import StubResult

NEW = "controlid:99"
OTHER = "servereye:other"

OPEN = Config(admission=AdmissionMode.OPEN)
CLOSED = Config(admission=AdmissionMode.CLOSED)


def known(harness: CoreHarness) -> set[str]:
    """The ids of the devices that are stored."""
    return {device.id for device, _load in harness.result(harness.core.store.devices(DeviceFilter(), None, 500))}


def refused_slowly(poll: HeldPoll, clock: Clock) -> bool:
    """Whether a poll is refused, and only after a while."""
    clock.advance(REFUSAL_DELAY - 0.001)
    before = poll.held
    clock.advance(0.001)
    return before and [failure.type for failure in poll.failures] == [NotPermitted]


def test_an_unknown_device_waits_for_an_approval(harness: CoreHarness, clock: Clock) -> None:
    """A device that nobody registered is recorded when it polls, and held like any other."""
    poll = harness.poll(NEW, address="192.0.2.7")
    assert poll.held
    device = harness.device(NEW)
    assert (device.admission, device.presence) == (Admission.PENDING, PresenceState.ONLINE)
    assert device.last_address == "192.0.2.7"
    assert harness.event_types(NEW) == [EventType.DEVICE_PENDING, EventType.DEVICE_ONLINE]
    clock.advance(10)
    assert poll.idle


def test_a_pending_device_is_handed_nothing(harness: CoreHarness) -> None:
    """What is sent to a device that waits for an approval is queued."""
    harness.poll(NEW)
    command = harness.put(NEW)
    assert harness.poll(NEW).held
    assert harness.command(command).state is State.QUEUED


def test_an_approval_lets_the_held_poll_have_the_queue(harness: CoreHarness) -> None:
    """The device need not poll again to get what waits for it."""
    poll = harness.poll(NEW)
    command = harness.put(NEW)
    harness.result(harness.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    assert poll.commands == [command]


def test_a_device_is_recorded_once(stepped: CoreHarness, store: SteppedStore) -> None:
    """A device that polls again before it is recorded is no second one."""
    stepped.poll(NEW)
    newer = stepped.poll(NEW)
    assert stepped.core.registry.pending_count == 1
    stepped.run()
    assert stepped.event_types(NEW).count(EventType.DEVICE_PENDING) == 1
    assert newer.held


def test_an_open_door_approves_at_once(builder: HarnessBuilder) -> None:
    """With open admission a new device is served from its first poll on."""
    harness = builder.build(OPEN)
    poll = harness.poll(NEW)
    assert harness.device(NEW).admission is Admission.APPROVED
    assert harness.event_types(NEW)[0] == EventType.DEVICE_REGISTERED
    command = harness.put(NEW)
    assert poll.commands == [command]


def test_a_closed_door_refuses_slowly(builder: HarnessBuilder, clock: Clock) -> None:
    """With closed admission an unknown device is refused after a while, and nothing is recorded."""
    harness = builder.build(CLOSED)
    assert refused_slowly(harness.poll(NEW), clock)
    assert NEW not in known(harness)
    assert not clock.getDelayedCalls()


def test_a_closed_door_lets_in_whom_it_knows(builder: HarnessBuilder) -> None:
    """With closed admission those who were registered are served."""
    harness = builder.build(CLOSED)
    command = harness.put(READER)
    assert harness.poll(READER).commands == [command]


def test_a_refused_client_that_leaves_leaves_nothing(builder: HarnessBuilder, clock: Clock) -> None:
    """Whoever hangs up while a refusal is being delayed takes its timer with it."""
    poll = builder.build(CLOSED).poll(NEW)
    poll.disconnect()
    assert [failure.type for failure in poll.failures] == [CancelledError]
    assert not clock.getDelayedCalls()


def test_a_refused_poll_takes_over_from_nobody(harness: CoreHarness, clock: Clock) -> None:
    """A device that polls keeps its poll, whoever else claims to be it and cannot prove that."""
    harness.result(harness.core.registry.change(READER, {"allow_from": ("10.0.0.0/8",)}))
    poll = harness.poll(READER, address="10.1.2.3")
    assert refused_slowly(harness.poll(READER, address="192.0.2.1"), clock)
    assert poll.held


def test_a_blocked_device_is_refused(harness: CoreHarness, clock: Clock) -> None:
    """A blocked device is refused as slowly as a stranger at a closed door, and nothing can be sent to it."""
    harness.result(harness.core.registry.change(READER, {"admission": Admission.BLOCKED}))
    assert refused_slowly(harness.poll(READER), clock)
    with pytest.raises(DeviceBlocked):
        harness.put(READER)
    assert harness.device(READER).presence is PresenceState.NEVER_SEEN


def test_a_held_poll_of_a_device_that_is_blocked_is_handed_nothing(harness: CoreHarness) -> None:
    """Blocking counts from that moment on, not only from the next poll."""
    command = harness.put(READER, not_before=harness.wall_ms_in(2))
    poll = harness.poll(READER)
    harness.result(harness.core.registry.change(READER, {"admission": Admission.BLOCKED}))
    harness.clock.advance(2)
    assert poll.idle
    assert harness.command(command).state is State.QUEUED


def test_beyond_the_limit_strangers_are_held_but_not_stored(builder: HarnessBuilder, clock: Clock) -> None:
    """No number of strangers fills the store: those beyond the limit are counted, held and answered idle."""
    harness = builder.build(Config(max_pending=1))
    harness.poll(NEW)
    poll = harness.poll(OTHER)
    assert poll.held
    assert OTHER not in known(harness)
    assert harness.core.device_service.admission_policy.polls_over_limit == 1
    clock.advance(45)
    assert poll.idle


def test_an_approval_makes_room_for_a_stranger(builder: HarnessBuilder) -> None:
    """The limit counts those who wait now."""
    harness = builder.build(Config(max_pending=1))
    harness.poll(NEW)
    harness.result(harness.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    harness.poll(OTHER)
    assert harness.device(OTHER).admission is Admission.PENDING


def test_the_limit_counts_those_who_are_not_yet_stored(builder: HarnessBuilder, store: SteppedStore) -> None:
    """Strangers that come in one wave are counted as they come, not as they are written down."""
    harness = builder.build(Config(max_pending=2), store=store)
    for number in range(5):
        harness.poll(f"controlid:{100 + number}")
    harness.run()
    assert {device for device in known(harness) if device.startswith("controlid:1")} == {
        "controlid:100",
        "controlid:101",
    }
    assert harness.core.device_service.admission_policy.polls_over_limit == 3


def test_a_stranger_that_cannot_be_stored_may_try_again(builder: HarnessBuilder, store: SteppedStore) -> None:
    """A store that is down costs a stranger nothing but time, and takes no room from others."""
    harness = builder.build(store=store)
    first = harness.poll(NEW)
    store.executor.fail()
    harness.run()
    assert first.held
    assert harness.core.registry.pending_count == 0
    harness.poll(NEW)
    harness.run()
    assert harness.stored(NEW).admission is Admission.PENDING
    assert harness.stored(NEW).presence is PresenceState.ONLINE


def test_strangers_who_share_an_id_write_nothing(builder: HarnessBuilder) -> None:
    """Whoever is not stored cannot fill the feed either, however wildly it polls."""
    harness = builder.build(Config(max_pending=0))
    for _ in range(5):
        harness.poll(NEW)
    assert harness.event_types(NEW) == []


@pytest.mark.parametrize("mode", list(AdmissionMode))
def test_only_a_poll_introduces_a_device(builder: HarnessBuilder, mode: AdmissionMode) -> None:
    """A result or a goodbye from somebody unknown does not make it known."""
    harness = builder.build(Config(admission=mode))
    client_identity = ClientIdentity(device=NEW)
    for visit in (
        harness.core.device_service.settle(client_identity, StubResult(uuid="u1")),
        harness.core.device_service.sign_off(client_identity),
    ):
        if mode is AdmissionMode.CLOSED:
            with pytest.raises(NotPermitted):
                harness.result(visit)
        else:
            harness.result(visit)
    assert NEW not in known(harness)
    assert harness.event_types(NEW) == []


def test_a_forgotten_device_is_new_when_it_polls_again(harness: CoreHarness) -> None:
    """A device that an operator deleted waits for an approval like any other."""
    harness.poll(READER).disconnect()
    harness.result(harness.core.registry.delete(READER))
    poll = harness.poll(READER)
    assert poll.held
    assert harness.device(READER).admission is Admission.PENDING
