"""From the words of a command line to the payload of a command, per dialect."""

import json
import math
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from attrs import frozen

Payload = dict[str, Any]

OCTETS = "application/octet-stream"


@frozen(kw_only=True)
class Words:
    """What the operator wrote about the command itself, as written."""

    what: str | None = None
    body: str | None = None
    payload: str | None = None
    verb: str | None = None
    query_string: str | None = None
    content_type: str | None = None
    data: str | None = None
    message: str | None = None

    def given(self, *names: str) -> list[str]:
        """Those of the fields that the operator used, as options are written."""
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]


def build_payload(device: str, words: Words) -> Payload:
    """The payload for a device, built the way its dialect wants it.

    :raises click.UsageError: if the words do not fit together.
    """
    if words.payload is not None:
        return _ready_made(words)
    dialect, _, local = device.partition(":")
    if dialect not in _BUILDERS or not local:
        raise click.UsageError(
            f"{device!r} is neither controlid:<deviceId> nor servereye:<containerId>; for others give --payload."
        )
    return _BUILDERS[dialect](words)


def _ready_made(words: Words) -> Payload:
    if words.what is not None:
        raise click.UsageError("--payload is the whole payload: leave out ENDPOINT or CONTROL, and BODY.")
    _refuse(words, "verb", "query_string", "content_type", "data", "message", because="--payload is the whole payload")
    payload = read_json(read_text(words.payload or ""), "--payload")
    if not isinstance(payload, dict):
        raise click.UsageError("--payload must be a JSON object.")
    return payload


def _controlid(words: Words) -> Payload:
    if words.what is None:
        raise click.UsageError('Which ENDPOINT? For example: load_objects \'{"object": "users"}\'')
    _refuse(words, "data", "message", because="a Control iD device takes ENDPOINT and BODY")
    fields = {
        "verb": words.verb,
        "endpoint": words.what,
        "body": None if words.body is None else _controlid_body(words.body, words.content_type),
        "contentType": words.content_type,
        "queryString": words.query_string,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _controlid_body(text: str, content_type: str | None) -> object:
    if content_type == OCTETS and (text == "-" or text.startswith("@")):
        return b64encode(read_bytes(text)).decode("ascii")
    if content_type is not None and "json" not in content_type.lower():
        return read_text(text)
    body = read_json(read_text(text), "BODY")
    if not isinstance(body, dict | str):
        raise click.UsageError("BODY must be a JSON object, or a JSON string.")
    return body


def _servereye(words: Words) -> Payload:
    if words.what is None:
        raise click.UsageError("Which CONTROL? For example: REFRESH_AGENT")
    _refuse(words, "verb", "query_string", "content_type", because="a Server-Eye container takes CONTROL and --data")
    if words.body is not None and words.data is not None:
        raise click.UsageError("Give the data once: as BODY or by --data.")
    data = words.data if words.data is not None else words.body
    fields = {
        "control": words.what,
        "message": words.message,
        "data": None if data is None else read_text(data),
    }
    return {name: value for name, value in fields.items() if value is not None}


_BUILDERS: dict[str, Callable[[Words], Payload]] = {"controlid": _controlid, "servereye": _servereye}


def _refuse(words: Words, *names: str, because: str) -> None:
    if unfit := words.given(*names):
        raise click.UsageError(f"{', '.join(unfit)} does not fit here: {because}.")


def read_text(source: str) -> str:
    """The text itself, ``@FILE`` for what a file holds, or ``-`` for standard input."""
    if source != "-" and not source.startswith("@"):
        return source
    try:
        return read_bytes(source).decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError(f"{source} does not hold UTF-8 text.") from None


def read_bytes(source: str) -> bytes:
    """What ``@FILE`` or ``-`` (standard input) holds."""
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{source[1:]} cannot be read: {error.strerror}") from None


def read_json(text: str, name: str) -> object:
    """The JSON value that a text holds; nothing that only Python takes for JSON.

    :raises click.UsageError: if it holds none; ``name`` tells the operator where.
    """
    try:
        value: object = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{name} is not JSON: {error}") from None
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is too large a number")
    return number
