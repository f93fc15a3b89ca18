"""Alerts: conditions that need an operator's attention, and the rules by which they are raised."""

from enum import StrEnum

from attrs import field, frozen

from pushd.model.epochs import public_id

MAX_LISTED = 1000
"""Devices that an alert lists at most; its ``count`` is the number of all."""

FLEET_MIN = 10
"""More devices than this must go offline to be one ``fleet_offline`` alert."""

STILL_MISSING = 10
"""A ``fleet_offline`` alert ends when at most one in this many of its devices is still offline."""


class AlertKind(StrEnum):
    """What an alert is about."""

    OFFLINE = "offline"
    """One device is offline."""
    SITE_OFFLINE = "site_offline"
    """Several devices behind one address are offline."""
    FLEET_OFFLINE = "fleet_offline"
    """More than half of the devices that were online are offline."""
    FLAPPING = "flapping"
    """A device goes offline and returns too often; while this is open, it raises no ``offline`` alert."""
    WEBHOOK = "webhook"
    """A webhook could not be delivered for so long that it was disabled."""
    RESTORED = "restored"
    """The database lacks events that a server has seen; nothing is sent until an operator has said what to do."""
    NOTIFICATION_QUEUE = "notification_queue"
    """A session does not read its notifications, and PostgreSQL's queue of them fills up."""


@frozen(kw_only=True)
class AlertRules:
    """When an alert is raised; durations in seconds."""

    window: float = 30.0
    """Grace period after a device went offline: it may return, or others behind its address may go offline too."""
    together: int = 5
    """This many offline devices behind one IPv4 address or IPv6 /64 are one ``site_offline`` alert."""
    changes: int = 5
    """A device flaps after this many changes between online and offline ..."""
    within: float = 600.0
    """... within this many seconds."""
    mails: bool = False
    """Whether alerts are mailed; those raised while this is False are never mailed."""
    notification_queue: float = 0.1
    """The share of PostgreSQL's notification queue above which an alert is raised; below half of it, it is cleared."""
    remind: float | None = None
    """An open alert that was not acknowledged is mailed again after this many seconds; None: never."""


@frozen(kw_only=True)
class Alert:
    """A stored alert; timestamps are wall milliseconds."""

    id: int
    kind: AlertKind
    devices: tuple[str, ...] = ()
    """The first :data:`MAX_LISTED` of them."""
    count: int = field()
    """How many devices it is about."""
    address: str | None = None
    """Of a ``site_offline`` alert: the IPv4 address, or the IPv6 /64, that its devices share."""
    site: str | None = None
    """Of a ``site_offline`` alert: the site that all its devices had when it was raised."""
    webhook: str | None = None
    raised_at: int
    raised_elapsed: int = field()
    """The same in elapsed time."""
    cleared_at: int | None = None
    duration: float | None = None
    """Seconds for which it was open, once it is cleared."""
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    mailed_at: int | None = None
    """When the mail server accepted the latest mail about it for a recipient."""
    mail_error: str | None = None
    """Why the latest mail did not reach every recipient."""
    epoch: str = ""

    @count.default
    def _all_listed(self) -> int:
        return len(self.devices)

    @raised_elapsed.default
    def _no_step(self) -> int:
        return self.raised_at

    @property
    def public_id(self) -> str:
        """The id that clients know: unique for ever."""
        return public_id(self.epoch, self.id)
