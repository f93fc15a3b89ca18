"""The Control iD push protocol on the wire: queries, commands and results as bytes, and as values.

The device polls ``GET {base}/push?deviceId=<int64>&uuid=<string>`` and sends the result to
``POST {base}/result?deviceId=<int64>&uuid=<string>&endpoint=<name>``, with the uuid that it chose for the poll.
A deviceId has up to 19 digits and does not fit into a double, so it is never converted to a number.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from attrs import frozen

from pushd.dialects.controlid.result import (
    BATCH_FIELDS,
    ENTRY_FIELDS,
    MAX_TRANSACTIONS,
    UNREADABLE,
    ControlIdResult,
    batch_entries,
    endpoints,
    entry_texts,
    raw_result,
    read_only_entry,
    read_outcome,
    read_transactions,
    with_transaction_ids,
)
from pushd.lib import large_json, strict_json
from pushd.lib.strict_json import UnreadableBody
from pushd.model.command import LargePayload, Payload
from pushd.model.errors import InvalidQuery
from pushd.model.large_text import LargeText, to_text
from pushd.model.result import RAW_LIMIT

__all__ = [
    "HAS_DEVICE_ID",
    "IDLE",
    "SUFFIX",
    "CommandOutcome",
    "ControlIdResult",
    "PollQuery",
    "canonical",
    "oversized",
    "read_push",
    "read_query",
    "read_result",
    "to_large",
    "write_push",
    "write_pushes",
    "write_result",
    "write_results",
]

IDLE = b""
"""The response to an idle poll, and to every result; devices accept neither ``{}`` nor ``null`` instead."""

_DEVICE_ID = re.compile(r"-?[0-9]{1,19}")
_INT64 = range(-(2**63), 2**63)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_DEVICE_ID_SPELLINGS = (b"deviceId", b"device_id", b"deviceid")  # that of devices, and those of middleboxes

HAS_DEVICE_ID = re.compile(rb"(?:^|&)(?:%b)=" % b"|".join(_DEVICE_ID_SPELLINGS))
"""Found in the query of a device."""

SUFFIX = b"/push"
"""What devices append to their address for a poll."""

_MAX_UUID = 256
_MAX_PAIRS = 1000
"""The limit of fields in a form; a device sends a handful."""

_FORM = "application/x-www-form-urlencoded"

_FIELDS = ("response", "error", *BATCH_FIELDS)
"""What is read of a result."""


@frozen(kw_only=True)
class PollQuery:
    """The query of a poll or a result; ``uuid`` is the device's id of the poll, ``endpoint`` that of the command."""

    device: str
    uuid: str | None
    endpoint: str | None


@frozen(kw_only=True)
class CommandOutcome:
    """The outcome of a command, as a device sends it: an error, or else a response."""

    response: object = ""
    error: str | None = None


def canonical(text: str) -> str:
    """A deviceId as ids contain it: a decimal int64 without leading zeros.

    :raises InvalidQuery: if it is not an int64.
    """
    if not _DEVICE_ID.fullmatch(text) or int(text) not in _INT64:
        raise InvalidQuery("deviceId must be a signed 64-bit integer in decimal digits.")
    return str(int(text))


def read_query(args: Mapping[bytes, Sequence[bytes]]) -> PollQuery:
    """Read the query of ``/push`` or ``/result``, given as Twisted parses it.

    The uuid and the endpoint are only compared, so any value of theirs is accepted.

    :raises InvalidQuery: if the deviceId is missing or invalid, or given twice with different values.
    """
    devices = set()
    for name in _DEVICE_ID_SPELLINGS:
        for value in args.get(name, ()):
            if value:
                devices.add(canonical(value.decode("utf-8", "replace")))
    if len(devices) > 1:
        raise InvalidQuery("deviceId must not be given twice with different values.")
    if not devices:
        raise InvalidQuery("deviceId is required.")
    uuid = _first_text(args, b"uuid")
    return PollQuery(device=devices.pop(), uuid=uuid and _comparable(uuid), endpoint=_first_text(args, b"endpoint"))


def write_push(payload: Payload) -> bytes:
    """The response to a poll with a command or a batch: the fields that the operator gave, and no others."""
    if type(payload) is LargePayload:
        return payload.sent.data
    return strict_json.write(_with_ids(payload)).encode()


def to_large(payload: Payload) -> LargePayload:
    """A large command or batch; its outline has the endpoints and transaction ids."""
    text = LargeText.of(strict_json.encode_in_pieces(payload))
    if "transactions" not in payload:
        return LargePayload(text, text, strict_json.write({"endpoint": payload["endpoint"]}), endpoints(payload))
    batch = _with_ids(payload)
    is_same = all("transactionid" in entry for entry in payload["transactions"])
    sent = text if is_same else LargeText.of(strict_json.encode_in_pieces(batch))
    entries = [{name: entry[name] for name in ("endpoint", "transactionid")} for entry in batch["transactions"]]
    return LargePayload(text, sent, strict_json.write({"transactions": entries}), endpoints(payload))


def _with_ids(payload: Payload) -> Payload:
    """A command as it is, or a batch in which each entry has its transactionid."""
    if "transactions" not in payload:
        return payload
    return {**payload, "transactions": with_transaction_ids(payload["transactions"])}


def write_pushes(payloads: Sequence[Payload]) -> bytes:
    """The response to a poll with any number of commands; several are sent as one batch, with their places as ids."""
    if not payloads:
        return IDLE
    return write_push(payloads[0] if len(payloads) == 1 else {"transactions": payloads})


def read_push(body: bytes) -> Payload | None:
    """Read the response to a poll, as a device does; None if there is no command: if it is empty, an empty list, or
    an object with neither an endpoint nor transactions.

    :raises UnreadableBody: if it is anything else but a JSON object.
    """
    text = strict_json.decode(body)
    if not text.strip():
        return None
    payload = strict_json.parse(text)
    if payload == []:
        return None
    if not isinstance(payload, dict):
        raise UnreadableBody("A command must be a JSON object.")
    return payload if "endpoint" in payload or "transactions" in payload else None


def read_result(body: bytes, content_type: str | None, query: PollQuery) -> ControlIdResult:
    """Read the result that a device sent, whatever its content type; ``unreadable`` is set if it cannot be read."""
    try:
        text, fields = _read_fields(body, content_type)
        entries = _read_batch(text, fields)
    except (UnreadableBody, RecursionError):  # a part may be too deep to be written, though it could be read
        return _result(body, query, result=to_text(raw_result(body)), unreadable=UNREADABLE)
    is_large = len(text) > strict_json.LARGE
    return _result(
        body,
        query,
        result=LargeText.of(text.encode()) if is_large else text,
        outcome=read_outcome(fields),
        transactions=None if entries is None else read_transactions(entries),
        only_entry=None if entries is None else read_only_entry(entries),
        entry_texts=entry_texts(entries) if is_large and entries is not None else None,
    )


def oversized(size: int, query: PollQuery) -> ControlIdResult:
    """The result for a body of ``size`` bytes, which was too large to be kept."""
    why = f"the result was too large: {size} bytes"
    return ControlIdResult(uuid=query.uuid, endpoint=query.endpoint, result=None, raw=b"", size=size, unreadable=why)


def write_result(outcome: CommandOutcome, *, as_object: bool = False) -> bytes:
    """The body with which a device reports the outcome of a command; a response that is no text is sent as JSON text,
    or ``as_object``, as in the vendor's example.
    """
    return strict_json.write(_outcome_fields(outcome, as_object=as_object)).encode()


def write_results(outcomes: Mapping[str, CommandOutcome]) -> bytes:
    """The body with which a device reports the outcomes of a batch, by transactionid; each response is a text."""
    results = [_entry(name, outcome) for name, outcome in outcomes.items()]
    return strict_json.write({"transactions_results": results}).encode()


def _entry(name: str, outcome: CommandOutcome) -> dict[str, object]:
    # a device returns a number where it received a string of digits
    transactionid = int(name) if _NUMBER.fullmatch(name) else name
    return {"transactionid": transactionid, "success": outcome.error is None} | _outcome_fields(outcome)


def _outcome_fields(outcome: CommandOutcome, *, as_object: bool = False) -> dict[str, object]:
    if outcome.error is not None:
        return {"error": outcome.error}
    is_sent_as_it_is = as_object or isinstance(outcome.response, str)
    return {"response": outcome.response if is_sent_as_it_is else strict_json.write(outcome.response)}


def _read_large_batch(text: str, fields: Mapping[str, Any]) -> list[object] | None:
    name = next((name for name in BATCH_FIELDS if name in fields), None)
    if name is None or not isinstance(fields[name], str) or not fields[name].strip():
        return None
    try:
        return large_json.read_items(text, f"$.{name}", ENTRY_FIELDS, MAX_TRANSACTIONS)
    except UnreadableBody:
        posted = large_json.read_string(text, name)  # in a form it is JSON text
        return large_json.read_items(posted, "$", ENTRY_FIELDS, MAX_TRANSACTIONS)


def _first_text(args: Mapping[bytes, Sequence[bytes]], name: bytes) -> str | None:
    """The first value of a parameter that is not empty, None if there is none."""
    for value in args.get(name, ()):
        if value:
            return value.decode("utf-8", "replace")
    return None


def _comparable(uuid: str) -> str:
    """A uuid that every store can keep: of limited length, and without NUL."""
    return uuid[:_MAX_UUID].replace("\0", "\N{REPLACEMENT CHARACTER}")


def _result(body: bytes, query: PollQuery, **read: Any) -> ControlIdResult:
    return ControlIdResult(uuid=query.uuid, endpoint=query.endpoint, raw=body[:RAW_LIMIT], size=len(body), **read)


def _read_fields(body: bytes, content_type: str | None) -> tuple[str, dict[str, Any]]:
    text = strict_json.decode(body)
    if text.lstrip().startswith(("{", "[", '"')):  # JSON, or a part of it: never a form, though it may parse as one
        is_large = len(text) > strict_json.LARGE
        fields = large_json.read_members(text, _FIELDS) if is_large else strict_json.parse(text)
    else:
        fields = _read_form(text, declared=(content_type or "").lower().startswith(_FORM))
        text = strict_json.write(fields)
    if not isinstance(fields, dict):
        raise UnreadableBody("The result is not an object.")
    return text, fields


def _read_form(text: str, *, declared: bool) -> dict[str, str]:
    # a body that is not declared as a form must be a valid one: "error" alone is a text, not a key
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=not declared, max_num_fields=_MAX_PAIRS)
    except ValueError as error:
        raise UnreadableBody("The result is neither JSON nor a form.") from error
    return dict(pairs)


def _read_batch(text: str, fields: Mapping[str, Any]) -> list[object] | None:
    if len(text) > strict_json.LARGE:
        results = _read_large_batch(text, fields)
    else:
        results = batch_entries(fields)
        if isinstance(results, str) and results.strip():  # in a form it is JSON text
            results = strict_json.parse(results)
    if isinstance(results, list):
        if len(results) > MAX_TRANSACTIONS:
            raise UnreadableBody(f"The result has more than {MAX_TRANSACTIONS} entries.")
        return results
    if "response" in fields or "error" in fields:
        return None
    raise UnreadableBody("The result has neither a response, an error nor a list of transactions_results.")
