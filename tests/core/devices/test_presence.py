"""Tests of who is here, and of for how long devices are deaf."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.devices.admission import ClientIdentity
from pushd.core.devices.presence import ONLINE_BATCH
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import Unavailable
from pushd.model.event import EventType
from tests.core.harness import CONTAINER, READER, CoreHarness
from tests.stepped import SteppedExecutor
from tests.store.samples import StubResult

HOLD = 10.0
TIMEOUT = 120
WINDOW = 30
HOME, AWAY = "192.0.2.1", "192.0.2.2"


def presence(harness: CoreHarness, device: str = READER) -> PresenceState:
    """Whether a device is there, as it is stored."""
    return harness.stored(device).presence


def speak(harness: CoreHarness, device: str = CONTAINER, address: str | None = None) -> None:
    """Acknowledge something, whatever it is."""
    harness.result(
        harness.core.device_service.acknowledge(ClientIdentity(device=device, address=address), "no-such-command")
    )


def test_a_device_that_never_came_was_never_seen(harness: CoreHarness) -> None:
    """A device that an operator registered has not been here."""
    device = harness.device(READER)
    assert (device.presence, device.last_seen_at, device.last_address) == (PresenceState.NEVER_SEEN, None, None)


def test_a_poll_makes_a_device_online(harness: CoreHarness) -> None:
    """The first poll is told, the others are not."""
    harness.poll(READER)
    harness.poll(READER)
    assert presence(harness) is PresenceState.ONLINE
    assert harness.event_types(READER).count(EventType.DEVICE_ONLINE) == 1


@pytest.mark.parametrize("word", ["acknowledgement", "result"])
def test_a_word_of_a_device_makes_it_online(harness: CoreHarness, word: str) -> None:
    """Whoever acknowledges or reports is there, whatever it is about."""
    client_identity = ClientIdentity(device=CONTAINER, address=HOME)
    device_service = harness.core.device_service
    harness.result(
        device_service.acknowledge(client_identity, "m1")
        if word == "acknowledgement"
        else device_service.settle(client_identity, StubResult())
    )
    device = harness.device(CONTAINER)
    assert (device.presence, device.last_address) == (PresenceState.ONLINE, HOME)


def test_only_a_poll_signs_on(harness: CoreHarness) -> None:
    """A device that said goodbye stays away though its last results still come."""
    harness.sign_off(CONTAINER)
    speak(harness)
    harness.result(harness.core.device_service.settle(ClientIdentity(device=CONTAINER), StubResult(message="m1")))
    assert presence(harness, CONTAINER) is PresenceState.SIGNED_OFF
    harness.poll(CONTAINER)
    assert presence(harness, CONTAINER) is PresenceState.ONLINE
    assert harness.event_types(CONTAINER)[-2:] == [EventType.RESULT_ORPHANED, EventType.DEVICE_ONLINE]


def test_a_sign_off_is_told_once(harness: CoreHarness) -> None:
    """A device that says goodbye twice has gone once."""
    harness.sign_off(CONTAINER)
    harness.sign_off(CONTAINER)
    assert harness.event_types(CONTAINER).count(EventType.DEVICE_SIGNED_OFF) == 1


def test_a_pending_device_may_sign_off(harness: CoreHarness, clock: Clock) -> None:
    """A device that waits for an approval can go, and its poll ends as any other's."""
    harness.register("servereye:new", Admission.PENDING)
    poll = harness.poll("servereye:new")
    harness.sign_off("servereye:new")
    clock.advance(1)
    assert poll.idle
    assert presence(harness, "servereye:new") is PresenceState.SIGNED_OFF


def test_a_sign_off_is_answered_when_it_is_durable(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A goodbye that is on its way to the store has not been answered; one that cannot be written is refused."""
    signing_off = [
        Deferred.fromCoroutine(stepped.core.device_service.sign_off(ClientIdentity(device=CONTAINER))) for _ in "ab"
    ]
    assert not any(one.called for one in signing_off)
    executor.fail()
    executor.commit()
    executor.notify()
    with pytest.raises(Unavailable):
        stepped.result(signing_off[0])
    stepped.result(signing_off[1])


def test_a_device_is_seen_for_as_long_as_its_poll_is_held(harness: CoreHarness, clock: Clock) -> None:
    """A held poll counts as being here, up to this moment."""
    harness.poll(READER)
    clock.advance(HOLD / 2)
    assert harness.device(READER).last_seen_at == harness.wall_ms_in(0)


@pytest.mark.parametrize("leaves", [True, False], ids=["it leaves", "it is answered"])
def test_a_device_was_last_seen_when_its_poll_ended(harness: CoreHarness, clock: Clock, leaves: bool) -> None:
    """Nobody is here any longer once the poll is over, even if the device hung up."""
    poll = harness.poll(READER)
    clock.advance(HOLD / 2)
    if leaves:
        poll.disconnect()
    else:
        harness.put(READER)
    ended = harness.wall_ms_in(0)
    clock.advance(100)
    assert harness.device(READER).last_seen_at == ended


def test_a_takeover_leaves_the_device_here(harness: CoreHarness, clock: Clock) -> None:
    """The end of the older poll does not make a device gone that holds a newer one."""
    harness.poll(READER)
    harness.poll(READER)
    clock.advance(5)
    assert harness.device(READER).last_seen_at == harness.wall_ms_in(0)


def test_where_a_device_came_from_last(harness: CoreHarness) -> None:
    """Every word of a device tells where it is."""
    harness.poll(CONTAINER, address=HOME)
    assert harness.device(CONTAINER).last_address == HOME
    speak(harness, address=AWAY)
    assert harness.device(CONTAINER).last_address == AWAY


def test_sightings_are_written_in_batches(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """However many devices speak however often, seeing them costs one transaction now and then."""
    for _ in range(3):
        stepped.poll(READER, address=HOME).disconnect()
        stepped.poll(CONTAINER, address=AWAY).disconnect()
    stepped.run()
    assert stepped.stored(READER).last_seen_at is None
    flushed = stepped.start(stepped.core.presence.flush())
    assert len(executor.submitted) == 1
    stepped.result(flushed)
    assert [stepped.stored(device).last_address for device in (READER, CONTAINER)] == [HOME, AWAY]
    assert stepped.stored(READER).last_seen_at == stepped.wall_ms_in(0)


def test_an_idle_poll_asks_the_store_for_nothing(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock
) -> None:
    """From the second on, a poll that comes and goes in vain touches no database."""
    stepped.poll(READER)
    stepped.run()
    clock.advance(HOLD)
    poll = stepped.poll(READER)
    clock.advance(HOLD)
    assert poll.idle
    assert executor.idle


def test_a_sighting_that_was_written_is_not_written_again(harness: CoreHarness, clock: Clock) -> None:
    """Only those who spoke since the last time are in a batch."""
    harness.poll(READER).disconnect()
    harness.result(harness.core.presence.flush())
    seen = harness.stored(READER).last_seen_at
    clock.advance(100)
    harness.result(harness.core.presence.flush())
    assert harness.stored(READER).last_seen_at == seen


def test_a_crowd_is_written_in_pieces(
    stepped: CoreHarness, executor: SteppedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many devices were seen, no other verb waits for all of them to be written."""
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


def test_a_sighting_that_could_not_be_written_is_not_lost(
    stepped: CoreHarness, executor: SteppedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a full disk did not take is written when there is room again."""
    monkeypatch.setattr("pushd.core.devices.presence.LAST_SEEN_BATCH", 1)
    for device in (READER, CONTAINER):
        stepped.poll(device, address=HOME).disconnect()
    stepped.run()
    flushed = stepped.start(stepped.core.presence.flush())
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(flushed)
    stepped.result(stepped.core.presence.flush())
    assert [stepped.stored(device).last_address for device in (READER, CONTAINER)] == [HOME, HOME]


def test_nobody_seen_is_not_written(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """While no device speaks the database rests."""
    stepped.result(stepped.core.presence.flush())
    assert executor.idle
    stepped.poll(READER).disconnect()
    stepped.run()
    stepped.result(stepped.core.presence.flush())
    stepped.start(stepped.core.presence.flush())
    assert executor.idle


def test_a_forgotten_device_leaves_no_trace(harness: CoreHarness, clock: Clock) -> None:
    """The poll that it still holds, and the sightings that were not yet written, do not bring it back."""
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
    """If it could not be written that a device is back, its next poll writes it."""
    stepped.sign_off(CONTAINER)
    stepped.poll(CONTAINER).disconnect()
    executor.fail()
    stepped.run()
    stepped.poll(CONTAINER)
    stepped.run()
    assert presence(stepped, CONTAINER) is PresenceState.ONLINE
    stepped.put(CONTAINER)


def come_in_vain(stepped: CoreHarness, executor: SteppedExecutor, *devices: str) -> None:
    """Devices that poll and hang up while the store is away."""
    for device in devices:
        stepped.poll(device).disconnect()
        executor.fail()
    stepped.run()


def test_a_device_that_is_back_is_not_missed(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A device whose return could not be written is not called silent when the store is there again, though it says no
    more until then.
    """
    stepped.poll(READER).disconnect()
    stepped.run()
    stepped.pass_time(TIMEOUT + WINDOW - 1)
    assert presence(stepped) is PresenceState.OFFLINE
    come_in_vain(stepped, executor, READER)
    for _ in range(2):
        stepped.clock.advance(1)
        stepped.sweep()
    assert EventType.ALERT_RAISED not in stepped.event_types()
    assert presence(stepped) is PresenceState.ONLINE


def test_a_return_is_written_with_the_sightings(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """Also where nothing else looks after it, that a device is back is durable within seconds."""
    come_in_vain(stepped, executor, READER, CONTAINER)
    stepped.result(stepped.core.presence.flush())
    assert {presence(stepped, device) for device in (READER, CONTAINER)} == {PresenceState.ONLINE}


def test_a_store_that_stays_away_is_not_stormed(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """However many are back, a few are tried at a time; while those cannot be written the others wait, and none is
    lost.
    """
    crowd = [stepped.register(f"controlid:{number}").id for number in range(100, 100 + ONLINE_BATCH + 1)]
    come_in_vain(stepped, executor, *crowd)
    caught_up = stepped.start(stepped.core.presence.save_returned())
    assert len(executor.submitted) == ONLINE_BATCH
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(caught_up)
    written = stepped.event_types().count(EventType.DEVICE_ONLINE)
    assert written == ONLINE_BATCH - 1
    stepped.result(stepped.core.presence.save_returned())
    assert stepped.event_types().count(EventType.DEVICE_ONLINE) == len(crowd)


def test_a_device_that_came_and_went_while_the_store_was_away(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A container that said goodbye after all is not written as online."""
    come_in_vain(stepped, executor, CONTAINER)
    stepped.sign_off(CONTAINER)
    stepped.result(stepped.core.presence.save_returned())
    assert presence(stepped, CONTAINER) is PresenceState.SIGNED_OFF


def test_a_crowd_can_be_shown(harness: CoreHarness) -> None:
    """Whoever prints what memory holds of a crowd has it at once, however many are to be looked at in the same
    second.
    """
    for number in range(100, 200):
        harness.register(f"controlid:{number}")
        harness.poll(f"controlid:{number}")
    assert len(repr(harness.core.presence._entries)) < 100_000
