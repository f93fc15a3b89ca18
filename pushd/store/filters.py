"""What verbs of the store are asked with, and answer."""

from enum import Enum

from attrs import field, frozen

from pushd.model.command import Command, Dispatched
from pushd.model.device import Admission, Device, PresenceState, Proof
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import State
from pushd.model.token import Token


@frozen(kw_only=True)
class Claim:
    """What a look for a device found.

    ``due`` is when something may next be had for it, in wall milliseconds (0: now, as far as time is concerned), or
    None if nothing waits; ``expires_at`` is when the first of what it is handed is too late to be sent.
    """

    handed: tuple[Dispatched, ...] = ()
    due: int | None = None
    expires_at: int | None = None


class Settlement(Enum):
    """What a report did."""

    SETTLED = "settled"
    REPEATED = "repeated"  # it was settled in the same way before
    ORPHANED = "orphaned"  # it settled nothing and was kept
    DROPPED = "dropped"  # it settled nothing and was not kept: the device is not approved


@frozen(kw_only=True)
class DeviceFilter:
    """Which devices to list; None and empty mean any. ``q`` is part of an id or a name."""

    dialect: str | None = None
    presence: PresenceState | None = None
    admission: Admission | None = None
    tags: tuple[str, ...] = ()
    q: str | None = None


@frozen(kw_only=True)
class CommandFilter:
    """Which commands to list; None means any. ``since`` is wall milliseconds of creation."""

    device: str | None = None
    state: State | None = None
    since: int | None = None


@frozen(kw_only=True)
class EventFilter:
    """Which events to list; None and empty mean any."""

    device: str | None = None
    types: tuple[EventType, ...] = ()


@frozen(kw_only=True)
class StartupSnapshot:
    """What the memory of a process starts from: all that an idle poll must not ask the database for."""

    devices: tuple[Device, ...] = ()
    proofs: tuple[Proof, ...] = ()
    tokens: tuple[Token, ...] = ()
    queued: frozenset[str] = field(default=frozenset())
    """Ids of the devices that have something queued."""
    result_index: tuple[tuple[str, str], ...] = ()
    """Device and command of each that was sent and is not settled: what a result may still be for."""
    last_command: str | None = None
    """The greatest command id ever made."""


@frozen(kw_only=True)
class CommandContext:
    """How a command stands: what :func:`pushd.core.commands.explain.explain` makes words of.

    ``ahead`` is how many commands of the device go before it; ``lease_left`` is milliseconds, ``signed_off_at`` wall
    milliseconds, of a device that has not returned since.
    """

    command: Command
    ahead: int
    in_flight: int
    lease_left: int | None
    signed_off_at: int | None


@frozen(kw_only=True)
class Violation:
    """Something stored that cannot be: a name for what, and whom it concerns."""

    what: str
    device: str | None = None
    command: str | None = None
    detail: str | None = None


@frozen(kw_only=True)
class EventPage:
    """A piece of the feed; ``next`` is the ``seq`` to read on after, beyond what the filter left out."""

    items: tuple[Event, ...]
    next: int
