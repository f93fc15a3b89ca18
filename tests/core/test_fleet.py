"""Tests of the devices that are known."""

import pytest

from pushd.model.device import Admission, PresenceState, ProofKind
from pushd.model.errors import DeviceKnown, InvalidQuery, UnknownDevice
from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.store.filters import Settlement
from tests.core.harness import CONTAINER, READER, Rooms
from tests.stepped import SteppedStore

NEW = "controlid:99"


def test_a_device_begins_with_its_dialects_defaults(rooms: Rooms) -> None:
    """What nobody chose is as usual for its kind."""
    reader, container = rooms.stored(READER), rooms.stored(CONTAINER)
    assert (reader.dialect, reader.heartbeat_timeout) == ("controlid", 120.0)
    assert (container.dialect, container.heartbeat_timeout) == ("servereye", 1200.0)
    assert reader.created_at == rooms.in_wall_ms(0)
    assert (reader.hold, reader.learned_hold, reader.tags, reader.allow_from) == (None, None, (), ())


def test_what_an_operator_chooses_wins(rooms: Rooms) -> None:
    """A device may be registered with any of its fields."""
    device = rooms.register(NEW, heartbeat_timeout=7.0, name="front door", tags=("a", "b"))
    assert (device.heartbeat_timeout, device.name, device.tags) == (7.0, "front door", ("a", "b"))
    assert rooms.stored(NEW) == device == rooms.core.registry.get_or_raise(NEW)


def test_no_device_is_registered_twice(rooms: Rooms) -> None:
    """The second time is an error, and changes nothing."""
    before = rooms.stored(READER)
    with pytest.raises(DeviceKnown):
        rooms.register(READER, name="other")
    assert rooms.stored(READER) == before == rooms.core.registry.get_or_raise(READER)


def test_an_unknown_device_is_an_error(rooms: Rooms) -> None:
    """There is nothing to change, to forget, or to give a secret to."""
    registry = rooms.core.registry
    assert registry.get(NEW) is None
    with pytest.raises(UnknownDevice):
        registry.get_or_raise(NEW)
    for wanted in (registry.change(NEW, {"name": "x"}), registry.delete(NEW)):
        with pytest.raises(UnknownDevice):
            rooms.result(wanted)
    with pytest.raises(UnknownDevice):
        rooms.result(registry.issue_credential(NEW, ProofKind.SECRET, 0))


def test_a_change_is_known_at_once(rooms: Rooms) -> None:
    """Memory and store agree, and the feed tells which fields it was."""
    device = rooms.result(rooms.core.registry.change(READER, {"name": "gate", "tags": ("x",)}))
    assert device == rooms.core.registry.get_or_raise(READER) == rooms.stored(READER)
    assert rooms.told[-1].type is EventType.DEVICE_CHANGED
    assert rooms.told[-1].data == {"fields": ["name", "tags"]}


def test_a_change_counts_when_it_is_durable(stepped: Rooms, store: SteppedStore) -> None:
    """A change that cannot be written has not happened."""
    change = stepped.start(stepped.core.registry.change(READER, {"admission": Admission.BLOCKED}))
    store.lane.lose()
    stepped.run()
    assert change.called
    change.addErrback(lambda _: None)
    assert stepped.core.registry.get_or_raise(READER).admission is Admission.APPROVED


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("controlid:4408801109440198", "controlid:4408801109440198"),
        ("controlid:-007", "controlid:-7"),
        ("controlid:-0", "controlid:0"),
        ("servereye:AbC", "servereye:AbC"),
    ],
)
def test_an_id_is_written_in_one_way(rooms: Rooms, given: str, canonical: str) -> None:
    """Whatever spelling an operator uses, it is the device that polls."""
    assert rooms.core.registry.canonical_id(given) == canonical


@pytest.mark.parametrize("given", ["controlid:x", "controlid:", "controlid:9223372036854775808", "servereye:a/b"])
def test_what_its_dialect_cannot_read_is_no_id(rooms: Rooms, given: str) -> None:
    """Such a device could never poll."""
    with pytest.raises(InvalidQuery):
        rooms.core.registry.canonical_id(given)


@pytest.mark.parametrize("given", ["", "7", "telnet:7", "CONTROLID:7"])
def test_what_has_no_dialect_is_no_id(rooms: Rooms, given: str) -> None:
    """The error says what ids look like."""
    with pytest.raises(UnknownDevice, match=r"controlid:\.\.\., servereye:\.\.\."):
        rooms.core.registry.canonical_id(given)


def test_pending_devices_are_counted(rooms: Rooms) -> None:
    """Each counts until somebody decides about it, or forgets it."""
    registry = rooms.core.registry
    for number in (1, 2, 3):
        rooms.register(f"controlid:10{number}", Admission.PENDING)
    assert registry.pending_count == 3
    rooms.result(registry.change("controlid:101", {"admission": Admission.APPROVED}))
    rooms.result(registry.change("controlid:102", {"admission": Admission.BLOCKED}))
    rooms.result(registry.delete("controlid:103"))
    assert registry.pending_count == 0


def test_forgetting_ends_what_is_open(rooms: Rooms) -> None:
    """What was queued is cancelled, what is out is in doubt, and the history stays."""
    out, queued = rooms.put(READER), rooms.put(READER)
    rooms.poll(READER)
    rooms.result(rooms.core.registry.delete(READER))
    assert [rooms.command(command).state for command in (out, queued)] == [State.UNKNOWN, State.CANCELLED]
    assert rooms.words(READER)[-1] == EventType.DEVICE_DELETED
    with pytest.raises(UnknownDevice):
        rooms.put(READER)


def test_a_poll_of_a_forgotten_device_is_handed_nothing(rooms: Rooms) -> None:
    """A poll that is still held ends, though the device is registered again; its next poll is that of the new
    device.
    """
    poll = rooms.poll(READER)
    rooms.result(rooms.core.registry.delete(READER))
    rooms.register(READER)
    command = rooms.put(READER)
    rooms.clock.advance(0.1)
    assert poll.idle
    assert rooms.poll(READER).commands == [command]


def test_forgetting_leaves_nothing_to_look_for(rooms: Rooms) -> None:
    """Nobody looks into the store for a device whose commands are gone."""
    poll = rooms.poll(READER)
    rooms.put(READER, not_before=rooms.in_wall_ms(5))
    rooms.result(rooms.core.registry.delete(READER))
    assert poll.held
    assert rooms.core.command_queue.command_index.due(READER) is None


def test_what_a_forgotten_device_reports_is_no_orphan(rooms: Rooms) -> None:
    """Results are kept for approved devices only."""
    rooms.result(rooms.core.registry.delete(READER))
    assert rooms.report(READER, uuid="u1") is Settlement.DROPPED


def test_who_has_something_to_prove_itself_with(rooms: Rooms) -> None:
    """An operator sees which devices anybody could be."""
    registry = rooms.core.registry
    assert not registry.has_proof(registry.get_or_raise(READER))
    assert registry.has_proof(rooms.register(NEW, allow_from=("10.0.0.0/8",)))
    rooms.result(registry.issue_credential(READER, ProofKind.SECRET, 0))
    assert registry.has_proof(registry.get_or_raise(READER))
    assert registry.required_credentials(READER) == {ProofKind.SECRET}
    assert rooms.told[-1].data == {"fields": ["secret"]}


def test_a_device_that_is_registered_again_is_new(rooms: Rooms) -> None:
    """It has forgotten who it was."""
    rooms.poll(READER).leave()
    rooms.result(rooms.core.registry.delete(READER))
    rooms.register(READER)
    assert rooms.device(READER).presence is PresenceState.NEVER_SEEN
