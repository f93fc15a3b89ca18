"""A device: who polls, whether it may, and whether it is there."""

from enum import StrEnum

from attrs import frozen


class Admission(StrEnum):
    """Whether a device is handed commands."""

    PENDING = "pending"
    APPROVED = "approved"
    BLOCKED = "blocked"


class PresenceState(StrEnum):
    """Whether a device is there."""

    NEVER_SEEN = "never_seen"
    ONLINE = "online"
    OFFLINE = "offline"
    SIGNED_OFF = "signed_off"


class ProofKind(StrEnum):
    """How a device can prove that it is itself, beside its address."""

    SECRET = "secret"
    API_KEY = "api_key"


@frozen(kw_only=True)
class Device:
    """A device as it is stored; durations in seconds, moments in wall milliseconds."""

    id: str
    dialect: str
    name: str = ""
    tags: tuple[str, ...] = ()
    admission: Admission = Admission.APPROVED
    presence: PresenceState = PresenceState.NEVER_SEEN
    muted_until: int | None = None
    last_seen_at: int | None = None
    last_address: str | None = None
    poll_gap: float | None = None
    heartbeat_timeout: float
    hold: float | None = None
    learned_hold: float | None = None
    batch: int | None = None
    allow_from: tuple[str, ...] = ()
    created_at: int


@frozen(kw_only=True)
class Proof:
    """The SHA-256 of a secret or key of a device; ``expires_at`` is wall milliseconds, None for the current one."""

    digest: bytes
    device: str
    kind: ProofKind
    expires_at: int | None = None


@frozen(kw_only=True)
class LastSeen:
    """What a batch writes of a device that spoke; moments in wall milliseconds, ``poll_gap`` in seconds."""

    device: str
    last_seen_at: int
    last_address: str | None
    poll_gap: float | None


@frozen(kw_only=True)
class QueueDepth:
    """How many commands of a device wait, and how many are out."""

    queue: int = 0
    in_flight: int = 0


@frozen(kw_only=True)
class Orphan:
    """A result that settled nothing, kept for an operator to see; ``raw`` is its first 64 KiB."""

    id: int
    device: str
    at: int
    reason: str
    reference: str | None
    """What it named: a message id, or a uuid."""
    size: int
    raw: bytes
