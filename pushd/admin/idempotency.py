"""Idempotency keys: the header, and the hash by which the body of a repeated request is recognised."""

import json
from hashlib import sha256
from typing import Any

from pushd.http.request import Request
from pushd.model.errors import InvalidQuery

MAX_KEY = 255
"""Characters of an Idempotency-Key."""


def idempotency_key(request: Request) -> str | None:
    """The idempotency key of a request, if it has one.

    :raises InvalidQuery: if it is not valid.
    """
    headers = request.requestHeaders.get(b"Idempotency-Key")
    if headers is None:
        return None
    key = headers[-1].decode("utf-8", "surrogateescape")  # surrogates are not printable, and refused below
    if not (1 <= len(key) <= MAX_KEY and key.isprintable()):
        raise InvalidQuery(f"Idempotency-Key must be 1 to {MAX_KEY} printable characters.")
    return key


def fingerprint(body: dict[str, Any]) -> bytes:
    """A hash of a body that does not depend on spaces, the order of keys, or whether 1 is written 1.0."""
    numbers = json.loads(json.dumps(body), parse_float=_number)
    return sha256(json.dumps(numbers, sort_keys=True).encode()).digest()


def large_fingerprint(body: dict[str, Any]) -> bytes:
    """The same of a large body, with pauses: no other thread runs while C code reads or writes a value."""
    digest = sha256()
    for piece in json.JSONEncoder(sort_keys=True).iterencode(_with_whole_numbers(body)):
        digest.update(piece.encode())
    return digest.digest()


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    return _number(value) if isinstance(value, float) else value


def _number(text: str | float) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
