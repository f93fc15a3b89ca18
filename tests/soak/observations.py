"""What is known when a soak run is over."""

from collections.abc import Iterable, Sequence
from email.message import EmailMessage

from attrs import frozen

from tests.harness import trace
from tests.harness.admin_api import Json
from tests.harness.receiver import Delivery
from tests.soak.process_monitor import Sample


@frozen(kw_only=True)
class WebhookDeliveries:
    """The requests to the receiver of a webhook, in order."""

    types: frozenset[str]
    """To which it subscribes; all if empty."""
    parallel: int
    deliveries: Sequence[Delivery]


@frozen(kw_only=True)
class StreamRead:
    """The events that one reader of the stream has read, over all its streams."""

    types: frozenset[str]
    """Which it asked for; all if empty."""
    seqs: Sequence[str]


def of_types(events: Iterable[Json], types: frozenset[str]) -> list[Json]:
    """The events of these types; all if there are none."""
    return [event for event in events if not types or event["type"] in types]


@frozen(kw_only=True)
class Observations:
    """All that was recorded, measured and read."""

    commands: trace.Observations
    """What was observed of commands; its events are all events."""
    samples: Sequence[Sample]
    not_ready: Sequence[str] = ()
    """Each time that the server did not say that it is ready, and what it said."""
    ready_times: Sequence[tuple[float, float]] = ()
    """Of each answer that it is ready, the second of the load when it was asked for, and how many seconds it took."""
    hostile_faults: Sequence[str] = ()
    """Each answer to a hostile client that is wrong, and each connection that should have been closed."""
    descriptors_before: int = 0
    descriptors_after: int = 0
    """How many descriptors the server had open before the load began and after it ended."""
    alerts: Sequence[Json] = ()
    mails: Sequence[EmailMessage] = ()
    webhooks: Sequence[WebhookDeliveries] = ()
    streams: Sequence[StreamRead] = ()
    stop_seconds: float = 0.0
    """From SIGTERM to the end of the server."""
