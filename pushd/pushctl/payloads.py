"""From the arguments of ``pushctl send`` to the payload of a command, for each dialect."""

import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from pushd.lib import strict_json

Payload = dict[str, Any]

OCTET_STREAM = "application/octet-stream"


@frozen(kw_only=True)
class PayloadArguments:
    """The arguments and options that make up a payload, as written; ``what`` is the endpoint or control."""

    what: str | None = None
    body: str | None = None
    payload: str | None = None
    verb: str | None = None
    query_string: str | None = None
    content_type: str | None = None
    data: str | None = None
    message: str | None = None

    def given(self, *names: str) -> list[str]:
        """Those of the options that were used, as they are written."""
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]


def build_payload(device: str, arguments: PayloadArguments) -> Payload:
    """The payload for a device, in the form of its dialect.

    :raises click.UsageError: if the arguments do not fit together.
    """
    if arguments.payload is not None:
        return _whole_payload(arguments)
    dialect, _, local = device.partition(":")
    if dialect not in _BUILDERS or not local:
        raise click.UsageError(
            f"{device!r} is neither controlid:<deviceId> nor servereye:<containerId>; for other devices use --payload."
        )
    return _BUILDERS[dialect](arguments)


def _whole_payload(arguments: PayloadArguments) -> Payload:
    if arguments.what is not None:
        raise click.UsageError("--payload is the whole payload: leave out ENDPOINT or CONTROL, and BODY.")
    others = ("verb", "query_string", "content_type", "data", "message")
    _refuse(arguments, *others, because="--payload is the whole payload")
    payload = read_json(read_text(arguments.payload or ""), "--payload")
    if not isinstance(payload, dict):
        raise click.UsageError("--payload must be a JSON object.")
    return payload


def _controlid(arguments: PayloadArguments) -> Payload:
    if arguments.what is None:
        raise click.UsageError('Missing ENDPOINT. For example: load_objects \'{"object": "users"}\'')
    _refuse(arguments, "data", "message", because="a Control iD device takes ENDPOINT and BODY")
    fields = {
        "verb": arguments.verb,
        "endpoint": arguments.what,
        "body": None if arguments.body is None else _controlid_body(arguments.body, arguments.content_type),
        "contentType": arguments.content_type,
        "queryString": arguments.query_string,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _controlid_body(text: str, content_type: str | None) -> object:
    if content_type == OCTET_STREAM and _is_source(text):
        return b64encode(read_bytes(text)).decode("ascii")
    if content_type is not None and "json" not in content_type.lower():
        return read_text(text)
    body = read_json(read_text(text), "BODY")
    if not isinstance(body, dict | str):
        raise click.UsageError("BODY must be a JSON object, or a JSON string.")
    return body


def _servereye(arguments: PayloadArguments) -> Payload:
    if arguments.what is None:
        raise click.UsageError("Missing CONTROL. For example: REFRESH_AGENT")
    unfit = ("verb", "query_string", "content_type")
    _refuse(arguments, *unfit, because="a Server-Eye container takes CONTROL and --data")
    if arguments.body is not None and arguments.data is not None:
        raise click.UsageError("Give the data once: as BODY or with --data.")
    data = arguments.data if arguments.data is not None else arguments.body
    fields = {
        "control": arguments.what,
        "message": arguments.message,
        "data": None if data is None else read_text(data),
    }
    return {name: value for name, value in fields.items() if value is not None}


_BUILDERS: dict[str, Callable[[PayloadArguments], Payload]] = {"controlid": _controlid, "servereye": _servereye}


def _refuse(arguments: PayloadArguments, *names: str, because: str) -> None:
    if unfit := arguments.given(*names):
        raise click.UsageError(f"{', '.join(unfit)} cannot be used here: {because}.")


def _is_source(text: str) -> bool:
    return text == "-" or text.startswith("@")


def read_text(source: str) -> str:
    """The text itself; or the contents of a file for ``@FILE``, of standard input for ``-``."""
    if not _is_source(source):
        return source
    try:
        return read_bytes(source).decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError(f"{source} is not UTF-8 text.") from None


def read_bytes(source: str) -> bytes:
    """The contents of a file for ``@FILE``, of standard input for ``-``."""
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {source[1:]}: {error.strerror}") from None


def read_json(text: str, name: str) -> object:
    """The value of a JSON text, read as strictly as the server reads it.

    :raises click.UsageError: if it is not JSON; ``name`` says of which argument.
    """
    try:
        value: object = strict_json.parse(text)
    except strict_json.UnreadableBody as error:
        raise click.UsageError(f"{name} is not JSON: {error.__cause__ or error}") from None
    return value
