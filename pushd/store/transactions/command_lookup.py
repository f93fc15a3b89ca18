"""Look up a command, and record its new state as an event."""

from pushd.model.command import Command, LargePayload
from pushd.model.errors import UnknownCommand
from pushd.model.event import EventType
from pushd.model.large_text import LargeText
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.store.rows import to_command
from pushd.store.transaction import ITransaction, Row, Statement, first, record
from pushd.store.transactions import large_texts, lifecycle_guards

_BY_ID = Statement("look up a command", f"SELECT {lifecycle_guards.WHOLE} FROM command WHERE id = :id")


def look_up(tx: ITransaction, command: str) -> Row:
    """The row of a command, with its payload and result, or references to them.

    :raises UnknownCommand: if there is none.
    """
    row = first(tx, _BY_ID, id=command)
    if row is None:
        raise UnknownCommand(f"No command {command} is known.")
    return row


def to_whole_command(tx: ITransaction, row: Row) -> Command:
    """A command with its payload and result; large ones are loaded before the commit."""
    command = to_command(row, whole=True)
    if isinstance(command.payload, LargePayload):
        large_texts.load_payload(tx, command.id, command.payload)
    if isinstance(command.result, LargeText):
        large_texts.load_result(tx, command.id, command.result)
    return command


_EVENT_TYPES = {
    State.QUEUED: EventType.COMMAND_QUEUED,
    State.SENT: EventType.COMMAND_SENT,
    State.ACKNOWLEDGED: EventType.COMMAND_ACKNOWLEDGED,
    State.SUCCEEDED: EventType.COMMAND_SUCCEEDED,
    State.FAILED: EventType.COMMAND_FAILED,
    State.EXPIRED: EventType.COMMAND_EXPIRED,
    State.CANCELLED: EventType.COMMAND_CANCELLED,
    State.UNKNOWN: EventType.COMMAND_UNKNOWN,
}


def record_state(tx: ITransaction, now: Now, row: Row, reason: str | None = None) -> None:
    """Record the event for the state that a command is in now; ``row`` has the columns ``OUTCOME``."""
    record(
        tx,
        now,
        _EVENT_TYPES[State(row["state"])],
        row["device"],
        row["id"],
        reason=reason,
        attempts=row["attempts"],
        error=row["error"],
        late=bool(row["late"]) or None,
    )
