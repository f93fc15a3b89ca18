"""JSON request bodies, strictly checked and converted to values.

A body is refused with one error for each field that is unknown or wrong. A null counts as a missing field, except in
merge patches.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from attrs import frozen

from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.hold_time import MAX_HOLD
from pushd.lib import large_json, strict_json
from pushd.lib.ip_networks import parse_network
from pushd.model.command import Command, Payload, SendOptions
from pushd.model.device import Admission, Device
from pushd.model.epochs import Epochs
from pushd.model.errors import FieldError, InvalidFields, InvalidQuery, UnknownDevice
from pushd.model.event import EventType
from pushd.model.lifecycle import Delivery, Move, State
from pushd.model.timestamps import from_rfc3339
from pushd.model.webhook import MAX_PARALLEL, Webhook

MAX_TEXT = 256
"""Characters of a name, site, tag or note."""

MAX_LIST = 64
"""Items of a list: tags, networks or event types."""

_LARGEST = 1e15
"""More seconds than any field may have; a larger number is read as this one, since it might not fit a float."""

MAX_BATCH = 100
"""Commands."""

MAX_HEARTBEAT = 30 * 86400.0
"""Seconds."""


Reader = Callable[[object], object]
"""Converts the JSON value of a field; raises ValueError if it is wrong."""


@frozen
class _ListOf:
    """The reader of each item of a list."""

    read: Reader


def _exactly(kind: type) -> Reader:
    def read(value: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"must be {_TYPE_NAMES[kind]}")
        return value

    return read


_TYPE_NAMES = {str: "a string", int: "a whole number", bool: "true or false", dict: "an object"}


def _one_of(kind: type[StrEnum]) -> Reader:
    def read(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in list(kind):
            raise ValueError(f"must be one of {', '.join(kind)}")
        return kind(value)

    return read


def _read_text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"must be a string of at most {MAX_TEXT} characters")
    if not value.isprintable():
        raise ValueError("must have no control characters")
    return value


def _read_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return float(max(-_LARGEST, min(value, _LARGEST)))


def _read_timestamp(value: object) -> int:
    try:
        return from_rfc3339(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"must be an RFC 3339 time such as 2026-01-02T03:04:05Z: {error}") from None


def _read_cidr(value: object) -> str:
    try:
        return str(parse_network(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise ValueError(f"must be a network such as 192.0.2.0/24: {error}") from None


def _read_outcome(value: object) -> str:
    if not isinstance(value, str) or value not in _MOVES:
        raise ValueError("must be succeeded or failed")
    return value


_read_whole_number = _exactly(int)

_Fields = Mapping[str, Reader | _ListOf]

_SEND_OPTIONS: _Fields = {
    "ttl": _read_number,
    "delivery": _one_of(Delivery),
    "priority": _read_whole_number,
    "not_before": _read_timestamp,
    "lease": _read_number,
    "deadline": _read_number,
    "max_attempts": _read_whole_number,
}
_SEND_REQUEST: _Fields = {"payload": _exactly(dict), **_SEND_OPTIONS}
_DEVICE: _Fields = {
    "name": _read_text,
    "site": _read_text,
    "tags": _ListOf(_read_text),
    "admission": _one_of(Admission),
    "heartbeat_timeout": _read_number,
    "hold": _read_number,
    "batch": _read_whole_number,
    "muted_until": _read_timestamp,
    "allow_from": _ListOf(_read_cidr),
}
_RESOLUTION: _Fields = {"state": _read_outcome, "note": _read_text}
_MOVES: Mapping[str, Move] = {State.SUCCEEDED: Move.RESOLVE_SUCCEEDED, State.FAILED: Move.RESOLVE_FAILED}
_WEBHOOK: _Fields = {
    "url": _exactly(str),
    "types": _ListOf(_one_of(EventType)),
    "tags": _ListOf(_read_text),
    "parallel": _read_whole_number,
}
_WEBHOOK_DEFAULTS = Webhook(id="", url="", created_at=0)
_REDELIVERY: _Fields = {"after": _read_text}
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


def read_send_request(body: Mapping[str, Any]) -> tuple[Payload, SendOptions]:
    """A command to be sent: what the device must do, and how it is sent.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if "payload" not in body:
        raise InvalidFields([FieldError("#/payload", "is required: what the device is to do")])
    given = {name: value for name, value in body.items() if value is not None or name == "payload"}
    values = _read_fields(given, _SEND_REQUEST)
    return values.pop("payload"), SendOptions(**values)


def read_resend_options(body: Mapping[str, Any], original: Command) -> SendOptions:
    """The options with which a command is sent again: those of the original, except ``not_before``, unless given.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    own = {name: getattr(original, name) for name in _SEND_OPTIONS if name != "not_before"}
    given = _read_fields(_without_nulls(body), _SEND_OPTIONS)
    return SendOptions(**(own | given))


def read_resolution(body: Mapping[str, Any]) -> tuple[Move, str | None]:
    """The outcome that an operator sets, and a note.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    values = _read_fields(_without_nulls(body), _RESOLUTION)
    if "state" not in values:
        raise InvalidFields([FieldError("#/state", "is required: succeeded or failed")])
    return _MOVES[values["state"]], values.get("note")


def read_device_changes(body: Mapping[str, Any], defaults: Device) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of a device: null resets a field; of ``hold`` it also forgets the learned hold.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    values = _read_fields(_without_nulls(body), _DEVICE)
    nulls = [name for name, value in body.items() if value is None]
    if unknown := _unknown(nulls, _DEVICE):
        raise InvalidFields(unknown)
    values |= {name: getattr(defaults, name) for name in nulls}
    if "hold" in nulls:
        values["learned_hold"] = None
    _check_device(values)
    return values


def _check_device(values: Mapping[str, Any]) -> None:
    errors = []
    if "heartbeat_timeout" in values and not 1 <= values["heartbeat_timeout"] <= MAX_HEARTBEAT:
        errors.append(FieldError("#/heartbeat_timeout", f"must be 1 to {MAX_HEARTBEAT:.0f} seconds"))
    if values.get("hold") is not None and not 0 <= values["hold"] <= MAX_HOLD:
        errors.append(FieldError("#/hold", f"must be 0 to {MAX_HOLD:g} seconds, or null to learn it"))
    if values.get("batch") is not None and not 1 <= values["batch"] <= MAX_BATCH:
        errors.append(FieldError("#/batch", f"must be 1 to {MAX_BATCH}, or null for the default of the server"))
    if errors:
        raise InvalidFields(errors)


def read_new_device(body: Mapping[str, Any], registry: DeviceRegistry) -> Device:
    """A device that is registered before its first poll.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if body.get("id") is None:
        raise InvalidFields([FieldError("#/id", f"is required, {_ID_EXAMPLE}")])
    default = registry.new_device(_read_id(body["id"], registry), Admission.APPROVED)
    changes = read_device_changes({name: value for name, value in body.items() if name != "id"}, default)
    return registry.new_device(default.id, **({"admission": Admission.APPROVED} | changes))


def _read_id(value: object, registry: DeviceRegistry) -> str:
    try:
        return registry.canonical_id(value if isinstance(value, str) else "")
    except (InvalidQuery, UnknownDevice):
        raise InvalidFields([FieldError("#/id", f"must be an id {_ID_EXAMPLE}")]) from None


def read_new_webhook(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a new webhook.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if body.get("url") is None:
        raise InvalidFields([FieldError("#/url", "is required: where events are sent")])
    return _read_webhook(_without_nulls(body))


def read_webhook_changes(body: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of a webhook: null resets a field.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if "url" in body and body["url"] is None:
        raise InvalidFields([FieldError("#/url", "is required; DELETE ends the webhook")])
    values = {name: getattr(_WEBHOOK_DEFAULTS, name, None) if value is None else value for name, value in body.items()}
    return _read_webhook({name: list(value) if isinstance(value, tuple) else value for name, value in values.items()})


def _read_webhook(body: Mapping[str, Any]) -> dict[str, Any]:
    fields = _read_fields(body, _WEBHOOK)
    if not 1 <= fields.get("parallel", 1) <= MAX_PARALLEL:
        raise InvalidFields([FieldError("#/parallel", f"must be 1 to {MAX_PARALLEL} deliveries at once")])
    return fields


def read_redelivery(body: Mapping[str, Any], epochs: Epochs) -> int | None:
    """The number of the event after which deliveries are repeated; None to continue where they stopped.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    after = _read_fields(_without_nulls(body), _REDELIVERY).get("after")
    if after is None:
        return None
    number = epochs.event_number(after)
    if number is None:
        raise InvalidFields([FieldError("#/after", "must be the seq of an event")])
    return number


def _without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _read_fields(body: Mapping[str, Any], fields: _Fields) -> dict[str, Any]:
    """The fields of a body, converted.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    errors = [] if body.keys() <= fields.keys() else _unknown(body, fields)
    values: dict[str, Any] = {}
    for name, value in body.items():
        read = fields.get(name, _ignore)
        try:
            values[name] = read(value) if not isinstance(read, _ListOf) else _read_items(value, read, name, errors)
        except ValueError as error:
            errors.append(FieldError(f"#/{name}", str(error)))  # the names of fields need no escaping
    if errors:
        raise InvalidFields(errors)
    return values


def _ignore(_value: object) -> None:
    """Of an unknown field, nothing more is wrong."""


def _read_items(value: object, item: _ListOf, name: str, errors: list[FieldError]) -> tuple[object, ...]:
    """A list, each item converted; what is wrong with an item is added to ``errors``."""
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise ValueError(f"must be a list of at most {MAX_LIST} items")
    items = []
    for position, each in enumerate(value):
        try:
            items.append(item.read(each))
        except ValueError as error:
            errors.append(FieldError(f"#/{name}/{position}", str(error)))
    return tuple(items)


def _unknown(names: Iterable[str], fields: _Fields) -> list[FieldError]:
    known = f"is not a known field; the fields here are: {', '.join(fields)}"
    return [FieldError(strict_json.below("#", name), known) for name in names if name not in fields]
