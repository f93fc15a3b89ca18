"""Webhooks: subscriptions to events, the progress of their delivery, and the delivery log."""

from attrs import frozen

from pushd.model.event import EventType

SECRET_PREFIX = "whsec_"
"""The prefix of a secret in the Standard Webhooks specification; base64 follows."""

MAX_WEBHOOKS = 64
"""How many webhooks there may be."""

MAX_PARALLEL = 16
"""Concurrent deliveries of one webhook at most."""

MAX_DELIVERIES = 1000
"""Entries of the delivery log that are kept for each webhook."""

MAX_OLD_SECRETS = 4
"""Replaced secrets of one webhook that still sign messages; the oldest are dropped."""


@frozen(kw_only=True)
class Webhook:
    """A stored webhook; timestamps in wall milliseconds, those of failures in elapsed time.

    Empty ``types`` and ``tags`` mean any. All events up to the ``seq`` in ``cursor`` are delivered.
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
    """When the event that has failed for longest failed for the first time."""
    next_attempt_at: int | None = None


@frozen(kw_only=True)
class Secret:
    """A signing secret, ``whsec_...``; ``expires_at`` is elapsed time, None for the current one."""

    text: str
    expires_at: int | None = None


@frozen(kw_only=True)
class Subscription:
    """A webhook with what its worker needs.

    ``revision`` counts an operator's changes: progress that was made with an earlier one is not saved.
    """

    webhook: Webhook
    revision: int
    secrets: tuple[Secret, ...]
    failing: int | None = None
    """The ``seq`` of the event that has failed since ``failing_since``."""


@frozen(kw_only=True)
class Failing:
    """The event that has failed for longest; timestamps in elapsed time."""

    seq: int
    since: int
    next_attempt_at: int


@frozen(kw_only=True)
class Progress:
    """The progress of a webhook: all events up to ``cursor`` are delivered."""

    webhook: str
    revision: int
    cursor: int
    failing: Failing | None = None


@frozen(kw_only=True)
class Attempt:
    """One attempt to deliver an event; ``at`` in wall milliseconds, ``duration`` in milliseconds.

    ``status`` is that of the response, if there was one; ``error`` the beginning of its body, or what went wrong.
    """

    seq: int
    at: int
    duration: int = 0
    status: int | None = None
    error: str | None = None


@frozen(kw_only=True)
class LoggedAttempt:
    """An entry of the delivery log."""

    id: int
    attempt: Attempt
