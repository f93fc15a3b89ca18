"""Tests of events."""

from pushd.model.event import Event, EventType, to_json

PROMISED_EVENTS = """
    device.registered device.pending device.approved device.blocked device.deleted device.online device.offline
    device.signed_off device.changed device.conflict command.queued command.sent command.acknowledged
    command.succeeded command.failed command.expired command.cancelled command.unknown command.resolved
    result.orphaned alert.raised alert.cleared alert.acknowledged webhook.failed
"""


def test_the_documented_event_types_exist() -> None:
    """Every event type that clients may rely on exists, and no other."""
    assert set(EventType) == set(PROMISED_EVENTS.split())


def test_an_event_is_shown_with_an_opaque_number_and_a_timestamp() -> None:
    """Clients see ``seq`` as a string and ``at`` as RFC 3339, and the data as it is."""
    event = Event(seq=7, type=EventType.DEVICE_ONLINE, at=0, device="controlid:1", by="ana", data={"after": "offline"})
    assert to_json(event) == {
        "seq": "7",
        "type": "device.online",
        "at": "1970-01-01T00:00:00.000Z",
        "device": "controlid:1",
        "by": "ana",
        "command": None,
        "data": {"after": "offline"},
    }
