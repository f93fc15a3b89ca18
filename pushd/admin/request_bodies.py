"""JSON request bodies: the fields of each, and the functions that check it strictly and convert it to values."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from pushd.admin.body_fields import (
    ANY_TEXT,
    BOOLEAN,
    NETWORK,
    OBJECT,
    PRINTABLE,
    TEXT,
    TIME,
    Body,
    Field,
    Fields,
    choice,
    list_field,
    number,
    one_of,
    read_fields,
    read_patch,
    text,
    whole_number,
    without_nulls,
)
from pushd.admin.json_schema import PAYLOAD, Schema
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.hold_time import MAX_HOLD
from pushd.lib import large_json, strict_json
from pushd.model.command import BOUNDS, MAX_TRACE, Command, Payload
from pushd.model.device import MAX_TAGS, Admission, Device
from pushd.model.epochs import Epochs
from pushd.model.errors import FieldError, InvalidFields, InvalidQuery, UnknownDevice
from pushd.model.event import EventType
from pushd.model.facts import MAX_FACT, MAX_KEY, NO_FACTS, OPENS_WITH, check_patch, merge
from pushd.model.lifecycle import Delivery, Move, State
from pushd.model.opening import MAX_DOOR, Direction, OpenRequest
from pushd.model.webhook import MAX_PARALLEL, Webhook, WebhookFormat

MAX_MUTED = 1000
"""Devices that one request mutes by their ids."""

MAX_BATCH = 100
"""Commands."""

MAX_HEARTBEAT = 30 * 86400.0
"""Seconds."""

_FACT: Schema = {"type": ["string", "number", "boolean", "null"], "maxLength": MAX_FACT, "pattern": PRINTABLE}
_FACTS_PATCH: Schema = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": MAX_KEY, "pattern": PRINTABLE},
    "properties": {"opens_with": {"enum": [*OPENS_WITH, None]}},
    "additionalProperties": _FACT,
}


def _seconds(name: str) -> Field:
    least, most, _ = BOUNDS[name]
    return number(least, most)


def _count(name: str) -> Field:
    least, most, _ = BOUNDS[name]
    return whole_number(int(least), int(most))


_SEND_OPTIONS: Fields = {
    "ttl": _seconds("ttl").about("seconds after which it is never sent, if it is still queued"),
    "delivery": one_of(Delivery).about("whether it may be sent again when no result comes"),
    "priority": _count("priority").about("higher is sent first; 5 if it is missing"),
    "not_before": TIME.about("when it may be sent at the earliest"),
    "lease": _seconds("lease").about("seconds that the device has to acknowledge it or report a result"),
    "deadline": _seconds("deadline").about("seconds that one attempt may take"),
    "max_attempts": _count("max_attempts").about("how often it may be sent; 5 if it is missing"),
    "trace": text(MAX_TRACE).about("what the sender notes about it, such as the number of a ticket"),
}
_PAYLOAD = evolve(OBJECT, schema=PAYLOAD)
SEND = Body(
    name="SendRequest",
    fields={"payload": _PAYLOAD.about("what the device is to do, in the form of its dialect"), **_SEND_OPTIONS},
    required=("payload",),
    example={"payload": {"endpoint": "load_objects", "body": {"object": "users"}}, "ttl": 60},
)
RESEND = Body(name="ResendRequest", fields=_SEND_OPTIONS, example={"ttl": 60}, may_be_empty=True)
_DEVICE: Fields = {
    "name": TEXT.about("a name for people"),
    "site": TEXT.about("where it stands"),
    "tags": list_field(TEXT, MAX_TAGS).about("words by which devices are selected"),
    "facts": Field(check_patch, _FACTS_PATCH).about("a merge patch of what is known of it; a null removes a fact"),
    "admission": one_of(Admission).about("whether it is sent commands"),
    "heartbeat_timeout": number(1, MAX_HEARTBEAT, "seconds").about("without a report for so long it is offline"),
    "hold": number(0, MAX_HOLD, "seconds, or null to learn it").about(
        "seconds that its polls are held; null: learned"
    ),
    "batch": whole_number(1, MAX_BATCH, ", or null for the default of the server").about(
        "how many commands one answer may have; null: the default of the server"
    ),
    "muted_until": TIME.about("until then no alert is raised about it"),
    "allow_from": list_field(NETWORK).about("networks, in CIDR notation, from which it may connect; empty: any"),
}
DEVICE_CHANGES = Body(name="DeviceChanges", fields=_DEVICE, example={"name": "Main gate", "tags": ["lobby"]})
NEW_DEVICE = Body(
    name="NewDevice",
    fields={"id": ANY_TEXT.about("its id; of a Control iD device, its serial number will do"), **_DEVICE},
    required=("id",),
    example={"id": "controlid:4408801109440198", "name": "Main gate"},
)
MUTE = Body(
    name="MuteRequest",
    fields={
        "devices": list_field(TEXT, MAX_MUTED).about("the ids of devices"),
        "site": TEXT.about("the site of the devices"),
        "tags": list_field(TEXT).about("tags that the devices have, all of them"),
        "until": TIME.about("until when no alert is raised about them; null ends it"),
    },
    rules={
        "required": ["until"],
        "anyOf": [
            {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
            for name in ("devices", "site", "tags")
        ],
    },
    example={"site": "Lobby", "until": "2027-01-15T18:00:00Z"},
)
OPENING = Body(
    name="OpenRequest",
    fields={
        "door": whole_number(1, MAX_DOOR, "").about("which door, of a model with several; 1 if it is missing"),
        "direction": one_of(Direction).about("which way, of a device that turns; clockwise if it is missing"),
        "trace": text(MAX_TRACE).about("what the sender notes about it, such as the number of a ticket"),
    },
    example={"door": 1},
    may_be_empty=True,
)
_MOVES: Mapping[str, Move] = {State.SUCCEEDED: Move.RESOLVE_SUCCEEDED, State.FAILED: Move.RESOLVE_FAILED}
RESOLUTION = Body(
    name="Resolution",
    fields={
        "state": choice(_MOVES).about("what became of it"),
        "note": TEXT.about("how that is known"),
    },
    required=("state",),
    example={"state": "succeeded", "note": "seen on the camera"},
)
_WEBHOOK: Fields = {
    "url": ANY_TEXT.about("where messages are sent: an http or https URL"),
    "format": one_of(WebhookFormat).about("what a message looks like"),
    "types": list_field(one_of(EventType)).about("types of events; empty: all"),
    "devices": list_field(TEXT).about("ids of devices; empty: any"),
    "sites": list_field(TEXT).about("sites, of which the device is in one; empty: any"),
    "tags": list_field(TEXT).about("tags, all of which the device has; empty: any"),
    "include_result": BOOLEAN.about("whether messages about ended commands have the result of the device"),
    "parallel": whole_number(1, MAX_PARALLEL, " deliveries at once").about("how many messages are sent at once"),
}
NEW_WEBHOOK = Body(
    name="NewWebhook",
    fields=_WEBHOOK,
    required=("url",),
    example={"url": "https://example.com/events", "types": ["command.failed"]},
)
WEBHOOK_CHANGES = Body(
    name="WebhookChanges", fields=_WEBHOOK, not_null=("url",), example={"types": ["command.failed"]}
)
_WEBHOOK_DEFAULTS = Webhook(id="", url="", created_at=0)
REDELIVERY = Body(
    name="Redelivery",
    fields={"after": TEXT.about("the ``seq`` of an event; missing: continue where deliveries stopped")},
    example={"after": "5f0c8a41e7d2-4711"},
    may_be_empty=True,
)
EMPTY = Body(name="Empty", fields={}, example={}, may_be_empty=True)
_ID_EXAMPLE = "such as controlid:4408801109440198 or servereye:4f1c2d"


def read_object(content: bytes, example: str = "{}") -> dict[str, Any]:
    """The JSON object in a body; ``example`` is one that is expected.

    :raises UnreadableBody: if it is empty, not JSON, or is large and has too many values.
    :raises InvalidFields: if it is not an object.
    """
    if not content:
        raise strict_json.UnreadableBody(f"The body is empty; it must be a JSON object such as {example}.")
    body = large_json.parse(strict_json.decode(content))
    if not isinstance(body, dict):
        raise InvalidFields([FieldError("#", "must be an object")])
    return body


def read_send_request(body: Mapping[str, Any]) -> tuple[Payload, dict[str, Any]]:
    """A command to be sent: what the device must do, and the options that are given.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if "payload" not in body:
        raise InvalidFields([FieldError("#/payload", "is required: what the device is to do")])
    given = {name: value for name, value in body.items() if value is not None or name == "payload"}
    values = read_fields(given, SEND.fields)
    return values.pop("payload"), values


def read_resend_options(body: Mapping[str, Any], original: Command) -> dict[str, Any]:
    """The options with which a command is sent again: those of the original, except ``not_before``, unless given.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    own = {name: getattr(original, name) for name in _SEND_OPTIONS if name != "not_before"}
    given = read_fields(without_nulls(body), _SEND_OPTIONS)
    return own | given


def read_resolution(body: Mapping[str, Any]) -> tuple[Move, str | None]:
    """The outcome that an operator sets, and a note.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    values = read_fields(without_nulls(body), RESOLUTION.fields)
    if "state" not in values:
        raise InvalidFields([FieldError("#/state", "is required: succeeded or failed")])
    return _MOVES[values["state"]], values.get("note")


def read_opening(body: Mapping[str, Any]) -> tuple[OpenRequest, str | None]:
    """What is to be opened, and what the sender notes about it.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    values = read_fields(without_nulls(body), OPENING.fields)
    trace = values.pop("trace", None)
    return OpenRequest(**values), trace


def read_device_changes(body: Mapping[str, Any], defaults: Device) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of a device: null resets a field; of ``hold`` it also forgets the learned hold.

    ``facts`` is a patch in turn, see :func:`pushd.model.facts.merge`.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    values, nulls = read_patch(body, _DEVICE)
    values |= {name: getattr(defaults, name) for name in nulls}
    if "hold" in nulls:
        values["learned_hold"] = None
    if "facts" in nulls:
        values["facts"] = None
    _check_device(values, defaults)
    return values


def _check_device(values: Mapping[str, Any], defaults: Device) -> None:
    if defaults.serial is not None and "serial" in (values.get("facts") or ()):
        raise InvalidFields([FieldError("#/facts/serial", "follows from the id, and cannot be changed")])


def read_new_device(body: Mapping[str, Any], registry: DeviceRegistry) -> Device:
    """A device that is registered before its first poll.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if body.get("id") is None:
        raise InvalidFields([FieldError("#/id", f"is required, {_ID_EXAMPLE}")])
    default = registry.new_device(_read_id(body["id"], registry), Admission.APPROVED)
    changes = read_device_changes({name: value for name, value in body.items() if name != "id"}, default)
    if "facts" in changes:
        changes["facts"] = merge(NO_FACTS, changes["facts"])
    return registry.new_device(default.id, **({"admission": Admission.APPROVED} | changes))


@frozen(kw_only=True)
class Mute:
    """Which devices are muted: those that match all that is given; ``until`` in wall milliseconds, None ends it."""

    devices: Sequence[str] | None = None
    site: str | None = None
    tags: Sequence[str] = ()
    until: int | None = None


def read_mute(body: Mapping[str, Any], registry: DeviceRegistry) -> Mute:
    """Which devices are muted, and until when.

    :raises InvalidFields: naming each field that is unknown or wrong, and if no devices are selected.
    """
    values = read_fields(without_nulls(body), MUTE.fields)
    errors = []
    if "until" not in body:
        errors.append(FieldError("#/until", "is required: a time, or null to end it"))
    if not values.keys() & {"devices", "site", "tags"}:
        errors.append(FieldError("#", "must have devices, a site or tags: of which devices no alert is raised"))
    if errors:
        raise InvalidFields(errors)
    return Mute(**with_ids(values, registry))


def with_ids(values: dict[str, Any], registry: DeviceRegistry) -> dict[str, Any]:
    """Fields with the ids in ``devices``, if it is one of them, in their canonical spelling, each once.

    :raises InvalidFields: naming each that is none.
    """
    if "devices" not in values:
        return values
    ids: dict[str, None] = {}
    errors: list[FieldError] = []
    for position, device in enumerate(values["devices"]):
        try:
            ids[_read_id(device, registry, f"#/devices/{position}")] = None
        except InvalidFields as error:
            errors += error.errors
    if errors:
        raise InvalidFields(errors)
    return values | {"devices": tuple(ids)}


def _read_id(value: object, registry: DeviceRegistry, pointer: str = "#/id") -> str:
    text = value if isinstance(value, str) else ""
    try:
        return registry.device_of_label(text) or registry.canonical_id(text)
    except (InvalidQuery, UnknownDevice):
        forms = registry.serial_number_forms()
        raise InvalidFields([FieldError(pointer, f"must be an id {_ID_EXAMPLE}{forms}")]) from None


def read_new_webhook(body: Mapping[str, Any], registry: DeviceRegistry) -> dict[str, Any]:
    """The fields of a new webhook.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if body.get("url") is None:
        raise InvalidFields([FieldError("#/url", "is required: where events are sent")])
    return with_ids(read_fields(without_nulls(body), _WEBHOOK), registry)


def read_webhook_changes(body: Mapping[str, Any], registry: DeviceRegistry) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of a webhook: null resets a field.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if "url" in body and body["url"] is None:
        raise InvalidFields([FieldError("#/url", "is required; DELETE ends the webhook")])
    values, nulls = read_patch(body, _WEBHOOK)
    return with_ids(values, registry) | {name: getattr(_WEBHOOK_DEFAULTS, name) for name in nulls}


def read_empty(content: bytes) -> None:
    """Check that a body, if there is one, has no fields.

    :raises InvalidFields: if it has any.
    """
    if fields := read_object(content or b"{}"):
        known = "is not a known field; this call has none"
        raise InvalidFields([FieldError(strict_json.below("#", name), known) for name in fields])


def read_redelivery(body: Mapping[str, Any], epochs: Epochs) -> int | None:
    """The number of the event after which deliveries are repeated; None to continue where they stopped.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    after = read_fields(without_nulls(body), REDELIVERY.fields).get("after")
    if after is None:
        return None
    number = epochs.event_number(after)
    if number is None:
        raise InvalidFields([FieldError("#/after", "must be the seq of an event")])
    return number
