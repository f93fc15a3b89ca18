"""Filters that operations of the store take, and values that they return."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from attrs import field, frozen

from pushd.lib.text import caseless
from pushd.model.alert import AlertKind
from pushd.model.command import Command
from pushd.model.device import Admission, Device, PresenceState, Proof, Whereabouts
from pushd.model.epochs import Epoch
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import ENDED, State
from pushd.model.person import Invitation, Person
from pushd.model.session import Session
from pushd.model.timestamps import Now
from pushd.model.token import Scope, Token, TokenSecret

T = TypeVar("T")

SLICE_SIZE = 2000
"""Rows that one transaction reads of those that a filter may leave out: for a few milliseconds."""


class DeviceOrder(StrEnum):
    """By which field devices are listed."""

    ID = "id"
    NAME = "name"


class IView(Protocol):
    """What a client may see; called on any thread."""

    def covers(self, device: str) -> bool:
        """Whether a device is in scope."""

    def shows(self, command: Command) -> bool:
        """Whether a command may be seen; its payload is not looked at."""

    def narrow(self, event: Event) -> Event | None:
        """An event as far as it may be seen; None: not at all."""


@frozen(kw_only=True)
class DeviceFilter:
    """Which devices to list, and in which order; None and empty mean any.

    A device has one of the ``sites`` and all of the ``tags``; ``model`` is compared by
    :func:`pushd.model.facts.model_key`; ``q`` is a part of what people know a device by, in any case: its id, name,
    serial number, site, tags, address or facts; and it is in the ``scope``.
    """

    dialect: str | None = None
    presence: PresenceState | None = None
    admission: Admission | None = None
    sites: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    model: str | None = None
    q: str | None = None
    order: DeviceOrder = DeviceOrder.ID
    scope: Scope | None = None

    def position(self, device: Device) -> str:
        """Where the list continues after a device."""
        return device.id if self.order is DeviceOrder.ID else f"{caseless(device.name)}\n{device.id}"


@frozen(kw_only=True)
class SiteSummary:
    """How many devices of a site there are, and in which presence, and the open alerts about some of them."""

    site: str
    devices: int
    online: int
    offline: int
    alerts: frozenset[int]


def merge_sites(parts: Iterable[SiteSummary]) -> list[SiteSummary]:
    """Summaries of all devices from those of parts of them, by site."""
    merged: dict[str, SiteSummary] = {}
    for part in parts:
        known = merged.get(part.site)
        merged[part.site] = part if known is None else _sum(known, part)
    return sorted(merged.values(), key=lambda summary: (caseless(summary.site), summary.site))


def _sum(one: SiteSummary, other: SiteSummary) -> SiteSummary:
    return SiteSummary(
        site=one.site,
        devices=one.devices + other.devices,
        online=one.online + other.online,
        offline=one.offline + other.offline,
        alerts=one.alerts | other.alerts,
    )


@frozen(kw_only=True)
class CommandFilter:
    """Which commands to list; None means any. ``since``: created at this time, in wall milliseconds, or later.

    ``endpoint`` is what they call, alone or in a batch; ``by`` who sent them. ``q`` is a part, in any case, of what
    people know a command by: its id, device, endpoints, trace, sender or error.
    """

    device: str | None = None
    state: State | None = None
    since: int | None = None
    endpoint: str | None = None
    by: str | None = None
    trace: str | None = None
    q: str | None = None
    view: IView | None = None

    @property
    def is_indexed(self) -> bool:
        """Whether an index finds the commands that match, and few others."""
        is_ended = self.state is None or self.state in ENDED
        return is_ended and self.endpoint is None and self.by is None and self.q is None


@frozen(kw_only=True)
class Counts:
    """How many devices there are, by admission and presence, and how many commands in two states."""

    devices: Mapping[tuple[Admission, PresenceState], int]
    queued: int
    unknown: int


@frozen(kw_only=True)
class AlertFilter:
    """Which alerts to list; None and empty mean any. ``since``: raised at this time in wall milliseconds, or later."""

    is_open: bool | None = None
    kinds: tuple[AlertKind, ...] = ()
    is_acknowledged: bool | None = None
    since: int | None = None


@frozen(kw_only=True)
class EventFilter:
    """Which events to list; None and empty mean any. ``since``: at this time, in wall milliseconds, or later."""

    devices: tuple[str, ...] = ()
    types: tuple[EventType, ...] = ()
    since: int | None = None
    view: IView | None = None


@frozen(kw_only=True)
class AuditFilter:
    """Which entries of the audit log to list, by the name of a token and by an object; None means any."""

    by: str | None = None
    object: str | None = None


@frozen
class History:
    """What is known of a database outside of it: its newest epoch, and the number of the newest event."""

    epoch: str = ""
    number: int = 0


@frozen(kw_only=True)
class StartOptions:
    """What the start of a server changes in the store before it is used."""

    token: Token | None = None
    """A new admin token, in place of the one of the same name."""
    token_digest: bytes = b""
    """The SHA-256 of its secret."""
    token_if_needed: bool = False
    """Add it only if there is one of the same name, or no admin token that lasts."""
    epoch: str = ""
    """The name of the epoch that begins; empty: none begins."""
    history: History | None = None
    """A database that lacks events of this is a copy, and so is one that is in use, if no epoch is known; None: the
    database is not compared."""
    restored: bool = False
    """The database is a copy in any case."""
    is_expected: bool = False
    """The database was used before: it is refused if it is empty."""
    requeue: bool = False
    """What is open in a copy stays as it is, instead of ``unknown``."""


NO_OPTIONS = StartOptions()


@frozen(kw_only=True)
class Principals:
    """Tokens and people, with what clients show to be one of them."""

    tokens: Sequence[Token] = ()
    token_secrets: Sequence[TokenSecret] = ()
    people: Sequence[Person] = ()
    invitations: Sequence[Invitation] = ()
    sessions: Sequence[Session] = ()


@frozen(kw_only=True)
class StartupSnapshot(Principals):
    """What is loaded into memory at the start: all that an idle poll needs, so that it need not query the database."""

    now: Now
    """When the store was opened, with elapsed time continued from the previous process."""
    devices: tuple[Device, ...] = ()
    proofs: tuple[Proof, ...] = ()
    deleted: Mapping[str, Whereabouts] = field(factory=dict)
    """The devices that were deleted, while events of that are kept, by their ids."""
    result_index: tuple[tuple[str, str], ...] = ()
    """Device and command id of each command that a result may still be about: sent, and without a known outcome."""
    newest: int | None = None
    """The newest wall time that is stored, as far as it is known; None: there is none."""
    retention_from: int = 0
    """Elapsed time before which nothing is purged."""
    epochs: tuple[Epoch, ...] = ()
    last_event: int = 0
    """The number of the newest event."""
    ended_in_copy: int | None = None
    """How many open commands became ``unknown`` because the database is a copy; None: it is not."""


@frozen(kw_only=True)
class CommandContext:
    """A command with what explains its state, for :func:`pushd.core.commands.explain.explain`.

    ``ahead`` is how many commands of the device are sent before it; ``in_flight`` how many the device has now.
    ``lease_left`` is in milliseconds; ``signed_off_at``, in wall milliseconds, is set while the device is signed off.
    """

    command: Command
    ahead: int
    in_flight: int
    lease_left: int | None
    signed_off_at: int | None


@frozen(kw_only=True)
class Violation:
    """An inconsistency in the database: what is wrong, and the device and command that it is about, if any."""

    what: str
    device: str | None = None
    command: str | None = None
    detail: str | None = None


@frozen(kw_only=True)
class Slice(Generic[T]):
    """What one transaction found of an operation that may read many rows; ``resume`` is where the next transaction
    begins, None if all rows were read.
    """

    items: Sequence[T]
    resume: Any


@frozen(kw_only=True)
class EventPage:
    """A page of the event log; ``next`` is the ``seq`` after which the next page begins.

    ``complete`` is False of a part of a page, which continues after ``next``: operations return whole pages.
    """

    items: tuple[Event, ...]
    next: int
    complete: bool = True
