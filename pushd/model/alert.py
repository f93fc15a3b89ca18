"""Alerts: what somebody must be told of, once."""

from enum import StrEnum

from attrs import frozen


class AlertKind(StrEnum):
    """What an alert is about."""

    SILENCE = "silence"
    """One or more devices fell silent."""
    FLAPPING = "flapping"
    """A device comes and goes; while this is open, its silences raise no alert of their own."""
    WEBHOOK = "webhook"
    """A webhook could not be delivered for so long that it was disabled."""


@frozen(kw_only=True)
class AlertRules:
    """When an alert is raised; durations in seconds."""

    window: float = 30.0
    """For how long a silence waits for others, or for its own end, before it is told."""
    together: int = 5
    """So many devices that fell silent behind one address are one alert."""
    changes: int = 5
    """So many times a device goes or comes back, ..."""
    within: float = 600.0
    """... in so many seconds, before it is said to flap."""
    mails: bool = False
    """Whether mails are sent at all; alerts that were raised before nobody is to be mailed later."""
    remind: float | None = None
    """After so long an alert that is open, and that nobody acknowledged, is mailed again; None: never."""


@frozen(kw_only=True)
class Alert:
    """Something that somebody must be told of; moments in wall milliseconds."""

    id: int
    kind: AlertKind
    devices: tuple[str, ...] = ()
    address: str | None = None
    """The address behind which all of its devices fell silent, if there are several."""
    webhook: str | None = None
    raised_at: int
    cleared_at: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    mailed_at: int | None = None
    """When the latest mail about it was sent."""
