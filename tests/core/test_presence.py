"""Tests of who is here, and of for how long devices are deaf."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.devices.admission import ClientIdentity
from pushd.core.devices.presence import ONLINE_BATCH
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import Unavailable
from pushd.model.event import EventType
from tests.core.harness import CONTAINER, READER, Rooms
from tests.stepped import SteppedLane
from tests.store.samples import Said

HOLD = 10.0
TIMEOUT = 120
WINDOW = 30
HOME, AWAY = "192.0.2.1", "192.0.2.2"


def presence(rooms: Rooms, device: str = READER) -> PresenceState:
    """Whether a device is there, as it is stored."""
    return rooms.stored(device).presence


def speak(rooms: Rooms, device: str = CONTAINER, address: str | None = None) -> None:
    """Acknowledge something, whatever it is."""
    rooms.result(
        rooms.core.device_service.acknowledge(ClientIdentity(device=device, address=address), "no-such-command")
    )


def test_a_device_that_never_came_was_never_seen(rooms: Rooms) -> None:
    """A device that an operator registered has not been here."""
    device = rooms.device(READER)
    assert (device.presence, device.last_seen_at, device.last_address) == (PresenceState.NEVER_SEEN, None, None)


def test_a_poll_makes_a_device_online(rooms: Rooms) -> None:
    """The first poll is told, the others are not."""
    rooms.poll(READER)
    rooms.poll(READER)
    assert presence(rooms) is PresenceState.ONLINE
    assert rooms.words(READER).count(EventType.DEVICE_ONLINE) == 1


@pytest.mark.parametrize("word", ["acknowledgement", "result"])
def test_a_word_of_a_device_makes_it_online(rooms: Rooms, word: str) -> None:
    """Whoever acknowledges or reports is there, whatever it is about."""
    client_identity = ClientIdentity(device=CONTAINER, address=HOME)
    device_service = rooms.core.device_service
    rooms.result(
        device_service.acknowledge(client_identity, "m1")
        if word == "acknowledgement"
        else device_service.settle(client_identity, Said())
    )
    device = rooms.device(CONTAINER)
    assert (device.presence, device.last_address) == (PresenceState.ONLINE, HOME)


def test_only_a_poll_signs_on(rooms: Rooms) -> None:
    """A device that said goodbye stays away though its last results still come."""
    rooms.sign_off(CONTAINER)
    speak(rooms)
    rooms.result(rooms.core.device_service.settle(ClientIdentity(device=CONTAINER), Said(message="m1")))
    assert presence(rooms, CONTAINER) is PresenceState.SIGNED_OFF
    rooms.poll(CONTAINER)
    assert presence(rooms, CONTAINER) is PresenceState.ONLINE
    assert rooms.words(CONTAINER)[-2:] == [EventType.RESULT_ORPHANED, EventType.DEVICE_ONLINE]


def test_a_sign_off_is_told_once(rooms: Rooms) -> None:
    """A device that says goodbye twice has gone once."""
    rooms.sign_off(CONTAINER)
    rooms.sign_off(CONTAINER)
    assert rooms.words(CONTAINER).count(EventType.DEVICE_SIGNED_OFF) == 1


def test_a_pending_device_may_sign_off(rooms: Rooms, clock: Clock) -> None:
    """A device that waits for an approval can go, and its poll ends as any other's."""
    rooms.register("servereye:new", Admission.PENDING)
    poll = rooms.poll("servereye:new")
    rooms.sign_off("servereye:new")
    clock.advance(1)
    assert poll.idle
    assert presence(rooms, "servereye:new") is PresenceState.SIGNED_OFF


def test_a_sign_off_is_answered_when_it_is_durable(stepped: Rooms, lane: SteppedLane) -> None:
    """A goodbye that is on its way to the store has not been answered; one that cannot be written is refused."""
    signing_off = [
        Deferred.fromCoroutine(stepped.core.device_service.sign_off(ClientIdentity(device=CONTAINER))) for _ in "ab"
    ]
    assert not any(one.called for one in signing_off)
    lane.lose()
    lane.commit()
    lane.tell()
    with pytest.raises(Unavailable):
        stepped.result(signing_off[0])
    stepped.result(signing_off[1])


def test_a_device_is_seen_for_as_long_as_its_poll_is_held(rooms: Rooms, clock: Clock) -> None:
    """A held poll counts as being here, up to this moment."""
    rooms.poll(READER)
    clock.advance(HOLD / 2)
    assert rooms.device(READER).last_seen_at == rooms.in_wall_ms(0)


@pytest.mark.parametrize("leaves", [True, False], ids=["it leaves", "it is answered"])
def test_a_device_was_last_seen_when_its_poll_ended(rooms: Rooms, clock: Clock, leaves: bool) -> None:
    """Nobody is here any longer once the poll is over, even if the device hung up."""
    poll = rooms.poll(READER)
    clock.advance(HOLD / 2)
    if leaves:
        poll.leave()
    else:
        rooms.put(READER)
    ended = rooms.in_wall_ms(0)
    clock.advance(100)
    assert rooms.device(READER).last_seen_at == ended


def test_a_takeover_leaves_the_device_here(rooms: Rooms, clock: Clock) -> None:
    """The end of the older poll does not make a device gone that holds a newer one."""
    rooms.poll(READER)
    rooms.poll(READER)
    clock.advance(5)
    assert rooms.device(READER).last_seen_at == rooms.in_wall_ms(0)


def test_where_a_device_came_from_last(rooms: Rooms) -> None:
    """Every word of a device tells where it is."""
    rooms.poll(CONTAINER, address=HOME)
    assert rooms.device(CONTAINER).last_address == HOME
    speak(rooms, address=AWAY)
    assert rooms.device(CONTAINER).last_address == AWAY


def test_sightings_are_written_in_batches(stepped: Rooms, lane: SteppedLane) -> None:
    """However many devices speak however often, seeing them costs one transaction now and then."""
    for _ in range(3):
        stepped.poll(READER, address=HOME).leave()
        stepped.poll(CONTAINER, address=AWAY).leave()
    stepped.run()
    assert stepped.stored(READER).last_seen_at is None
    flushed = stepped.start(stepped.core.presence.flush())
    assert len(lane.submitted) == 1
    stepped.result(flushed)
    assert [stepped.stored(device).last_address for device in (READER, CONTAINER)] == [HOME, AWAY]
    assert stepped.stored(READER).last_seen_at == stepped.in_wall_ms(0)


def test_an_idle_poll_asks_the_store_for_nothing(stepped: Rooms, lane: SteppedLane, clock: Clock) -> None:
    """From the second on, a poll that comes and goes in vain touches no database."""
    stepped.poll(READER)
    stepped.run()
    clock.advance(HOLD)
    poll = stepped.poll(READER)
    clock.advance(HOLD)
    assert poll.idle
    assert lane.idle


def test_a_sighting_that_was_written_is_not_written_again(rooms: Rooms, clock: Clock) -> None:
    """Only those who spoke since the last time are in a batch."""
    rooms.poll(READER).leave()
    rooms.result(rooms.core.presence.flush())
    seen = rooms.stored(READER).last_seen_at
    clock.advance(100)
    rooms.result(rooms.core.presence.flush())
    assert rooms.stored(READER).last_seen_at == seen


def test_a_crowd_is_written_in_pieces(stepped: Rooms, lane: SteppedLane, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many devices were seen, no other verb waits for all of them to be written."""
    monkeypatch.setattr("pushd.core.devices.presence.LAST_SEEN_BATCH", 2)
    devices = [READER, CONTAINER, *(stepped.register(f"controlid:{number}").id for number in range(100, 103))]
    for device in devices:
        stepped.poll(device).leave()
    stepped.run()
    flushed = stepped.start(stepped.core.presence.flush())
    for _ in range(3):
        assert len(lane.submitted) == 1
        lane.commit()
        lane.tell()
    stepped.result(flushed)
    assert all(stepped.stored(device).last_seen_at == stepped.in_wall_ms(0) for device in devices)


def test_a_sighting_that_could_not_be_written_is_not_lost(
    stepped: Rooms, lane: SteppedLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a full disk did not take is written when there is room again."""
    monkeypatch.setattr("pushd.core.devices.presence.LAST_SEEN_BATCH", 1)
    for device in (READER, CONTAINER):
        stepped.poll(device, address=HOME).leave()
    stepped.run()
    flushed = stepped.start(stepped.core.presence.flush())
    lane.lose()
    with pytest.raises(Unavailable):
        stepped.result(flushed)
    stepped.result(stepped.core.presence.flush())
    assert [stepped.stored(device).last_address for device in (READER, CONTAINER)] == [HOME, HOME]


def test_nobody_seen_is_not_written(stepped: Rooms, lane: SteppedLane) -> None:
    """While no device speaks the database rests."""
    stepped.result(stepped.core.presence.flush())
    assert lane.idle
    stepped.poll(READER).leave()
    stepped.run()
    stepped.result(stepped.core.presence.flush())
    stepped.start(stepped.core.presence.flush())
    assert lane.idle


def test_a_forgotten_device_leaves_no_trace(rooms: Rooms, clock: Clock) -> None:
    """The poll that it still holds, and the sightings that were not yet written, do not bring it back."""
    poll = rooms.poll(READER)
    rooms.result(rooms.core.registry.delete(READER))
    clock.advance(HOLD)
    assert poll.idle
    assert rooms.core.registry.get(READER) is None
    rooms.register(READER)
    rooms.result(rooms.core.presence.flush())
    assert rooms.device(READER).presence is PresenceState.NEVER_SEEN
    assert rooms.device(READER).last_seen_at is None


def test_a_device_that_comes_back_while_the_store_is_down(stepped: Rooms, lane: SteppedLane) -> None:
    """If it could not be written that a device is back, its next poll writes it."""
    stepped.sign_off(CONTAINER)
    stepped.poll(CONTAINER).leave()
    lane.lose()
    stepped.run()
    stepped.poll(CONTAINER)
    stepped.run()
    assert presence(stepped, CONTAINER) is PresenceState.ONLINE
    stepped.put(CONTAINER)


def come_in_vain(stepped: Rooms, lane: SteppedLane, *devices: str) -> None:
    """Devices that poll and hang up while the store is away."""
    for device in devices:
        stepped.poll(device).leave()
        lane.lose()
    stepped.run()


def test_a_device_that_is_back_is_not_missed(stepped: Rooms, lane: SteppedLane) -> None:
    """A device whose return could not be written is not called silent when the store is there again, though it says no
    more until then.
    """
    stepped.poll(READER).leave()
    stepped.run()
    stepped.watch(TIMEOUT + WINDOW - 1)
    assert presence(stepped) is PresenceState.OFFLINE
    come_in_vain(stepped, lane, READER)
    for _ in range(2):
        stepped.clock.advance(1)
        stepped.sweep()
    assert EventType.ALERT_RAISED not in stepped.words()
    assert presence(stepped) is PresenceState.ONLINE


def test_a_return_is_written_with_the_sightings(stepped: Rooms, lane: SteppedLane) -> None:
    """Also where nothing else looks after it, that a device is back is durable within seconds."""
    come_in_vain(stepped, lane, READER, CONTAINER)
    stepped.result(stepped.core.presence.flush())
    assert {presence(stepped, device) for device in (READER, CONTAINER)} == {PresenceState.ONLINE}


def test_a_store_that_stays_away_is_not_stormed(stepped: Rooms, lane: SteppedLane) -> None:
    """However many are back, a few are tried at a time; while those cannot be written the others wait, and none is
    lost.
    """
    crowd = [stepped.register(f"controlid:{number}").id for number in range(100, 100 + ONLINE_BATCH + 1)]
    come_in_vain(stepped, lane, *crowd)
    caught_up = stepped.start(stepped.core.presence.save_returned())
    assert len(lane.submitted) == ONLINE_BATCH
    lane.lose()
    with pytest.raises(Unavailable):
        stepped.result(caught_up)
    written = stepped.words().count(EventType.DEVICE_ONLINE)
    assert written == ONLINE_BATCH - 1
    stepped.result(stepped.core.presence.save_returned())
    assert stepped.words().count(EventType.DEVICE_ONLINE) == len(crowd)


def test_a_device_that_came_and_went_while_the_store_was_away(stepped: Rooms, lane: SteppedLane) -> None:
    """A container that said goodbye after all is not written as online."""
    come_in_vain(stepped, lane, CONTAINER)
    stepped.sign_off(CONTAINER)
    stepped.result(stepped.core.presence.save_returned())
    assert presence(stepped, CONTAINER) is PresenceState.SIGNED_OFF


def test_a_crowd_can_be_shown(rooms: Rooms) -> None:
    """Whoever prints what memory holds of a crowd has it at once, however many are to be looked at in the same
    second.
    """
    for number in range(100, 200):
        rooms.register(f"controlid:{number}")
        rooms.poll(f"controlid:{number}")
    assert len(repr(rooms.core.presence._entries)) < 100_000
