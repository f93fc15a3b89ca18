"""Schemas of what the API shows of events: one for each kind of data, and for all events their union, by the type."""

from collections.abc import Iterable
from typing import get_type_hints

from pushd.admin import json_views
from pushd.admin.json_schema import (
    ANY_OBJECT,
    TIMESTAMP,
    Component,
    Schema,
    annotations,
    described,
    nullable,
    schema_of,
)
from pushd.admin.view_schemas.components import TEXT, component, log_page, small, words
from pushd.model.event import Event, EventType
from pushd.model.event_data import EVENT_DATA
from pushd.model.webhook import TEST_TYPE

_TEXTS = {
    "seq": "its position in the log; opaque",
    "type": "what happened",
    "at": "when, by the wall clock of the server",
    "device": "the device that it is about",
    "by": "the name of the token or person that caused it; null: a device or the server did",
    "command": "the command that it is about",
    "data": "more, by its type",
}
_DATA_TEXTS = {
    "name": "the name of the device then",
    "site": "where the device stood then; of an alert, the site that its devices share",
    "tags": "the tags of the device then",
    "fields": "the names of what has changed; ``secret`` and ``api_key`` among them",
    "facts": "what the device has said of itself",
    "after": "its presence before",
    "suppressed": "how many events it stands for: those that were too many in a minute",
    "heartbeat_timeout": "seconds for which it has not reported",
    "takeovers": "how often its polls replaced each other within ten seconds",
    "endpoint": "what the command calls, unless it is a batch",
    "endpoints": "what a batch calls",
    "trace": "what the sender notes about the command",
    "resend_of": "the command of which it is a repetition",
    "reason": "why",
    "attempt": "the number of this attempt, from 1",
    "attempts": "how often the command was sent so far",
    "error": "what went wrong, in one line",
    "late": "true if the result came when no lease was open",
    "state": "the outcome that the operator set",
    "note": "how the operator knows",
    "reference": "the ``uuid`` or ``messageId`` that the result named",
    "size": "bytes of the result",
    "alert": "the id of the alert",
    "kind": "what the alert is about",
    "devices": "the devices that the alert is about; of many, the first 1000",
    "count": "how many devices these are",
    "address": "the address or network that the devices share",
    "webhook": "the id of the webhook",
    "duration": "seconds for which the alert was open",
    "seq": "of the event that could not be delivered",
}
_NULL: Schema = {"type": "null"}
_ABOUT: dict[str, tuple[Schema, Schema]] = {
    "device": (TEXT, _NULL),
    "command": (TEXT, TEXT),
    "result": (TEXT, _NULL),
    "alert": (nullable(TEXT), _NULL),
    "webhook": (_NULL, _NULL),
}
"""The device and the command of an event, by the first part of its type."""


def _data(kind: type) -> Schema:
    """The schema of a class of data."""
    required: Iterable[str] = kind.__required_keys__  # type: ignore[attr-defined]  # it is a TypedDict
    hints = get_type_hints(kind)
    return {
        "type": "object",
        "description": (kind.__doc__ or "").splitlines()[0],
        "properties": {name: described(schema_of(hint), _DATA_TEXTS[name]) for name, hint in hints.items()},
        "required": [name for name in hints if name in required],
        "additionalProperties": False,
    }


def _with_data(kind: type) -> tuple[Component, list[EventType]]:
    """The schema of the events with such data, and their types."""
    types = [each for each in EventType if EVENT_DATA[each] is kind]
    device, command = _ABOUT[types[0].partition(".")[0]]
    fields = {"seq": TEXT, "type": words(*types), "at": TIMESTAMP, "device": device, "by": nullable(TEXT)}
    shown = {name: described(schema, _TEXTS[name]) for name, schema in {**fields, "command": command}.items()}
    name = kind.__name__.removesuffix("Data") + "Event"
    return small(name, (kind.__doc__ or "").splitlines()[0], **shown, data=_data(kind)), types


_BY_DATA = [_with_data(kind) for kind in dict.fromkeys(EVENT_DATA.values())]
EVENT = Component(
    "Event",
    {
        "description": "An entry of the event log; ``type`` says what its ``data`` has.",
        "oneOf": [each for each, _ in _BY_DATA],
        "discriminator": {
            "propertyName": "type",
            "mapping": {kind: f"#/components/schemas/{each.name}" for each, types in _BY_DATA for kind in types},
        },
    },
)
EVENTS = log_page("EventList", EVENT)

_SENT_DATA = (
    "as in the event log; if it is about a device also its ``name``, ``site`` and ``tags``; and the ``result`` of a"
    " command that has ended, where the webhook has ``include_result``: if it is large, the beginning of its text and"
    " its ``result_size`` in bytes"
)
WEBHOOK_EVENT = component("WebhookEvent", Event, {**_TEXTS, "data": _SENT_DATA}, seq=TEXT, data=ANY_OBJECT)
TEST_EVENT = small(
    "TestEvent",
    "The content of a test message to a webhook.",
    **{name: _NULL for name in annotations(Event) if name not in json_views.INTERNAL}
    | {"type": words(TEST_TYPE), "at": TIMESTAMP, "data": {"type": "object", "maxProperties": 0}},
)
