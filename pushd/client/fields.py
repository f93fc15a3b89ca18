"""The keyword arguments of several calls: what may be chosen for commands, devices, people, tokens and webhooks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict


class SendOptions(TypedDict, total=False):
    """What a sender may choose beside the payload; what is None, or missing, has the default of the server."""

    ttl: float | None
    """Seconds after which it is never sent."""
    delivery: str | None
    """One of :class:`~pushd.model.lifecycle.Delivery`."""
    priority: int | None
    not_before: datetime | None
    lease: float | None
    deadline: float | None
    max_attempts: int | None
    trace: str | None
    """A note of yours, of up to 128 characters, by which the command and its events are found."""


class DeviceFields(TypedDict, total=False):
    """The fields of a device that can be changed; None resets one."""

    name: str | None
    site: str | None
    tags: Sequence[str] | None
    facts: Mapping[str, str | float | bool | None] | None
    """Those that are changed; None removes one, or all."""
    admission: str
    """One of :class:`~pushd.model.device.Admission`; ``approved`` approves it."""
    heartbeat_timeout: float | None
    hold: float | None
    batch: int | None
    muted_until: datetime | None
    allow_from: Sequence[str] | None


class PersonLimits(TypedDict, total=False):
    """What limits a person or a token; what is None, or missing in a new one, does not limit it."""

    devices: Sequence[str] | None
    sites: Sequence[str] | None
    tags: Sequence[str] | None
    """All of which a device must have."""
    endpoints: Sequence[str] | None
    """Those that it may send; ``open`` is the call that opens doors."""


class PersonChanges(PersonLimits, total=False):
    """The fields of a person that can be changed."""

    role: str


class TokenLimits(PersonLimits, total=False):
    """What limits a token."""

    expires_at: datetime | None


class TokenChanges(TokenLimits, total=False):
    """The fields of a token that can be changed."""

    name: str


class WebhookFields(TypedDict, total=False):
    """Which events a webhook has, and how; what is None, or missing in a new webhook, has the default."""

    format: str | None
    """One of :class:`~pushd.model.webhook.WebhookFormat`."""
    types: Sequence[str] | None
    """Types of events, each one of :class:`~pushd.model.event.EventType`; empty: all."""
    devices: Sequence[str] | None
    sites: Sequence[str] | None
    tags: Sequence[str] | None
    include_result: bool | None
    parallel: int | None


class WebhookChanges(WebhookFields, total=False):
    """The fields of a webhook that can be changed."""

    url: str
