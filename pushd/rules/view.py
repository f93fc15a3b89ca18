"""What a rule sees of the store, and what it changes there."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from attrs import frozen

from pushd.model.audit import Fields
from pushd.model.command import Command, LargePayload, Payload
from pushd.model.event import EventType
from pushd.model.facts import Facts
from pushd.model.large_text import Text
from pushd.model.timestamps import Now
from pushd.rules.records import CommandRecord, DeviceRecord, Handover, Member

T_co = TypeVar("T_co", covariant=True)


@frozen(kw_only=True)
class Needs:
    """What a rule may look at, by its arguments alone: a store can load it for a whole group before any rule decides.

    A rule is about one device: ``device``, or that of ``commands``. It may always look at the device itself, and at
    all of each command that it has seen: its payload, outline and result, its device, and the command that it was
    resent as. It changes only commands that it has seen, or that it adds.
    """

    device: str | None = None
    """None: the device of ``commands``, if they exist."""
    commands: tuple[str, ...] = ()
    """Commands by id, open or ended; a device, or a client, may name one that does not exist, or is of another device.

    More than one, because the commands of one claim are taken back together.
    """
    key: tuple[str, str] | None = None
    """Who created a command, and its idempotency key."""
    uuid: str | None = None
    """The newest handover in answer to a poll with this uuid, and its commands."""
    newest: bool = False
    """The newest handover, and its commands."""
    lapsed: bool = False
    """The newest handover that lapsed, and its commands: apart from ``newest``, as a poll does not need it."""
    next: int = 0
    """That many commands that may be sent, and if there is none, when the first becomes due."""
    adds: bool = False
    """A command may be added: how many are queued, and the greatest id."""
    token: str | None = None
    """The revision of a token."""


class View(Protocol):
    """What is committed, under what the same transaction has changed before. A rule raises before its first change."""

    @property
    def now(self) -> Now:
        """The time when the transaction began: for all of its rules the same."""

    @property
    def began(self) -> float:
        """When the transaction began, in seconds of the machine's uptime."""

    def device(self, device: str) -> DeviceRecord | None:
        """A device, or None if it is not known."""

    def token_revision(self, token: str) -> int | None:
        """The revision of a token, or None if it was revoked."""

    def next(self, device: str, limit: int) -> Sequence[CommandRecord]:
        """Up to ``limit`` commands of a device that may be sent now: highest priority first, then the oldest."""

    def next_due(self, device: str) -> int | None:
        """When the next command of a device becomes due, in wall milliseconds, now at the earliest; None: never."""

    def count_queued(self, device: str) -> int:
        """How many commands of a device are queued."""

    def command(self, command: str) -> CommandRecord | None:
        """A command by its id, or None."""

    def by_key(self, created_by: str, device: str, key: str) -> CommandRecord | None:
        """The command that was queued with an idempotency key, or None."""

    def payload_size(self, command: CommandRecord) -> int:
        """Characters of the payload of a command, or of the reference to a large one."""

    def payload(self, command: CommandRecord) -> Payload:
        """What the device must do; a large one has to be loaded."""

    def outline(self, command: CommandRecord) -> Payload:
        """What of the payload of a command its results are judged by."""

    def keep_payload(self, command: str, payload: LargePayload) -> None:
        """Save the large payload of a new command."""

    def load_sent(self, command: str, payload: LargePayload) -> None:
        """Load what is sent of the payload of a command, before the commit."""

    def load(self, command: Command) -> None:
        """Load the payload and the result of a command, if they are large, before the commit."""

    def result(self, command: CommandRecord) -> str | None:
        """The stored result of a command, or the reference of a large one."""

    def newest(self, device: str) -> Handover | None:
        """The newest handover to a device."""

    def by_uuid(self, device: str, uuid: str) -> Handover | None:
        """The newest handover in answer to a poll with this uuid."""

    def latest_lapsed(self, device: str) -> Handover | None:
        """The newest handover with a command that is unknown, or queued again; among the last ones only."""

    def members(self, handover: Handover) -> Sequence[Member]:
        """The commands of a handover that still exist, each with its attempt."""

    def add(self, command: CommandRecord) -> None:
        """Save a new command.

        :raises Unavailable: if there is an open one with its id.
        """

    def change(self, command: CommandRecord) -> None:
        """Save a command that has changed."""

    def set_result(self, command: CommandRecord, result: Text | None) -> None:
        """Save the result of a command, in place of an earlier one; ``command`` is as it was before."""

    def new_id(self, device: str) -> str:
        """An id for a new command of a device, greater than those that it has: their order is that of acceptance."""

    def new_handover(self) -> str:
        """An id for a new claim, which no other claim has."""

    def add_handover(self, device: str, handover: Handover) -> None:
        """Save the attempts of a claim: from now on the newest handover to the device."""

    def delete_attempt(self, command: CommandRecord) -> None:
        """Delete the latest attempt of a command: its answer was never written."""

    def keep_orphan(self, device: str, at: int, reason: str, reference: str | None, size: int, raw: bytes) -> None:
        """Save a result that matches no command."""

    def merge_facts(self, device: str, said: Facts) -> None:
        """Merge what a device has said of itself into its facts, and record the event if they change."""

    def audit(self, action: str, what: str, before: Fields | None = None, after: Fields | None = None) -> None:
        """Record in the audit log what the actor changes for whom the rule decides, if there is one."""

    def record(self, kind: EventType, device: str, /, **data: Any) -> None:
        """Record an event about a device; ``data`` that is None is left out."""

    def record_command(self, kind: EventType, command: CommandRecord, by: str | None = None, /, **data: Any) -> None:
        """Record an event about a command, with its endpoints and its trace; ``data`` that is None is left out.

        ``by`` is the name of the token that caused it; None: as the transaction knows.
        """


class Rule(Protocol[T_co]):
    """An operation on commands with its arguments; to decide again, on the same view, gives the same."""

    def needs(self) -> Needs:
        """What it looks at; it does not depend on what is stored."""

    def decide(self, view: View) -> T_co:
        """Decide, and change the view accordingly.

        :raises PushdError: if nothing may be changed; then the view is as before.
        """
