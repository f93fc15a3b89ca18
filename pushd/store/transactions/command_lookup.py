"""Look up a command."""

from pushd.model.command import Command
from pushd.model.errors import UnknownCommand
from pushd.store.rows import to_command
from pushd.store.transaction import ITransaction, Row, Statement, first

COLUMNS = (
    "id, device, state, delivery, priority, ttl, not_before, created_at, expires_at, attempts, max_attempts, lease,"
    " deadline, sent_at, acknowledged_at, finished_at, error, late, evidence, matched_by, created_by, resend_of,"
    " resent_as, idempotency_key"
)
"""The columns of a command that are small."""

_BY_ID = Statement("look up a command", f"SELECT {COLUMNS}, payload, result FROM command WHERE id = :id")


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
    tx.commands.load(command)
    return command
