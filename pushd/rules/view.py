"""What a rule sees of the store, and what it changes there."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from pushd.model.command import Command, LargePayload, Payload
from pushd.model.event import EventType
from pushd.model.large_text import Text
from pushd.model.timestamps import Now
from pushd.rules.records import CommandRecord, DeviceRecord, Handover, Member

T_co = TypeVar("T_co", covariant=True)


class View(Protocol):
    """What is committed, under what the same transaction has changed before. A rule raises before its first change."""

    def device(self, device: str) -> DeviceRecord | None:
        """A device, or None if it is not known."""

    def queued(self, device: str) -> Iterable[CommandRecord]:
        """The queued commands of a device: highest priority first, then the oldest."""

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

    def new_handover(self) -> str:
        """An id for a new claim, which no other claim has."""

    def add_handover(self, device: str, handover: Handover) -> None:
        """Save the attempts of a claim: from now on the newest handover to the device."""

    def delete_attempt(self, command: CommandRecord) -> None:
        """Delete the latest attempt of a command: its answer was never written."""

    def keep_orphan(self, device: str, at: int, reason: str, reference: str | None, size: int, raw: bytes) -> None:
        """Save a result that matches no command."""

    def record(self, now: Now, kind: EventType, device: str, command: str | None = None, /, **data: Any) -> None:
        """Record an event; ``data`` that is None is left out."""


class Rule(Protocol[T_co]):
    """An operation on commands with its arguments; to decide again, on the same view, gives the same."""

    def decide(self, view: View) -> T_co:
        """Decide, and change the view accordingly.

        :raises PushdError: if nothing may be changed; then the view is as before.
        """
