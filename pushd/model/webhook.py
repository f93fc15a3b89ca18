"""Webhooks: who is told of what happens, how far it got, and each attempt."""

from attrs import frozen

from pushd.model.event import EventType

SECRET_PREFIX = "whsec_"
"""By which the Standard Webhooks specification knows a secret for signatures of version 1; base64 follows."""

MAX_WEBHOOKS = 64
"""All together."""

MAX_PARALLEL = 16
"""Deliveries of one webhook at once."""

MAX_DELIVERIES = 1000
"""Entries that the log keeps of each webhook."""

MAX_OLD_SECRETS = 4
"""Replaced secrets of one webhook that may still sign along; the oldest give way."""


@frozen(kw_only=True)
class Webhook:
    """A subscription as it is stored; moments in wall milliseconds.

    ``types`` and ``tags`` that are empty mean any. Up to ``cursor``, a ``seq``, all is delivered.
    """

    id: str
    url: str
    types: tuple[EventType, ...] = ()
    tags: tuple[str, ...] = ()
    parallel: int = 1
    created_at: int
    cursor: int = 0
    disabled_at: int | None = None
    disabled_reason: str | None = None
    failing_since: int | None = None
    """When the event that has failed for longest did so for the first time."""
    next_attempt_at: int | None = None


@frozen(kw_only=True)
class Secret:
    """What messages are signed with, ``whsec_...``; ``expires_at`` is wall milliseconds, None for the current one."""

    text: str
    expires_at: int | None = None


@frozen(kw_only=True)
class Subscription:
    """A webhook with what only its courier needs.

    ``revision`` counts an operator's changes: what a courier says of an earlier one is not taken.
    """

    webhook: Webhook
    revision: int
    secrets: tuple[Secret, ...]
    failing: int | None = None
    """The ``seq`` of the event that ``failing_since`` is about."""


@frozen(kw_only=True)
class Failing:
    """The event that has failed for longest; moments in wall milliseconds."""

    seq: int
    since: int
    next_attempt_at: int


@frozen(kw_only=True)
class Progress:
    """How far a courier got: up to ``cursor`` all is delivered."""

    webhook: str
    revision: int
    cursor: int
    failing: Failing | None = None


@frozen(kw_only=True)
class Attempt:
    """One try to deliver an event: when it began, in wall milliseconds, how long it took, in milliseconds, and the
    answer's status and the beginning of its body, or what went wrong.
    """

    seq: int
    at: int
    duration: int = 0
    status: int | None = None
    error: str | None = None


@frozen(kw_only=True)
class Delivery:
    """An entry of the delivery log."""

    id: int
    attempt: Attempt
