"""Tests of the device registry."""

import pytest

from pushd.model.device import Admission, PresenceState, ProofKind
from pushd.model.errors import DeviceKnown, InvalidQuery, UnknownDevice
from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.rules.outcomes import Settlement
from tests.core.harness import CONTAINER, READER, CoreHarness
from tests.stepped import SteppedStore

NEW = "controlid:99"


def test_a_device_has_the_defaults_of_its_dialect(harness: CoreHarness) -> None:
    """Fields that are not chosen have the defaults of the dialect."""
    reader, container = harness.stored(READER), harness.stored(CONTAINER)
    assert (reader.dialect, reader.heartbeat_timeout) == ("controlid", 120.0)
    assert (container.dialect, container.heartbeat_timeout) == ("servereye", 1200.0)
    assert reader.created_at == harness.wall_ms_in(0)
    assert (reader.hold, reader.learned_hold, reader.tags, reader.allow_from) == (None, None, (), ())


def test_an_operator_may_choose_any_field(harness: CoreHarness) -> None:
    """A device may be registered with any of its fields."""
    device = harness.register(NEW, heartbeat_timeout=7.0, name="front door", tags=("a", "b"))
    assert (device.heartbeat_timeout, device.name, device.tags) == (7.0, "front door", ("a", "b"))
    assert harness.stored(NEW) == device == harness.core.registry.get_or_raise(NEW)


def test_no_device_is_registered_twice(harness: CoreHarness) -> None:
    """The second registration is an error, and changes nothing."""
    before = harness.stored(READER)
    with pytest.raises(DeviceKnown):
        harness.register(READER, name="other")
    assert harness.stored(READER) == before == harness.core.registry.get_or_raise(READER)


def test_an_unknown_device_is_an_error(harness: CoreHarness) -> None:
    """An unknown device cannot be changed, deleted, or given a secret."""
    registry = harness.core.registry
    assert registry.get(NEW) is None
    with pytest.raises(UnknownDevice):
        registry.get_or_raise(NEW)
    for operation in (registry.change(NEW, {"name": "x"}), registry.delete(NEW)):
        with pytest.raises(UnknownDevice):
            harness.result(operation)
    with pytest.raises(UnknownDevice):
        harness.result(registry.issue_credential(NEW, ProofKind.SECRET, 0))


def test_device_whose_id_is_refused_now(harness: CoreHarness) -> None:
    """A device that an earlier version registered can be deleted, though its id is refused now."""
    registry = harness.core.registry
    with pytest.raises(InvalidQuery):
        registry.canonical_id("servereye:push")
    harness.register("servereye:push")
    assert registry.canonical_id("servereye:push") == "servereye:push"
    harness.result(registry.delete("servereye:push"))
    with pytest.raises(InvalidQuery):
        registry.canonical_id("servereye:push")


def test_a_change_is_known_at_once(harness: CoreHarness) -> None:
    """Memory and store agree, and the event names the fields."""
    device = harness.result(harness.core.registry.change(READER, {"name": "gate", "tags": ("x",)}))
    assert device == harness.core.registry.get_or_raise(READER) == harness.stored(READER)
    assert harness.events[-1].type is EventType.DEVICE_CHANGED
    assert harness.events[-1].data["fields"] == ["name", "tags"]


def test_a_change_counts_when_it_is_durable(stepped: CoreHarness, store: SteppedStore) -> None:
    """A change that cannot be saved has no effect."""
    change = stepped.start(stepped.core.registry.change(READER, {"admission": Admission.BLOCKED}))
    store.executor.fail()
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
def test_an_id_has_one_spelling(harness: CoreHarness, given: str, canonical: str) -> None:
    """Whatever spelling an operator uses, it is the id with which the device polls."""
    assert harness.core.registry.canonical_id(given) == canonical


@pytest.mark.parametrize("given", ["controlid:x", "controlid:", "controlid:9223372036854775808", "servereye:a/b"])
def test_an_id_that_its_dialect_refuses(harness: CoreHarness, given: str) -> None:
    """A device with such an id could never poll."""
    with pytest.raises(InvalidQuery):
        harness.core.registry.canonical_id(given)


@pytest.mark.parametrize("given", ["", "7", "telnet:7", "CONTROLID:7"])
def test_an_id_without_a_dialect(harness: CoreHarness, given: str) -> None:
    """The error says what ids look like."""
    with pytest.raises(UnknownDevice, match="controlid:<id> or servereye:<id>"):
        harness.core.registry.canonical_id(given)


def test_pending_devices_are_counted(harness: CoreHarness) -> None:
    """A device counts until it is approved, blocked or deleted."""
    registry = harness.core.registry
    for number in (1, 2, 3):
        harness.register(f"controlid:10{number}", Admission.PENDING)
    assert registry.pending_count == 3
    harness.result(registry.change("controlid:101", {"admission": Admission.APPROVED}))
    harness.result(registry.change("controlid:102", {"admission": Admission.BLOCKED}))
    harness.result(registry.delete("controlid:103"))
    assert registry.pending_count == 0


def test_deleting_a_device_ends_its_commands(harness: CoreHarness) -> None:
    """Queued commands are cancelled, commands in flight become unknown, and the history stays."""
    out, queued = harness.put(READER), harness.put(READER)
    harness.poll(READER)
    harness.result(harness.core.registry.delete(READER))
    assert [harness.command(command).state for command in (out, queued)] == [State.UNKNOWN, State.CANCELLED]
    assert harness.event_types(READER)[-1] == EventType.DEVICE_DELETED
    with pytest.raises(UnknownDevice):
        harness.put(READER)


def test_a_poll_of_a_deleted_device_gets_no_commands(harness: CoreHarness) -> None:
    """The held poll ends, even if the device is registered again; its next poll belongs to the new device."""
    poll = harness.poll(READER)
    harness.result(harness.core.registry.delete(READER))
    harness.register(READER)
    command = harness.put(READER)
    harness.clock.advance(0.1)
    assert poll.idle
    assert harness.poll(READER).commands == [command]


def test_deleting_a_device_empties_its_queue(harness: CoreHarness) -> None:
    """No poll asks the store for the commands of a deleted device."""
    poll = harness.poll(READER)
    harness.put(READER, not_before=harness.wall_ms_in(5))
    harness.result(harness.core.registry.delete(READER))
    assert poll.held
    assert not harness.core.store.has_queued(READER)


def test_a_result_of_a_deleted_device_is_not_stored(harness: CoreHarness) -> None:
    """Orphan results are kept for approved devices only."""
    harness.result(harness.core.registry.delete(READER))
    assert harness.report(READER, uuid="u1") is Settlement.DROPPED


def test_the_registry_knows_which_devices_have_a_proof(harness: CoreHarness) -> None:
    """The registry says which devices have a proof configured."""
    registry = harness.core.registry
    assert not registry.has_proof(registry.get_or_raise(READER))
    assert registry.has_proof(harness.register(NEW, allow_from=("10.0.0.0/8",)))
    harness.result(registry.issue_credential(READER, ProofKind.SECRET, 0))
    assert registry.has_proof(registry.get_or_raise(READER))
    assert registry.required_credentials[READER] == {ProofKind.SECRET}
    assert harness.events[-1].data["fields"] == ["secret"]


def test_a_device_that_is_registered_again_is_new(harness: CoreHarness) -> None:
    """A device that is deleted and registered again has no presence."""
    harness.poll(READER).disconnect()
    harness.result(harness.core.registry.delete(READER))
    harness.register(READER)
    assert harness.device(READER).presence is PresenceState.NEVER_SEEN
