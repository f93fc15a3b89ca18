"""Validates the payload of a command for a Server-Eye container, before the command is accepted."""

from collections.abc import Iterator

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody, below, find_unwritable
from pushd.model.command import Payload
from pushd.model.errors import FieldError, InvalidFields

_ROOT = "#/payload"
_FIELDS = frozenset({"control", "message", "data"})
_REMOTE_ACTION = "REMOTE_ACTION"
_PARTS = 3
_PIPE = r"\u007c"


def check(payload: Payload) -> Payload:
    """Refuse a payload that a container could not read; ``data`` may be any value, since it is sent as text.

    Returns the same payload.

    :raises InvalidFields: with all errors.
    """
    unwritable = (FieldError(*found) for found in find_unwritable(payload, _ROOT))
    if errors := [*_fields(payload), *unwritable]:
        raise InvalidFields(errors)
    return payload


def _fields(payload: Payload) -> Iterator[FieldError]:
    for key in payload.keys() - _FIELDS:
        yield FieldError(below(_ROOT, key), "is not a known field")
    control = payload.get("control")
    if not isinstance(control, str) or not control.strip():
        yield FieldError(below(_ROOT, "control"), "is required, and must be a non-empty string such as REFRESH_AGENT")
    message = payload.get("message", "")
    if not isinstance(message, str):
        yield FieldError(below(_ROOT, "message"), "must be a string")
    elif control == _REMOTE_ACTION and not _is_remote_action(message):
        detail = f"must be of the form a|b|{{json}} for {_REMOTE_ACTION}, with {_PIPE} for a | in the JSON object"
        yield FieldError(below(_ROOT, "message"), detail)


def _is_remote_action(message: str) -> bool:
    """Whether the vendor's C++ client can read the message: it splits it at each ``|`` and parses the third part."""
    parts = message.split("|")
    if len(parts) != _PARTS or not all(parts):
        return False
    try:
        return isinstance(strict_json.parse(parts[-1]), dict)
    except UnreadableBody:
        return False
