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
from tests.core.conftest import Site
from tests.core.harness import READER, HeldPoll, Rooms
from tests.stepped import SteppedStore
from tests.store.samples import Said

NEW = "controlid:99"
OTHER = "servereye:other"

OPEN = Config(admission=AdmissionMode.OPEN)
CLOSED = Config(admission=AdmissionMode.CLOSED)


def known(rooms: Rooms) -> set[str]:
    """The ids of the devices that are stored."""
    return {device.id for device, _load in rooms.result(rooms.core.store.devices(DeviceFilter(), None, 500))}


def refused_slowly(poll: HeldPoll, clock: Clock) -> bool:
    """Whether a poll is refused, and only after a while."""
    clock.advance(REFUSAL_DELAY - 0.001)
    before = poll.held
    clock.advance(0.001)
    return before and [failure.type for failure in poll.failures] == [NotPermitted]


def test_an_unknown_device_waits_for_an_approval(rooms: Rooms, clock: Clock) -> None:
    """A device that nobody registered is recorded when it polls, and held like any other."""
    poll = rooms.poll(NEW, address="192.0.2.7")
    assert poll.held
    device = rooms.device(NEW)
    assert (device.admission, device.presence) == (Admission.PENDING, PresenceState.ONLINE)
    assert device.last_address == "192.0.2.7"
    assert rooms.words(NEW) == [EventType.DEVICE_PENDING, EventType.DEVICE_ONLINE]
    clock.advance(10)
    assert poll.idle


def test_a_pending_device_is_handed_nothing(rooms: Rooms) -> None:
    """What is sent to a device that waits for an approval is queued."""
    rooms.poll(NEW)
    command = rooms.put(NEW)
    assert rooms.poll(NEW).held
    assert rooms.command(command).state is State.QUEUED


def test_an_approval_lets_the_held_poll_have_the_queue(rooms: Rooms) -> None:
    """The device need not poll again to get what waits for it."""
    poll = rooms.poll(NEW)
    command = rooms.put(NEW)
    rooms.result(rooms.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    assert poll.commands == [command]


def test_a_device_is_recorded_once(stepped: Rooms, store: SteppedStore) -> None:
    """A device that polls again before it is recorded is no second one."""
    stepped.poll(NEW)
    newer = stepped.poll(NEW)
    assert stepped.core.registry.pending_count == 1
    stepped.run()
    assert stepped.words(NEW).count(EventType.DEVICE_PENDING) == 1
    assert newer.held


def test_an_open_door_approves_at_once(site: Site) -> None:
    """With open admission a new device is served from its first poll on."""
    rooms = site.build(OPEN)
    poll = rooms.poll(NEW)
    assert rooms.device(NEW).admission is Admission.APPROVED
    assert rooms.words(NEW)[0] == EventType.DEVICE_REGISTERED
    command = rooms.put(NEW)
    assert poll.commands == [command]


def test_a_closed_door_refuses_slowly(site: Site, clock: Clock) -> None:
    """With closed admission an unknown device is refused after a while, and nothing is recorded."""
    rooms = site.build(CLOSED)
    assert refused_slowly(rooms.poll(NEW), clock)
    assert NEW not in known(rooms)
    assert not clock.getDelayedCalls()


def test_a_closed_door_lets_in_whom_it_knows(site: Site) -> None:
    """With closed admission those who were registered are served."""
    rooms = site.build(CLOSED)
    command = rooms.put(READER)
    assert rooms.poll(READER).commands == [command]


def test_a_refused_client_that_leaves_leaves_nothing(site: Site, clock: Clock) -> None:
    """Whoever hangs up while a refusal is being delayed takes its timer with it."""
    poll = site.build(CLOSED).poll(NEW)
    poll.leave()
    assert [failure.type for failure in poll.failures] == [CancelledError]
    assert not clock.getDelayedCalls()


def test_a_refused_poll_takes_over_from_nobody(rooms: Rooms, clock: Clock) -> None:
    """A device that polls keeps its poll, whoever else claims to be it and cannot prove that."""
    rooms.result(rooms.core.registry.change(READER, {"allow_from": ("10.0.0.0/8",)}))
    poll = rooms.poll(READER, address="10.1.2.3")
    assert refused_slowly(rooms.poll(READER, address="192.0.2.1"), clock)
    assert poll.held


def test_a_blocked_device_is_refused(rooms: Rooms, clock: Clock) -> None:
    """A blocked device is refused as slowly as a stranger at a closed door, and nothing can be sent to it."""
    rooms.result(rooms.core.registry.change(READER, {"admission": Admission.BLOCKED}))
    assert refused_slowly(rooms.poll(READER), clock)
    with pytest.raises(DeviceBlocked):
        rooms.put(READER)
    assert rooms.device(READER).presence is PresenceState.NEVER_SEEN


def test_a_held_poll_of_a_device_that_is_blocked_is_handed_nothing(rooms: Rooms) -> None:
    """Blocking counts from that moment on, not only from the next poll."""
    command = rooms.put(READER, not_before=rooms.in_wall_ms(2))
    poll = rooms.poll(READER)
    rooms.result(rooms.core.registry.change(READER, {"admission": Admission.BLOCKED}))
    rooms.clock.advance(2)
    assert poll.idle
    assert rooms.command(command).state is State.QUEUED


def test_beyond_the_limit_strangers_are_held_but_not_stored(site: Site, clock: Clock) -> None:
    """No number of strangers fills the store: those beyond the limit are counted, held and answered idle."""
    rooms = site.build(Config(max_pending=1))
    rooms.poll(NEW)
    poll = rooms.poll(OTHER)
    assert poll.held
    assert OTHER not in known(rooms)
    assert rooms.core.device_service.admission_policy.polls_over_limit == 1
    clock.advance(45)
    assert poll.idle


def test_an_approval_makes_room_for_a_stranger(site: Site) -> None:
    """The limit counts those who wait now."""
    rooms = site.build(Config(max_pending=1))
    rooms.poll(NEW)
    rooms.result(rooms.core.registry.change(NEW, {"admission": Admission.APPROVED}))
    rooms.poll(OTHER)
    assert rooms.device(OTHER).admission is Admission.PENDING


def test_the_limit_counts_those_who_are_not_yet_stored(site: Site, store: SteppedStore) -> None:
    """Strangers that come in one wave are counted as they come, not as they are written down."""
    rooms = site.build(Config(max_pending=2), store=store)
    for number in range(5):
        rooms.poll(f"controlid:{100 + number}")
    rooms.run()
    assert {device for device in known(rooms) if device.startswith("controlid:1")} == {
        "controlid:100",
        "controlid:101",
    }
    assert rooms.core.device_service.admission_policy.polls_over_limit == 3


def test_a_stranger_that_cannot_be_stored_may_try_again(site: Site, store: SteppedStore) -> None:
    """A store that is down costs a stranger nothing but time, and takes no room from others."""
    rooms = site.build(store=store)
    first = rooms.poll(NEW)
    store.lane.lose()
    rooms.run()
    assert first.held
    assert rooms.core.registry.pending_count == 0
    rooms.poll(NEW)
    rooms.run()
    assert rooms.stored(NEW).admission is Admission.PENDING
    assert rooms.stored(NEW).presence is PresenceState.ONLINE


def test_strangers_who_share_an_id_write_nothing(site: Site) -> None:
    """Whoever is not stored cannot fill the feed either, however wildly it polls."""
    rooms = site.build(Config(max_pending=0))
    for _ in range(5):
        rooms.poll(NEW)
    assert rooms.words(NEW) == []


@pytest.mark.parametrize("mode", list(AdmissionMode))
def test_only_a_poll_introduces_a_device(site: Site, mode: AdmissionMode) -> None:
    """A result or a goodbye from somebody unknown does not make it known."""
    rooms = site.build(Config(admission=mode))
    client_identity = ClientIdentity(device=NEW)
    for visit in (
        rooms.core.device_service.settle(client_identity, Said(uuid="u1")),
        rooms.core.device_service.sign_off(client_identity),
    ):
        if mode is AdmissionMode.CLOSED:
            with pytest.raises(NotPermitted):
                rooms.result(visit)
        else:
            rooms.result(visit)
    assert NEW not in known(rooms)
    assert rooms.words(NEW) == []


def test_a_forgotten_device_is_new_when_it_polls_again(rooms: Rooms) -> None:
    """A device that an operator deleted waits for an approval like any other."""
    rooms.poll(READER).leave()
    rooms.result(rooms.core.registry.delete(READER))
    poll = rooms.poll(READER)
    assert poll.held
    assert rooms.device(READER).admission is Admission.PENDING
