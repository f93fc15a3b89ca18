"""Webhooks: subscriptions to events, the progress of their delivery, and the delivery log."""

from collections.abc import Iterable
from enum import StrEnum
from urllib.parse import urlsplit

from attrs import frozen

from pushd.model.event import EventType

MAX_WEBHOOKS = 64
"""How many webhooks there may be."""

MAX_PARALLEL = 16
"""Concurrent deliveries of one webhook at most."""

MAX_DELIVERIES = 1000
"""Entries of the delivery log that are kept for each webhook."""

MAX_OLD_SECRETS = 4
"""Replaced secrets of one webhook that still sign messages; the oldest are dropped."""


TEST_TYPE = "pushd.test"
"""The type of a test message, which is about no event."""

SHOWN_OF_PATH = 4
"""How many characters are shown of a URL beside its host."""


class WebhookFormat(StrEnum):
    """What a message looks like."""

    STANDARD = "standard"
    """JSON, signed as the Standard Webhooks specification says."""
    SLACK = "slack"
    """A sentence for an incoming webhook of Slack."""
    NTFY = "ntfy"
    """A sentence for a topic of ntfy."""


@frozen(kw_only=True)
class Webhook:
    """A stored webhook; timestamps in wall milliseconds, those of failures in elapsed time.

    Empty ``types``, ``devices``, ``sites`` and ``tags`` mean any. All events up to the ``seq`` in ``cursor`` are
    delivered.
    """

    id: str
    url: str
    """A secret: it is all that is needed to post to the receiver."""
    format: WebhookFormat = WebhookFormat.STANDARD
    types: tuple[EventType, ...] = ()
    devices: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    include_result: bool = False
    """Whether messages about ended commands have the result of the device."""
    parallel: int = 1
    created_at: int
    cursor: int = 0
    disabled_at: int | None = None
    disabled_reason: str | None = None
    failing_since: int | None = None
    """When the event that has failed for longest failed for the first time."""
    next_attempt_at: int | None = None

    @property
    def shown_url(self) -> str:
        """The URL as lists, the audit and logs show it: its host and its last four characters."""
        return masked_url(self.url)

    @property
    def is_narrowed(self) -> bool:
        """Whether only events of certain devices are delivered."""
        return bool(self.devices or self.sites or self.tags)

    def selects(self, device: str, site: str | None, tags: Iterable[str]) -> bool:
        """Whether events of a device with this site and these tags are delivered."""
        if self.devices and device not in self.devices:
            return False
        return (not self.sites or site in self.sites) and set(self.tags) <= set(tags)


def masked_url(url: str) -> str:
    """A URL that is a secret, with its host and its last four characters alone."""
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    rest = url[len(base) :]
    return url if rest in ("", "/") else f"{base}/***{rest[1:][-SHOWN_OF_PATH:]}"


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
