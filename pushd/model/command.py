"""A command: what an operator sends to one device, and what became of it."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pushd.model.errors import FieldError, InvalidFields
from pushd.model.lifecycle import Delivery, State

DEFAULT_TTL = 300.0
"""Seconds after which a command that was not sent never is."""

DEFAULT_DEADLINE = 3600.0
"""Seconds of work that one attempt may take after it was sent."""

DEFAULT_PRIORITY = 5
DEFAULT_MAX_ATTEMPTS = 5

Payload = Mapping[str, Any]
"""What the device is to do, as the operator gave it; its dialect has checked it."""


@frozen(kw_only=True)
class SendOptions:
    """What a sender may ask for beside the payload; durations in seconds, ``not_before`` in wall milliseconds."""

    ttl: float = DEFAULT_TTL
    delivery: Delivery = Delivery.AT_MOST_ONCE
    priority: int = DEFAULT_PRIORITY
    not_before: int | None = None
    lease: float | None = None  # None: the dialect's
    deadline: float = DEFAULT_DEADLINE
    max_attempts: int = DEFAULT_MAX_ATTEMPTS

    def check(self) -> None:
        """Check the bounds.

        :raises InvalidFields: naming each field that is out of them.
        """
        errors = [
            FieldError(f"#/{name}", f"must be {low} to {high}{unit}")
            for name, low, high, unit in _BOUNDS
            if (value := getattr(self, name)) is not None and not low <= value <= high
        ]
        if errors:
            raise InvalidFields(errors)


_DAY = 86400
_BOUNDS = (
    ("ttl", 0.001, 3650 * _DAY, " seconds"),
    ("priority", 0, 9, ""),
    ("lease", 0.001, _DAY, " seconds"),
    ("deadline", 0.001, 30 * _DAY, " seconds"),
    ("max_attempts", 1, 1000, ""),
)


@frozen(kw_only=True)
class Draft:
    """A command as it is sent, before it is accepted."""

    id: str
    device: str
    payload: Payload
    terms: SendOptions
    lease: float
    created_by: str
    resend_of: str | None = None
    idempotency_key: str | None = None
    fingerprint: bytes | None = None  # of the request that came with the idempotency key


@frozen(kw_only=True)
class Command:
    """A command as it is stored; durations in seconds, moments in wall milliseconds."""

    id: str
    device: str
    state: State
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
    result: str | None
    """JSON text of what the device said, untouched."""
    error: str | None
    late: bool
    evidence: str | None
    """Whose word the state rests on: ``device``, ``operator``, or nobody's but ours."""
    matched_by: str | None
    created_by: str
    resend_of: str | None
    resent_as: str | None
    idempotency_key: str | None


@frozen(kw_only=True)
class Dispatched:
    """What a poll is answered with: a command, and which attempt at it this is."""

    command: str
    attempt: int
    payload: Payload
