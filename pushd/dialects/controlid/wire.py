"""Control iD's push on the wire: queries, commands and results; bytes to values and back.

The device polls ``GET {base}/push?deviceId=<int64>&uuid=<string>`` and reports to
``POST {base}/result?deviceId=<int64>&uuid=<string>&endpoint=<name>``; it makes the uuid, and repeats it.
A deviceId has up to 19 digits and does not fit a double: it stays text from the query to the id.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from attrs import frozen

from pushd.dialects.controlid.result import Answer, ControlIdResult, numbered, read_answer, read_transactions
from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody
from pushd.model.command import Payload
from pushd.model.errors import InvalidQuery
from pushd.model.result import RAW_LIMIT

__all__ = [
    "IDLE",
    "ControlIdResult",
    "Outcome",
    "Visit",
    "canonical",
    "oversized",
    "read_push",
    "read_query",
    "read_result",
    "write_push",
    "write_pushes",
    "write_result",
    "write_results",
]

IDLE = b""
"""The answer to a poll when there is nothing to do, and to every result: neither ``{}`` nor ``null`` would do."""

_DEVICE_ID = re.compile(r"-?[0-9]{1,19}")
_INT64 = range(-(2**63), 2**63)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_DEVICE_ID_SPELLINGS = (b"deviceId", b"device_id", b"deviceid")  # the device's own, and those of middleboxes

_MAX_UUID = 256
_MAX_PAIRS = 1000
"""Pairs of a form; a device sends at most a handful."""

_FORM = "application/x-www-form-urlencoded"


@frozen(kw_only=True)
class Visit:
    """Who calls, about which transaction, and after which command, as far as the query says."""

    device: str
    uuid: str | None
    endpoint: str | None


@frozen(kw_only=True)
class Outcome:
    """What became of a command on a device: an error, or else a response."""

    response: object = ""
    error: str | None = None


def canonical(text: str) -> str:
    """A deviceId as it is written in ids: a decimal int64 without leading zeros.

    :raises InvalidQuery: if it is none.
    """
    if not _DEVICE_ID.fullmatch(text) or int(text) not in _INT64:
        raise InvalidQuery("A deviceId is a signed 64-bit integer in decimal digits.")
    return str(int(text))


def read_query(args: Mapping[bytes, Sequence[bytes]]) -> Visit:
    """The query of ``/push`` or ``/result``, as Twisted parses it.

    A uuid and an endpoint are only ever compared: whatever they are, they are no reason to refuse a visit.

    :raises InvalidQuery: if the deviceId is missing or none, or given twice and differently.
    """
    devices = {canonical(text) for name in _DEVICE_ID_SPELLINGS for text in _texts(args, name)}
    if len(devices) > 1:
        raise InvalidQuery("The deviceId is given twice, and differently.")
    if not devices:
        raise InvalidQuery("The deviceId is missing.")
    uuid, endpoint = (next(iter(_texts(args, name)), None) for name in (b"uuid", b"endpoint"))
    return Visit(device=devices.pop(), uuid=uuid and _comparable(uuid), endpoint=endpoint)


def write_push(payload: Payload) -> bytes:
    """The answer to a poll that brings a command or a batch, with the fields that the operator gave and no others."""
    if "transactions" in payload:
        payload = {**payload, "transactions": numbered(payload["transactions"])}
    return strict_json.write(payload).encode()


def write_pushes(payloads: Sequence[Payload]) -> bytes:
    """The answer to a poll that brings as many commands as there are; several go as one batch, numbered by their
    places.
    """
    if not payloads:
        return IDLE
    return write_push(payloads[0] if len(payloads) == 1 else {"transactions": payloads})


def read_push(body: bytes) -> Payload | None:
    """What a device reads in the answer to its poll; None if there is nothing to do.

    :raises UnreadableBody: if it is neither empty nor a JSON object.
    """
    text = strict_json.decode(body)
    if not text.strip():
        return None
    payload = strict_json.parse(text)
    if not isinstance(payload, dict):
        raise UnreadableBody("A command must be a JSON object.")
    return payload


def read_result(body: bytes, content_type: str | None, visit: Visit) -> ControlIdResult:
    """What a device posts, whatever content type it claims; what cannot be read becomes a report that says so."""
    try:
        text, fields = _read_fields(body, content_type)
        batch = _read_batch(fields)
    except UnreadableBody:
        raw = strict_json.write({"raw": b64encode(body).decode("ascii")})
        return _report(body, visit, result=raw, unreadable="unreadable result")
    return _report(body, visit, result=text, answer=read_answer(fields), transactions=batch)


def oversized(size: int, visit: Visit) -> ControlIdResult:
    """A result of ``size`` bytes that was too large to be kept."""
    why = f"the result was too large: {size} bytes"
    return ControlIdResult(uuid=visit.uuid, endpoint=visit.endpoint, result=None, raw=b"", size=size, unreadable=why)


def write_result(outcome: Outcome) -> bytes:
    """The body in which a device reports what became of a command."""
    return strict_json.write(_told(outcome)).encode()


def write_results(outcomes: Mapping[str, Outcome]) -> bytes:
    """The body in which a device reports what became of a batch, by transactionid; responses are JSON text there."""
    results = [_entry(name, outcome) for name, outcome in outcomes.items()]
    return strict_json.write({"transactions_results": results}).encode()


def _entry(name: str, outcome: Outcome) -> dict[str, object]:
    told = _told(outcome)
    if "response" in told and not isinstance(told["response"], str):
        told["response"] = strict_json.write(told["response"])
    # a device sends a number back where it was sent a string of digits
    number = int(name) if _NUMBER.fullmatch(name) else name
    return {"transactionid": number, "success": outcome.error is None} | told


def _told(outcome: Outcome) -> dict[str, object]:
    return {"response": outcome.response} if outcome.error is None else {"error": outcome.error}


def _texts(args: Mapping[bytes, Sequence[bytes]], name: bytes) -> list[str]:
    return [value.decode("utf-8", "replace") for value in args.get(name, ()) if value]


def _comparable(uuid: str) -> str:
    """A uuid that every store can keep: none has a use for NUL, nor for one without end."""
    return uuid[:_MAX_UUID].replace("\0", "\N{REPLACEMENT CHARACTER}")


def _report(body: bytes, visit: Visit, **read: Any) -> ControlIdResult:
    return ControlIdResult(uuid=visit.uuid, endpoint=visit.endpoint, raw=body[:RAW_LIMIT], size=len(body), **read)


def _read_fields(body: bytes, content_type: str | None) -> tuple[str, dict[str, Any]]:
    text = strict_json.decode(body)
    if text.lstrip().startswith(("{", "[", '"')):  # never a form, though half a JSON text may parse as one
        fields = strict_json.parse(text)
    else:
        fields = _read_form(text, declared=(content_type or "").lower().startswith(_FORM))
        text = strict_json.write(fields)
    if not isinstance(fields, dict):
        raise UnreadableBody("The result is not an object.")
    return text, fields


def _read_form(text: str, *, declared: bool) -> dict[str, str]:
    # a body that does not even claim to be a form must be one throughout: "error" alone is a text, not a key
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=not declared, max_num_fields=_MAX_PAIRS)
    except ValueError as error:
        raise UnreadableBody("The result is neither JSON nor a form.") from error
    return dict(pairs)


def _read_batch(fields: Mapping[str, Any]) -> dict[str, Answer] | None:
    results = fields.get("transactions_results")
    if isinstance(results, str) and results.strip():  # in a form it is JSON text
        results = strict_json.parse(results)
    if isinstance(results, list):
        return read_transactions(results)
    if "response" in fields or "error" in fields:
        return None
    raise UnreadableBody("The result has neither a response, an error nor a list of transactions_results.")
