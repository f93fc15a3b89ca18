"""Alerts: conditions that need an operator's attention, and the rules by which they are raised."""

from enum import StrEnum

from attrs import field, frozen

from pushd.model.epochs import public_id


class AlertKind(StrEnum):
    """What an alert is about."""

    OFFLINE = "offline"
    """One device is offline."""
    SITE_OFFLINE = "site_offline"
    """All devices behind one address are offline."""
    FLAPPING = "flapping"
    """A device goes offline and returns too often; while this is open, it raises no ``offline`` alert."""
    WEBHOOK = "webhook"
    """A webhook could not be delivered for so long that it was disabled."""


@frozen(kw_only=True)
class AlertRules:
    """When an alert is raised; durations in seconds."""

    window: float = 30.0
    """Grace period after a device went offline: it may return, or others behind its address may go offline too."""
    together: int = 5
    """This many offline devices behind one address are one ``site_offline`` alert."""
    changes: int = 5
    """A device flaps after this many changes between online and offline ..."""
    within: float = 600.0
    """... within this many seconds."""
    mails: bool = False
    """Whether alerts are mailed; those raised while this is False are never mailed."""
    remind: float | None = None
    """An open alert that was not acknowledged is mailed again after this many seconds; None: never."""


@frozen(kw_only=True)
class Alert:
    """A stored alert; timestamps are wall milliseconds."""

    id: int
    kind: AlertKind
    devices: tuple[str, ...] = ()
    address: str | None = None
    """Of a ``site_offline`` alert: the address that its devices share."""
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

    @raised_elapsed.default
    def _no_step(self) -> int:
        return self.raised_at

    @property
    def public_id(self) -> str:
        """The id that clients know: unique for ever."""
        return public_id(self.epoch, self.id)
