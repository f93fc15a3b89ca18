"""What is told of a command: its whole row to those who ask, and its new state to the feed."""

from pushd.model.errors import UnknownCommand
from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.store.transaction import ITransaction, Row, Statement, first, record
from pushd.store.transactions import lifecycle_guards

_WHOLE = Statement("look up a command", f"SELECT {lifecycle_guards.WHOLE} FROM command WHERE id = :id")


def look_up(tx: ITransaction, command: str) -> Row:
    """The whole row of a command.

    :raises UnknownCommand: if there is none.
    """
    row = first(tx, _WHOLE, id=command)
    if row is None:
        raise UnknownCommand(f"No command {command} is known.")
    return row


_OF_STATE = {
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
    """Tell the feed of the state that a command is in now."""
    record(
        tx,
        now,
        _OF_STATE[State(row["state"])],
        row["device"],
        row["id"],
        reason=reason,
        attempts=row["attempts"],
        error=row["error"],
        late=bool(row["late"]) or None,
    )
