"""Forms: JSON bodies into values, strictly, naming each field that is wrong."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NewType

from attrs import frozen
from cattrs import Converter

from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.hold_time import MAX_HOLD
from pushd.lib import strict_json
from pushd.lib.ip_networks import parse_network
from pushd.model.command import Command, SendOptions
from pushd.model.device import Admission, Device
from pushd.model.errors import FieldError, InvalidFields, InvalidQuery, UnknownDevice
from pushd.model.event import EventType
from pushd.model.lifecycle import Delivery, Move, State
from pushd.model.timestamps import from_rfc3339

Moment = NewType("Moment", int)
Cidr = NewType("Cidr", str)
Url = NewType("Url", str)

MAX_TEXT = 256
"""Characters of a name or tag."""

MAX_LIST = 64
"""Tags, or networks, of one device."""

_LARGEST = 1e15
"""Beyond, no duration makes sense, and whole numbers may not fit a float."""

MAX_BATCH = 100
MAX_HEARTBEAT = 30 * 86400.0


def _exactly(kind: type) -> Any:
    def read(value: object, _: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"{_WORDS[kind]} is wanted")
        return value

    return read


_WORDS = {str: "a string", int: "a whole number", bool: "true or false", dict: "an object"}


def _read_text(value: object, _: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"a string of at most {MAX_TEXT} characters is wanted")
    if not value.isprintable():
        raise ValueError("control characters cannot be shown; leave them out")
    return value


def _read_number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
        raise ValueError("a number is wanted")
    return float(value)


def _read_moment(value: object, _: object) -> int:
    if not isinstance(value, str):
        raise ValueError("an RFC 3339 time such as 2026-01-02T03:04:05Z is wanted")
    return from_rfc3339(value)


def _read_cidr(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a network such as 192.0.2.0/24 is wanted")
    return str(parse_network(value))


def _read_enum(value: object, kind: type[StrEnum]) -> StrEnum:
    if not isinstance(value, str) or value not in list(kind):
        raise ValueError(f"one of {', '.join(kind)} is wanted")
    return kind(value)


def _converter() -> Converter:
    """A converter that takes nothing for something else: a plain one would make a 5 into "5"."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(int, _exactly(int))
    converter.register_structure_hook(dict, _exactly(dict))
    converter.register_structure_hook(str, _read_text)
    converter.register_structure_hook(float, _read_number)
    converter.register_structure_hook(Moment, _read_moment)
    converter.register_structure_hook(Cidr, _read_cidr)
    converter.register_structure_hook(Url, _exactly(str))
    for kind in (Admission, Delivery, EventType, State):  # each by name: else the hook of str takes them, and any text
        converter.register_structure_hook(kind, _read_enum)
    return converter


_CONVERTER = _converter()

_TERMS: Mapping[str, Any] = {
    "ttl": float,
    "delivery": Delivery,
    "priority": int,
    "not_before": Moment,
    "lease": float,
    "deadline": float,
    "max_attempts": int,
}
_SEND = {"payload": dict, **_TERMS}
_DEVICE: Mapping[str, Any] = {
    "name": str,
    "tags": tuple[str, ...],
    "admission": Admission,
    "heartbeat_timeout": float,
    "hold": float,
    "batch": int,
    "muted_until": Moment,
    "allow_from": tuple[Cidr, ...],
}
_RESOLUTION = {"state": State, "note": str}
_WORD = {State.SUCCEEDED: Move.RESOLVE_SUCCEEDED, State.FAILED: Move.RESOLVE_FAILED}


@frozen(kw_only=True)
class Sending:
    """What a sender asks for."""

    payload: dict[str, Any]
    terms: SendOptions


def read_object(content: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    :raises UnreadableBody: if it is not JSON.
    :raises InvalidFields: if it is no object.
    """
    body = strict_json.parse(strict_json.decode(content))
    if not isinstance(body, dict):
        raise InvalidFields([FieldError("#", "An object is wanted.")])
    return body


def read_sending(body: Mapping[str, Any]) -> Sending:
    """A command to be sent.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if "payload" not in body:
        raise InvalidFields([FieldError("#/payload", "A payload is needed: what the device is to do.")])
    given = {name: value for name, value in body.items() if value is not None or name == "payload"}
    values = structure(given, _SEND)
    payload = values.pop("payload")
    return Sending(payload=payload, terms=SendOptions(**values))


def read_resending(body: Mapping[str, Any], original: Command) -> SendOptions:
    """Terms on which a command is sent again: its own, but for what is said otherwise, and for when it is due.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    own = {name: getattr(original, name) for name in _TERMS if name != "not_before"}
    given = structure({name: value for name, value in body.items() if value is not None}, _TERMS)
    return SendOptions(**(own | given))


def read_resolution(body: Mapping[str, Any]) -> tuple[Move, str | None]:
    """An operator's word on a command, and a note.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    values = structure({name: value for name, value in body.items() if value is not None}, _RESOLUTION)
    if values.get("state") not in _WORD:
        raise InvalidFields([FieldError("#/state", "succeeded or failed is wanted.")])
    return _WORD[values["state"]], values.get("note")


def read_changes(body: Mapping[str, Any], defaults: Device) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of a device: null puts a field back to its default; a null ``hold`` forgets the
    learned one as well.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    values = structure({name: value for name, value in body.items() if value is not None}, _DEVICE)
    nulls = [name for name, value in body.items() if value is None]
    _refuse_unknown(nulls, _DEVICE)
    values |= {name: getattr(defaults, name) for name in nulls}
    if "hold" in nulls:
        values["learned_hold"] = None
    _check_device(values)
    return values


def read_registration(body: Mapping[str, Any], registry: DeviceRegistry) -> Device:
    """A device that an operator registers.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    plain = registry.new_device(_read_id(body.get("id"), registry), Admission.APPROVED)
    changes = read_changes({name: value for name, value in body.items() if name != "id"}, plain)
    return registry.new_device(plain.id, **({"admission": Admission.APPROVED} | changes))


def _read_id(value: object, registry: DeviceRegistry) -> str:
    try:
        return registry.canonical_id(value if isinstance(value, str) else "")
    except (InvalidQuery, UnknownDevice):
        raise InvalidFields([FieldError("#/id", "An id is needed, such as controlid:4408801109440198.")]) from None


def structure(body: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a body in their shapes.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    _refuse_unknown(body, shapes)
    values, errors = {}, []
    for name, value in body.items():
        try:
            values[name] = _CONVERTER.structure(_listed(value, shapes[name]), shapes[name])
        except (ValueError, TypeError) as error:
            detail = str(error)
            errors.append(FieldError(strict_json.below("#", name), f"{detail[:1].upper()}{detail[1:]}."))
    if errors:
        raise InvalidFields(errors)
    return values


def _listed(value: object, shape: object) -> object:
    """Only a list is a list: cattrs would take a string for a list of its characters."""
    if getattr(shape, "__origin__", None) is tuple and (not isinstance(value, list) or len(value) > MAX_LIST):
        raise ValueError(f"a list of at most {MAX_LIST} is wanted")
    return value


def _refuse_unknown(names: Any, shapes: Mapping[str, Any]) -> None:
    unknown = [name for name in names if name not in shapes]
    if unknown:
        known = f"There is no such field here; those that there are: {', '.join(shapes)}."
        raise InvalidFields([FieldError(strict_json.below("#", name), known) for name in unknown])


def _check_device(values: Mapping[str, Any]) -> None:
    errors = []
    if "heartbeat_timeout" in values and not 1 <= values["heartbeat_timeout"] <= MAX_HEARTBEAT:
        errors.append(FieldError("#/heartbeat_timeout", f"1 to {MAX_HEARTBEAT:g} seconds are wanted."))
    if values.get("hold") is not None and not 0 <= values["hold"] <= MAX_HOLD:
        errors.append(FieldError("#/hold", f"0 to {MAX_HOLD:g} seconds are wanted; null to learn it."))
    if values.get("batch") is not None and not 1 <= values["batch"] <= MAX_BATCH:
        errors.append(FieldError("#/batch", f"1 to {MAX_BATCH} commands are wanted; null for the server's default."))
    if errors:
        raise InvalidFields(errors)
