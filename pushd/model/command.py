"""A command: what an operator sends to one device, and its outcome."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from attrs import field, frozen

from pushd.model.errors import FieldError, InvalidFields, Unavailable
from pushd.model.large_text import LargeText, Text
from pushd.model.lifecycle import Delivery, State
from pushd.model.token import TokenRevision

DEFAULT_TTL = 300.0
"""Time to live in seconds: a command that is still queued then is never sent."""

DEFAULT_DEADLINE = 3600.0
"""Seconds after which the device must have finished one attempt."""

DEFAULT_PRIORITY = 5
DEFAULT_MAX_ATTEMPTS = 5

Payload = Mapping[str, Any]
"""What the device must do: a JSON object as the operator gave it, checked by the dialect."""

Endpoints = str | tuple[str, ...]
"""What a command calls on its device: an endpoint (or control), or the different ones of a batch, in order."""

MAX_ENDPOINT = 256
"""Characters of the name of an endpoint: it is part of each event of its commands."""

MAX_ENDPOINTS = 64
"""Different endpoints that a batch calls."""

MAX_TRACE = 128
"""Characters of what a sender notes about a command."""


class LargePayload(Mapping[str, Any]):
    """A large payload, kept as text: to read or write its values takes long, and is not done on the reactor.

    ``text`` is the payload, ``sent`` what is sent of it, and ``outline`` the JSON text of as much of it as its dialect
    needs to judge a result; ``endpoints`` are what it calls. Of a payload that is stored, only
    what is needed is loaded.
    """

    def __init__(self, text: LargeText, sent: LargeText, outline: str = "{}", endpoints: Endpoints = ()) -> None:
        self.text, self.sent, self.outline, self.endpoints = text, sent, outline, endpoints

    @cached_property
    def values_by_name(self) -> dict[str, Any]:
        """The payload, read.

        :raises Unavailable: if the text is missing or damaged.
        """
        try:
            values: dict[str, Any] = json.loads(self.text.data)
        except ValueError as error:  # it was valid when it was written
            raise Unavailable(f"A payload in the database is damaged: {error}") from error
        return values

    def __getitem__(self, name: str) -> Any:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


@frozen(kw_only=True)
class SendOptions:
    """What a sender may choose beside the payload; durations in seconds, ``not_before`` in wall milliseconds."""

    ttl: float = DEFAULT_TTL
    delivery: Delivery = Delivery.AT_MOST_ONCE
    priority: int = DEFAULT_PRIORITY
    not_before: int | None = None
    lease: float | None = None  # None: the default of the dialect
    deadline: float = DEFAULT_DEADLINE
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    trace: str | None = None
    """What the sender notes about the command, as the number of a ticket; it means nothing to the server."""

    def check(self) -> None:
        """Check all bounds.

        :raises InvalidFields: naming each field that is out of bounds.
        """
        errors = [
            FieldError(f"#/{name}", f"must be {low} to {high}{unit}")
            for name, (low, high, unit) in BOUNDS.items()
            if (value := getattr(self, name)) is not None and not low <= value <= high
        ]
        if self.trace is not None and len(self.trace) > MAX_TRACE:
            errors.append(FieldError("#/trace", f"must have at most {MAX_TRACE} characters"))
        if errors:
            raise InvalidFields(errors)


_DAY = 86400
BOUNDS: Mapping[str, tuple[float, float, str]] = {
    "ttl": (0.001, 3650 * _DAY, " seconds"),
    "priority": (0, 9, ""),
    "lease": (0.001, _DAY, " seconds"),
    "deadline": (0.001, 30 * _DAY, " seconds"),
    "max_attempts": (1, 1000, ""),
}
"""The least and the greatest value of each option that is a number, and its unit."""


@frozen(kw_only=True)
class Draft:
    """A command before it is stored."""

    device: str
    payload: Payload
    endpoints: Endpoints
    terms: SendOptions
    lease: float
    created_by: str
    resend_of: str | None = None
    idempotency_key: str | None = None
    fingerprint: bytes | None = None  # of the request that came with the idempotency key
    audited_as: str | None = None
    """The action in the audit log; None: sending it is no entry."""
    token: TokenRevision | None = None
    """What admits its sender; None: that is not compared with the database."""


@frozen(kw_only=True)
class Command:
    """A stored command; durations in seconds, timestamps in wall milliseconds."""

    id: str
    device: str
    state: State
    endpoint: str | None
    """What it calls on the device; None if it is a batch."""
    endpoints: tuple[str, ...] | None
    """The different endpoints of a batch, in their order."""
    payload: Payload
    delivery: Delivery
    priority: int
    ttl: float
    not_before: int | None
    created_at: int
    expires_at: int
    attempts: int
    max_attempts: int
    lease: float
    deadline: float
    sent_at: int | None
    acknowledged_at: int | None
    finished_at: int | None
    result: Text | None
    """The device's result, as the JSON text that it sent."""
    error: str | None
    late: bool
    evidence: str | None
    """What the state rests on: the word of the ``device`` or of an ``operator``; None: only what the server did."""
    matched_by: str | None
    created_by: str
    resend_of: str | None
    resent_as: str | None
    idempotency_key: str | None
    trace: str | None


@frozen(kw_only=True)
class Dispatched:
    """A command in the answer to a poll, with the number of the attempt, from 1."""

    command: str
    attempt: int
    payload: Payload
    handover: str = field(default="", eq=False)
    """The id of the claim: attempt numbers are given again after a claim was taken back."""
