"""The endpoints of Control iD devices, and the check of a command against what is known of them."""

from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody, below
from pushd.model.catalogue import UNCHECKED, Catalogue, Endpoint, EndpointClass
from pushd.model.command import Payload
from pushd.model.errors import FieldError, InvalidFields

CATALOGUE = Catalogue.parse(resources.files(__package__).joinpath("catalogue.toml").read_text("utf-8"))

OCTETS = "application/octet-stream"

_ROOT = "#/payload"
_WITH_PARAMETERS = ("body", "queryString")
_MAX_TEXT = 65536
"""Characters of a body that is text: a larger one is not read only to be checked."""


def check_parameters(payload: Payload) -> None:
    """Refuse a payload, whose form was checked, that a device is certain to reject.

    :raises InvalidFields: with all errors.
    """
    if errors := [*_errors(payload)]:
        raise InvalidFields(errors)


def _errors(payload: Payload) -> Iterator[FieldError]:
    if "transactions" not in payload:
        yield from _call_errors(payload, _ROOT)
        return
    pointer = below(_ROOT, "transactions")
    for index, entry in enumerate(payload["transactions"]):
        yield from _call_errors(entry, below(pointer, index))


def _call_errors(call: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    endpoint = CATALOGUE.endpoints.get(call["endpoint"])
    if endpoint is None or (endpoint.kind is EndpointClass.READ and call.keys().isdisjoint(_WITH_PARAMETERS)):
        return  # a read without any parameter harms nothing, and shows whether the device answers
    if call.get("verb") == "GET" and endpoint.kind is not EndpointClass.READ and endpoint.example.get("body"):
        yield FieldError(below(pointer, "verb"), f"must be POST for {endpoint.name} {UNCHECKED}")
    if endpoint.example.get("contentType") == OCTETS:
        yield from _octets_errors(endpoint, call, pointer)
    else:
        yield from _parameter_errors(endpoint, call, pointer)


def _octets_errors(endpoint: Endpoint, call: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    """Of a call whose body is bytes: its parameters are in the query."""
    if not is_octets(call.get("contentType")):
        yield FieldError(below(pointer, "contentType"), f"must be {OCTETS} for {endpoint.name} {UNCHECKED}")
    yield from _text_errors(endpoint, _query(call), below(pointer, "queryString"))


def _parameter_errors(endpoint: Endpoint, call: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    body = call.get("body", {})
    if isinstance(body, dict):
        place = "queryString" if "queryString" in endpoint.example and not body else "body"
        if place == "body":
            yield from endpoint.problems(_query(call) | body, below(pointer, place))
        else:
            yield from _text_errors(endpoint, _query(call), below(pointer, place))
        return
    fields = _read(body)
    if fields is not None:
        yield from _text_errors(endpoint, _query(call) | fields, below(pointer, "body"))


def _text_errors(endpoint: Endpoint, given: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    """Of parameters that are in a text: a pointer can only name the text, so the detail names the parameter."""
    for error in endpoint.problems(given, "#"):
        yield FieldError(pointer, f"{error.pointer.removeprefix('#/')} {error.detail}")


def _query(call: Mapping[str, Any]) -> dict[str, Any]:
    text = call.get("queryString")
    return dict(parse_qsl(text, keep_blank_values=True)) if text else {}


def _read(body: str) -> dict[str, Any] | None:
    """The parameters in a body that is text; None if they cannot be read."""
    if len(body) > _MAX_TEXT:
        return None
    try:
        fields = strict_json.parse(body) if body.strip() else {}
    except UnreadableBody:
        return None
    return fields if isinstance(fields, dict) else None


def is_octets(content_type: object) -> bool:
    """Whether a body of this content type is bytes, in base64."""
    return isinstance(content_type, str) and content_type.partition(";")[0].strip().lower() == OCTETS
