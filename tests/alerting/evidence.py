"""The evidence: what really happened, and what was told of it."""

from collections.abc import Sequence
from email.message import EmailMessage

from attrs import frozen

from tests.alerting.receiver import Delivery
from tests.crash.api import Json


@frozen(kw_only=True)
class StoreOutage:
    """When the server was killed, started again, and ready, in wall milliseconds; and what the receiver waited for
    then.
    """

    killed_at: int
    started_at: int
    ready_at: int
    undelivered: int


@frozen(kw_only=True)
class Evidence:
    """All that is known when a run is over, as it was written and read."""

    plan: Sequence[Json]
    """Each device with its address, and its part in this."""
    journal: Sequence[Json] = ()
    """What became of the devices, as they wrote it down."""
    followed: Sequence[Json] = ()
    """The feed as it was read meanwhile."""
    feed: Sequence[Json] = ()
    alerts: Sequence[Json] = ()
    """As the API shows them in the end."""
    deliveries: Sequence[Delivery] = ()
    """What the receiver was sent, in order."""
    mails: Sequence[EmailMessage] = ()
    outage: StoreOutage | None = None
    flaws: Sequence[Json] = ()
    accidents: Sequence[str] = ()
    """What happened to the server that nobody did to it."""
    are_books_read: bool = True
    """Whether the server could be asked in the end."""
