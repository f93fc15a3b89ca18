"""Filters that operations of the store take, and values that they return."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from attrs import frozen

from pushd.model.command import Command
from pushd.model.device import Admission, Device, PresenceState, Proof
from pushd.model.epochs import Epoch
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import State
from pushd.model.token import Token

T = TypeVar("T")

SLICE_SIZE = 2000
"""Rows that one transaction reads of those that a filter may leave out: for a few milliseconds."""


@frozen(kw_only=True)
class DeviceFilter:
    """Which devices to list; None and empty mean any.

    A device has one of the ``sites`` and all of the ``tags``; ``q`` is a part of its id or name, in any case.
    """

    dialect: str | None = None
    presence: PresenceState | None = None
    admission: Admission | None = None
    sites: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    q: str | None = None


@frozen(kw_only=True)
class CommandFilter:
    """Which commands to list; None means any. ``since``: created at this time, in wall milliseconds, or later."""

    device: str | None = None
    state: State | None = None
    since: int | None = None


@frozen(kw_only=True)
class EventFilter:
    """Which events to list; None and empty mean any."""

    device: str | None = None
    types: tuple[EventType, ...] = ()


@frozen
class History:
    """What is known of a database outside of it: its newest epoch, and the number of the newest event."""

    epoch: str = ""
    number: int = 0


@frozen(kw_only=True)
class StartOptions:
    """What the start of a server changes in the store before it is used."""

    token: Token | None = None
    """A new token, in place of the one of the same name."""
    epoch: str = ""
    """The name of the epoch that begins; empty: none begins."""
    history: History | None = None
    """A database that lacks events of this is a copy, and so is one that is in use, if no epoch is known; None: the
    database is not compared."""
    restored: bool = False
    """The database is a copy in any case."""
    requeue: bool = False
    """What is open in a copy stays as it is, instead of ``unknown``."""


NO_OPTIONS = StartOptions()


@frozen(kw_only=True)
class StartupSnapshot:
    """What is loaded into memory at the start: all that an idle poll needs, so that it need not query the database."""

    devices: tuple[Device, ...] = ()
    proofs: tuple[Proof, ...] = ()
    tokens: tuple[Token, ...] = ()
    result_index: tuple[tuple[str, str], ...] = ()
    """Device and command id of each command that a result may still be about: sent, and without a known outcome."""
    last_command: str | None = None
    """The greatest command id ever made."""
    elapsed: int = 0
    """Elapsed time, continued from the previous process."""
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
