"""Validates the payload of a command for a Server-Eye container, before the command is accepted."""

from collections.abc import Iterator

from pushd.lib.strict_json import below, find_unwritable
from pushd.model.command import MAX_ENDPOINT, Payload
from pushd.model.errors import FieldError, InvalidFields

_ROOT = "#/payload"
_FIELDS = frozenset({"control", "message", "data"})


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
    elif len(control) > MAX_ENDPOINT:
        yield FieldError(below(_ROOT, "control"), f"must have at most {MAX_ENDPOINT} characters")
    message = payload.get("message", "")
    if not isinstance(message, str):
        yield FieldError(below(_ROOT, "message"), "must be a string")
