"""Tests of :mod:`pushd.notifications.sentences`."""

from typing import Any

import pytest

from pushd.model.event import EventType
from pushd.model.webhook import TEST_TYPE
from pushd.notifications.sentences import NAME, event_sentence

DEVICE = "controlid:1"
GATE = {"name": "Main gate"}


def sentence(kind: str, device: str | None = DEVICE, by: str | None = None, **data: Any) -> str:
    """The sentence about an event."""
    return event_sentence({"type": kind, "device": device, "by": by, "data": data})


@pytest.mark.parametrize("kind", [*EventType, TEST_TYPE])
@pytest.mark.parametrize("device", [DEVICE, None])
def test_each_type_has_a_sentence(kind: str, device: str | None) -> None:
    """Each event is a sentence, even if it has no data; none shows its type, or that a value is missing."""
    text = sentence(kind, device)
    assert text.endswith(".")
    assert kind == TEST_TYPE or kind not in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("Main gate (controlid:1) is offline: no report for more than 2 min.",
         {"kind": "device.offline", **GATE, "heartbeat_timeout": 120}),
        ("Main gate (controlid:1) is online again.", {"kind": "device.online", **GATE, "after": "offline"}),
        ("controlid:1 is online.", {"kind": "device.online", "after": "never_seen"}),
        ("controlid:1 was approved (by Ana).", {"kind": "device.approved", "by": "Ana"}),
        ("controlid:1 was changed: name, tags (by Ana).",
         {"kind": "device.changed", "by": "Ana", "fields": ["name", "tags"]}),
        ("door for Main gate (controlid:1) succeeded (by lobby, trace T-17).",
         {"kind": "command.succeeded", **GATE, "endpoint": "door", "by": "lobby", "trace": "T-17"}),
        ("load_objects, door for controlid:1 failed: no such user.",
         {"kind": "command.failed", "endpoints": ["load_objects", "door"], "error": "no such user"}),
        ("a command for controlid:1 has an unknown outcome: it may have run: no result.",
         {"kind": "command.unknown", "error": "no result"}),
        ("door for controlid:1 was sent.", {"kind": "command.sent", "endpoint": "door", "attempt": 1}),
        ("door for controlid:1 was queued again.", {"kind": "command.queued", "endpoint": "door", "reason": "lapsed"}),
        ("door for controlid:1 was resolved as failed (by Ana).",
         {"kind": "command.resolved", "endpoint": "door", "state": "failed", "by": "Ana"}),
        ("Alert: Main gate (controlid:1) is offline.",
         {"kind": "alert.raised", **GATE, "of": "offline", "count": 1}),
        ("Alert: 40 devices of Lisbon behind 192.0.2.1 are offline.",
         {"kind": "alert.raised", "of": "site_offline", "count": 40, "site": "Lisbon", "address": "192.0.2.1"}),
        ("Resolved after 3 min: Main gate (controlid:1) is flapping.",
         {"kind": "alert.cleared", **GATE, "of": "flapping", "count": 1, "duration": 200.0}),
        ("Acknowledged: webhook 17 was disabled (by Ana).",
         {"kind": "alert.acknowledged", "of": "webhook", "webhook": "17", "by": "Ana"}),
        ("Webhook 17 was disabled: the receiver answered 410 Gone.",
         {"kind": "webhook.failed", "webhook": "17", "reason": "the receiver answered 410 Gone"}),
    ],
)  # fmt: skip
def test_sentences(text: str, event: dict[str, Any]) -> None:
    """A sentence says what happened to which device, and who caused it."""
    data = dict(event)
    kind, by = data.pop("kind"), data.pop("by", None)
    if "of" in data:
        data["kind"] = data.pop("of")
    assert event_sentence({"type": kind, "device": DEVICE, "by": by, "data": data}) == text


def test_untrusted_names() -> None:
    """A name cannot begin another line, and is cut."""
    text = sentence("device.blocked", name="Gate\nAlert: \x1b[31mall doors open" + "x" * 100)
    assert text.isprintable()
    assert text.startswith("Gate?Alert: ?[31mall")
    assert text.index(" (controlid:1)") == NAME
