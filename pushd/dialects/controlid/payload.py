"""Validates the payload of a command for a Control iD device, before the command is accepted."""

from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from typing import Any

from pushd.dialects.controlid.catalogue import OCTETS, is_octets
from pushd.dialects.controlid.result import MAX_TRANSACTIONS, endpoint_name, normalized_id, with_transaction_ids
from pushd.lib.strict_json import below, find_unwritable
from pushd.model.command import MAX_ENDPOINT, MAX_ENDPOINTS, Payload
from pushd.model.errors import FieldError, InvalidFields

_ROOT = "#/payload"
VERBS = ("GET", "POST")
_FIELDS = frozenset({"verb", "endpoint", "body", "contentType", "queryString"})


def check(payload: Payload) -> Payload:
    """Refuse a payload that a device could not run; returns it with endpoints as a device takes them.

    :raises InvalidFields: with all errors.
    """
    errors = [*(_batch(payload) if "transactions" in payload else _command(payload, _ROOT, _FIELDS))]
    errors.extend(FieldError(*found) for found in find_unwritable(payload, _ROOT))
    if errors:
        raise InvalidFields(errors)
    if "transactions" not in payload:
        return _with_endpoint_name(payload)
    transactions = payload["transactions"]
    named = [_with_endpoint_name(entry) for entry in transactions]
    is_same = all(entry is given for entry, given in zip(named, transactions, strict=True))
    return payload if is_same else {**payload, "transactions": named}


def _with_endpoint_name(command: Payload) -> Payload:
    """A command whose endpoint an operator may have copied from the device's own HTTP interface."""
    name = endpoint_name(command["endpoint"])
    return command if name == command["endpoint"] else {**command, "endpoint": name}


def _batch(payload: Payload) -> Iterator[FieldError]:
    for key in payload.keys() - {"transactions"}:
        known = key in _FIELDS
        yield FieldError(below(_ROOT, key), "belongs in an entry of transactions" if known else "is not a known field")
    transactions, pointer = payload["transactions"], below(_ROOT, "transactions")
    if not isinstance(transactions, list) or not transactions:
        yield FieldError(pointer, "must be a non-empty list")
        return
    if len(transactions) > MAX_TRANSACTIONS:
        yield FieldError(pointer, f"must have at most {MAX_TRANSACTIONS} entries")
        return
    for index, entry in enumerate(transactions):
        yield from _entry(entry, below(pointer, index))
    if all(isinstance(entry, dict) for entry in transactions):
        yield from _duplicates(transactions, pointer)
        if len({str(entry.get("endpoint")) for entry in transactions}) > MAX_ENDPOINTS:
            yield FieldError(pointer, f"must call at most {MAX_ENDPOINTS} different endpoints")


def _entry(entry: object, pointer: str) -> Iterator[FieldError]:
    if not isinstance(entry, dict):
        yield FieldError(pointer, "must be an object")
        return
    yield from _command(entry, pointer, _FIELDS | {"transactionid"})
    if "transactionid" in entry and not normalized_id(entry["transactionid"]):
        yield FieldError(below(pointer, "transactionid"), "must be a non-empty string or a number")


def _duplicates(transactions: list[dict[str, Any]], pointer: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, entry in enumerate(with_transaction_ids(transactions)):
        name = normalized_id(entry["transactionid"])
        if name in seen:
            detail = f"must be unique, but {name} is not; an entry without one has its place in the list, from 1"
            yield FieldError(below(pointer, index, "transactionid"), detail)
        if name is not None:
            seen.add(name)


def _command(command: Mapping[str, Any], pointer: str, fields: frozenset[str]) -> Iterator[FieldError]:
    for key in command.keys() - fields:
        yield FieldError(below(pointer, key), "is not a known field")
    if "verb" in command and command["verb"] not in VERBS:
        yield FieldError(below(pointer, "verb"), "must be GET or POST")
    if problem := _endpoint_problem(command.get("endpoint")):
        yield FieldError(below(pointer, "endpoint"), problem)
    for key in ("contentType", "queryString"):
        if not isinstance(command.get(key, ""), str):
            yield FieldError(below(pointer, key), "must be a string")
    if problem := _body_problem(command):
        yield FieldError(below(pointer, "body"), problem)


def _endpoint_problem(endpoint: object) -> str | None:
    if not isinstance(endpoint, str) or not endpoint_name(endpoint).strip():
        return "is required, and must be a non-empty string such as load_objects"
    if len(endpoint) > MAX_ENDPOINT:
        return f"must have at most {MAX_ENDPOINT} characters"
    return None


def _body_problem(command: Mapping[str, Any]) -> str | None:
    body = command.get("body", "")
    if is_octets(command.get("contentType")):
        if "body" not in command or not _is_base64(body):
            return f"must be one base64 string, without line breaks, where contentType is {OCTETS}"
    elif not isinstance(body, dict | str):
        return "must be an object or a string"
    return None


def _is_base64(text: object) -> bool:
    if not isinstance(text, str) or len(text) % 4:  # the strict mode lets an extra = pass
        return False
    try:
        a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    return True
