"""What the server answers, as frozen values.

Times are :class:`datetime.datetime` in UTC, durations are seconds. What is one of a few words, as a state, is text:
the enums that ``pushd.client`` exports compare equal to it, and a newer server may have further words. Fields that
a newer server adds are left out.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from pushd.model.lifecycle import ENDED


@frozen(kw_only=True)
class Device:
    """A device, as the server knows it now."""

    id: str
    """``controlid:<deviceId>`` or ``servereye:<containerId>``."""
    dialect: str
    name: str
    site: str | None
    tags: tuple[str, ...]
    facts: Mapping[str, Any]
    """What it said of itself, or an operator wrote, such as ``model``."""
    admission: str
    """One of :class:`~pushd.model.device.Admission`."""
    presence: str
    """One of :class:`~pushd.model.device.PresenceState`."""
    polling: bool
    """Whether a poll of the device is held now."""
    poll_gap: float | None
    last_seen_at: datetime | None
    last_address: str | None
    queue: int
    """How many commands are queued."""
    in_flight: int
    """How many commands are sent or acknowledged."""
    proof: tuple[str, ...]
    """The configured proofs of identity."""
    allow_from: tuple[str, ...]
    hold: float | None
    learned_hold: float | None
    batch: int | None
    heartbeat_timeout: float
    muted_until: datetime | None
    created_at: datetime


@frozen(kw_only=True)
class Command:
    """A command and what became of it."""

    id: str
    device: str
    state: str
    """One of :class:`~pushd.model.lifecycle.State`."""
    endpoint: str | None
    """What it calls on the device; None: it is a batch."""
    endpoints: tuple[str, ...] | None
    """The different endpoints of a batch."""
    payload: Mapping[str, Any] | None = None
    """What the device is to do; None in a list."""
    result: Any = None
    """What the device reported, unchanged; None in a list."""
    delivery: str
    """One of :class:`~pushd.model.lifecycle.Delivery`."""
    priority: int
    ttl: float
    not_before: datetime | None
    created_at: datetime
    expires_at: datetime
    attempts: int
    max_attempts: int
    lease: float
    deadline: float
    sent_at: datetime | None
    acknowledged_at: datetime | None
    finished_at: datetime | None
    error: str | None
    """What went wrong, in one line."""
    late: bool
    evidence: str | None
    """What a final state rests on: ``device`` or ``operator``; None: neither has reported."""
    matched_by: str | None
    created_by: str
    """The name of the token that sent it."""
    resend_of: str | None
    resent_as: str | None
    idempotency_key: str | None
    trace: str | None

    @property
    def has_ended(self) -> bool:
        """Whether its state is final: one of ``succeeded``, ``failed``, ``expired``, ``cancelled``, ``unknown``."""
        return self.state in ENDED


@frozen(kw_only=True)
class Opening:
    """What became of opening a door."""

    outcome: str
    """One of :class:`~pushd.model.opening.Outcome`."""
    reason: str
    """One of :class:`~pushd.model.opening.OpenReason`."""
    detail: str
    """The same in a sentence for people."""
    command: Command


@frozen(kw_only=True)
class Explanation:
    """Why a command has not run yet, or what is known of its outcome."""

    command: str
    state: str
    reason: str
    """A word for programs."""
    sentence: str
    """A sentence for people."""
    facts: Mapping[str, Any]


@frozen(kw_only=True)
class Event:
    """One change to a device or a command."""

    seq: str | None
    """Its position in the event log, opaque: store it as text. None in a test message of a webhook."""
    type: str
    """One of :class:`~pushd.model.event.EventType`; a newer server may have others, which are to be ignored."""
    at: datetime
    device: str | None
    by: str | None
    """The name of the token that caused it; None: a device or the server did."""
    command: str | None
    data: Mapping[str, Any]


@frozen(kw_only=True)
class Alert:
    """A condition that needs an operator's attention."""

    id: str
    kind: str
    """One of :class:`~pushd.model.alert.AlertKind`."""
    devices: tuple[str, ...]
    """The first 1000 of them."""
    count: int
    address: str | None
    site: str | None
    webhook: str | None
    raised_at: datetime
    cleared_at: datetime | None
    duration: float | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    mailed_at: datetime | None
    mail_error: str | None


@frozen(kw_only=True)
class Info:
    """The server; what may be None is so for a token with a scope."""

    version: str
    node: str
    """The name of the machine; of one of several servers, of that node."""
    counts: Mapping[str, int]
    """Such as ``devices``, ``online`` and ``queued``: of what the token can see."""
    schema: int | None = None
    """The version of the database schema."""
    clock_offset: float | None = None
    """Seconds that the clock of its machine is ahead of the database's; None also if there is only one."""
    started_at: datetime | None = None
    dialects: tuple[str, ...] | None = None
    listen: Mapping[str, tuple[str, ...]] | None = None
    """By port, its endpoints; ``bases`` are URL prefixes of the device port."""
    options: Mapping[str, Any] | None = None
    """By name, without secrets."""


@frozen(kw_only=True)
class Site:
    """A place, with its devices and the open alerts about them."""

    site: str
    """Its name."""
    devices: int
    online: int
    offline: int
    open_alerts: int


@frozen(kw_only=True)
class Muted:
    """The devices about which no alerts are raised for a time."""

    devices: tuple[str, ...]
    """The first 1000 of them."""
    count: int


@frozen(kw_only=True)
class Orphan:
    """A result that matches no command."""

    id: int
    device: str
    at: datetime
    reason: str
    reference: str | None
    """The ``uuid`` or ``messageId`` that it named."""
    size: int
    """Bytes of the whole body."""
    raw: str
    """The first 64 KiB of the body, in base64."""


@frozen(kw_only=True)
class Rejection:
    """Requests of the device port that were refused for one reason."""

    address: str | None
    path: str | None
    """Without query and secrets; None if no request could be read."""
    reason: str
    """One of :class:`~pushd.model.rejection.RejectionReason`."""
    count: int
    first_at: datetime
    last_at: datetime
    device: str | None
    """The device that the client claims to be."""
    remedy: str
    """What to do about it, in a sentence."""
    node: str
    """The server that refused them."""


@frozen(kw_only=True)
class AuditEntry:
    """One change, and who made it."""

    id: str
    """Opaque, and unique for ever."""
    at: datetime
    by: str | None
    """The name of the token or person; None if it is not known, as of a refused log-in."""
    from_: str | None
    """The IP address of the client."""
    action: str
    """Such as ``device.change``."""
    object: str
    """Such as ``device:controlid:4408801109440198``."""
    before: Mapping[str, Any] | None
    """The changed fields before the change; None if there was nothing before."""
    after: Mapping[str, Any] | None
    """The same fields after the change; None if nothing is left."""


@frozen(kw_only=True)
class EndpointParameter:
    """A parameter of an endpoint."""

    name: str
    """A path: ``actions[].action`` is a member of each item of a list."""
    type: str
    """One, or several with ``|`` between them."""
    required: bool
    meaning: str
    values: tuple[Any, ...] | None
    """All that a device accepts; None: any."""


@frozen(kw_only=True)
class Endpoint:
    """What devices can be sent: an endpoint, or a control."""

    name: str
    class_: str
    """One of :class:`~pushd.model.catalogue.EndpointClass`: what it does to a device."""
    summary: str
    parameters: tuple[EndpointParameter, ...]
    models: tuple[str, ...] | None
    """The models that have it; None: all."""
    delivery: str
    """The default of its commands, as ``ttl``."""
    ttl: float
    example: Mapping[str, Any]
    """A payload."""
    source: str
    """Where this is known from."""


@frozen(kw_only=True)
class Catalogue:
    """What devices of a dialect can be sent."""

    dialect: str
    items: tuple[Endpoint, ...]


@frozen(kw_only=True)
class DeviceSecret:
    """A new secret of a device, which is shown only once."""

    secret: str = field(repr=False)
    path: str = field(repr=False)
    """The prefix of all paths of the device port for this device."""


@frozen(kw_only=True)
class ApiKey:
    """A new API key of a container, which is shown only once."""

    key: str = field(repr=False)


@frozen(kw_only=True)
class Token:
    """A token, without its secret; a list that is None does not limit it."""

    id: str
    name: str
    role: str
    """One of :class:`~pushd.model.token.Role`."""
    devices: tuple[str, ...] | None
    sites: tuple[str, ...] | None
    tags: tuple[str, ...] | None
    endpoints: tuple[str, ...] | None
    expires_at: datetime | None
    last_used_at: datetime | None
    created_by: str | None
    """The name of the token that made it; None: the server did."""
    created_at: datetime
    file: bool
    """Whether its secret is in ``admin.token``."""


@frozen(kw_only=True)
class IssuedToken(Token):
    """A token with a new secret, which is shown only once."""

    token: str = field(repr=False)


@frozen(kw_only=True)
class Person:
    """A person who uses the dashboard; a list that is None does not limit it."""

    name: str
    role: str
    """One of :class:`~pushd.model.token.Role`."""
    devices: tuple[str, ...] | None
    sites: tuple[str, ...] | None
    tags: tuple[str, ...] | None
    endpoints: tuple[str, ...] | None
    created_by: str | None
    created_at: datetime
    invited_until: datetime | None
    """Until when an invitation is valid that was not used yet; None: there is none."""


@frozen(kw_only=True)
class Invitation:
    """A link with which a person logs in once, which is shown only once."""

    url: str = field(repr=False)
    expires_at: datetime


@frozen(kw_only=True)
class Webhook:
    """A URL to which events are sent; lists that are empty select everything."""

    id: str
    url: str = field(repr=False)
    """A secret; in lists, its host and its last four characters."""
    format: str
    """One of :class:`~pushd.model.webhook.WebhookFormat`."""
    types: tuple[str, ...]
    devices: tuple[str, ...]
    sites: tuple[str, ...]
    tags: tuple[str, ...]
    include_result: bool
    parallel: int
    """How many messages are sent at once."""
    created_at: datetime
    cursor: str
    """The ``seq`` of the event up to which all are delivered."""
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    next_attempt_at: datetime | None


@frozen(kw_only=True)
class IssuedWebhook(Webhook):
    """A new webhook, and the secret that verifies its messages, which is shown only once."""

    secret: str = field(repr=False)


@frozen(kw_only=True)
class WebhookSecret:
    """A new secret of a webhook, which is shown only once."""

    secret: str = field(repr=False)


@frozen(kw_only=True)
class ReceiverAnswer:
    """What the receiver of a webhook made of a test message."""

    status: int | None
    """The status code of the response, if there was one; 2xx is a success."""
    duration: float
    error: str | None


@frozen(kw_only=True)
class DeliveryAttempt:
    """An attempt to deliver an event to a webhook."""

    seq: str
    """Of the event."""
    at: datetime
    duration: float
    status: int | None
    """The status code of the response, if there was one."""
    error: str | None
