"""Tests of the few things that plain values say by themselves."""

import pytest

from pushd.model.dialect import Dialect
from pushd.model.errors import Conflict, EventsPurged, FieldError, InvalidFields
from pushd.model.event import EventType

PROMISED_EVENTS = """
    device.registered device.pending device.approved device.blocked device.deleted device.online device.offline
    device.signed_off device.changed device.conflict command.queued command.sent command.acknowledged
    command.succeeded command.failed command.expired command.cancelled command.unknown command.resolved
    result.orphaned alert.raised alert.cleared alert.acknowledged webhook.failed
"""


def dialect(name: str) -> Dialect:
    """A dialect that says no more than it must."""
    return Dialect(
        name=name,
        lease=30,
        hold=45,
        heartbeat=120,
        one_at_a_time=False,
        keys=True,
        canonical=str,
        check=lambda payload: None,
    )


def test_a_device_is_named_by_its_dialect_and_its_own_id() -> None:
    """The same local id in two dialects names two devices."""
    assert dialect("controlid").device("7") == "controlid:7"
    assert dialect("servereye").device("7") == "servereye:7"


def test_commands_travel_alone_unless_a_dialect_says_otherwise() -> None:
    """A dialect that does not speak of batches has none."""
    assert not dialect("servereye").batchable({"control": "REFRESH_AGENT"})


def test_the_feed_speaks_the_promised_words() -> None:
    """Every type of event that programs may wait for exists, and no other."""
    assert set(EventType) == set(PROMISED_EVENTS.split())


def test_all_wrong_fields_are_named() -> None:
    """Whoever sent several wrong fields reads of each of them."""
    error = InvalidFields([FieldError("#/ttl", "must be positive"), FieldError("#/bogus", "is unknown")])
    assert str(error) == "#/ttl: must be positive; #/bogus: is unknown"
    assert [each.pointer for each in error.errors] == ["#/ttl", "#/bogus"]


def test_purged_events_tell_where_the_feed_begins() -> None:
    """A program that comes too late learns from where it can go on."""
    assert EventsPurged(17).oldest == 17


@pytest.mark.parametrize("kind", Conflict.__subclasses__())
def test_each_conflict_has_its_own_name(kind: type[Conflict]) -> None:
    """Programs can tell conflicts apart by a name."""
    names = [each.kind for each in Conflict.__subclasses__()]
    assert names.count(kind.kind) == 1
    assert kind.kind != Conflict.kind
