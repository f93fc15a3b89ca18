"""A device: its settings, admission, presence and proofs of identity."""

from enum import StrEnum

from attrs import field, frozen

from pushd.model.facts import NO_FACTS, Facts

MAX_TEXT = 256
"""Characters of a name, site, tag or note."""

MAX_TAGS = 64
"""Tags of a device."""


class Admission(StrEnum):
    """Whether a device gets commands."""

    PENDING = "pending"
    APPROVED = "approved"
    BLOCKED = "blocked"


class PresenceState(StrEnum):
    """Whether a device is connected, as far as the server knows."""

    NEVER_SEEN = "never_seen"
    ONLINE = "online"
    OFFLINE = "offline"
    SIGNED_OFF = "signed_off"


ADMITTED_BY = frozenset({"admission", "allow_from", "site", "tags"})
"""The fields of a device by which its clients are judged, beside its proofs: a token for devices may have a scope."""

UNKNOWN_REVISION = -1
"""In place of the revision of a device that was not stored when its client was judged."""


class ProofKind(StrEnum):
    """How a device proves its identity, beside its address."""

    SECRET = "secret"
    API_KEY = "api_key"


def dialect_of(device: str) -> str:
    """The name of a device's dialect, by the device's id."""
    return device.partition(":")[0]


@frozen(kw_only=True)
class Device:
    """A stored device; durations in seconds, timestamps in wall milliseconds.

    ``poll_gap`` is the median time between an idle answer and the next poll; ``hold`` is set by an operator and wins
    over ``learned_hold``; ``batch`` how many commands one answer may have; ``allow_from`` networks in CIDR notation.
    ``serial`` is the serial number that its id stands for, if any; what else is known of it is in ``facts``.
    """

    id: str
    dialect: str
    serial: str | None = None
    name: str = ""
    site: str | None = None
    tags: tuple[str, ...] = ()
    facts: Facts = NO_FACTS
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
    revision: int | None = field(default=None, eq=False)
    """Counts the changes of what it is admitted by; None: no other process makes any."""

    @property
    def all_facts(self) -> Facts:
        """What is known of it, with its serial number."""
        return self.facts if self.serial is None else {"serial": self.serial, **self.facts}


@frozen
class Whereabouts:
    """Where a device is, or has been when it was deleted: its site and tags."""

    site: str | None = None
    tags: tuple[str, ...] = ()


@frozen(kw_only=True)
class Proof:
    """The SHA-256 of a secret or key of a device; ``expires_at`` is elapsed time, None for the current one."""

    digest: bytes
    device: str
    kind: ProofKind
    expires_at: int | None = None


@frozen(kw_only=True)
class LastSeen:
    """When and from where a device was last seen; timestamps in wall milliseconds, ``poll_gap`` in seconds."""

    device: str
    last_seen_at: int
    last_address: str | None
    poll_gap: float | None


@frozen(kw_only=True)
class QueueDepth:
    """How many commands of a device are queued, and how many in flight."""

    queue: int = 0
    in_flight: int = 0


@frozen(kw_only=True)
class Orphan:
    """A result that matched no command, kept for operators; ``raw`` is its first 64 KiB, ``size`` its whole size."""

    id: int
    device: str
    at: int
    reason: str
    reference: str | None
    """The message id or uuid that it named."""
    size: int
    raw: bytes
