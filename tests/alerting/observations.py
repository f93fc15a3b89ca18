"""What is known when a run is over: what really happened, and what was delivered about it."""

from collections.abc import Sequence
from email.message import EmailMessage

from attrs import frozen

from tests.harness.admin_api import Json
from tests.harness.receiver import Delivery


@frozen(kw_only=True)
class ServerRestart:
    """When the server was killed, started again and ready, in milliseconds since the epoch."""

    killed_at: int
    started_at: int
    ready_at: int
    undelivered: int
    """How many events were not yet delivered to the receiver at the kill."""


@frozen(kw_only=True)
class Observations:
    """All that was recorded and read."""

    schedule: Sequence[Json]
    """Each device with its address and role."""
    journal: Sequence[Json] = ()
    """What happened to the devices, as the simulator recorded it."""
    followed: Sequence[Json] = ()
    """The events as they were read during the run."""
    events: Sequence[Json] = ()
    """All events, as the server shows them at the end."""
    alerts: Sequence[Json] = ()
    """All alerts, as the server shows them at the end."""
    deliveries: Sequence[Delivery] = ()
    """The requests to the webhook receiver, in order."""
    mails: Sequence[EmailMessage] = ()
    restart: ServerRestart | None = None
    violations: Sequence[Json] = ()
    """The integrity violations that the server's own checks found."""
    failures: Sequence[str] = ()
    """Tracebacks, and exits of the server that no signal caused."""
    has_final_state: bool = True
    """Whether the server still answered at the end."""
