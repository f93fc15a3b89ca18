"""The mark of a database from which a fleet is moved to another one, or to which it is moved: no server may use it."""

from enum import StrEnum

from attrs import frozen

from pushd.model.errors import StoreRefused
from pushd.model.timestamps import to_rfc3339
from pushd.store.transaction import ITransaction, Statement, first


class TransferState(StrEnum):
    """How far the move of a fleet is, at one of its ends."""

    LEAVING = "leaving"
    """It has begun, from this database; a server that starts on it abandons the move."""
    MOVED = "moved"
    """The fleet is in the other database now; this one is outdated."""
    ARRIVING = "arriving"
    """It has begun, to this database, in which not all is there yet."""


@frozen(kw_only=True)
class Transfer:
    """The move of a fleet, as one end of it has it; ``other`` names the other end, ``at`` is in wall milliseconds."""

    id: str
    state: TransferState
    other: str
    at: int


_READ = Statement("look for a move to another database", "SELECT id, state, other, at FROM transfer")
_UNMARK = Statement("end a move to another database", "DELETE FROM transfer")
_MARK = Statement(
    "mark a move to another database",
    "INSERT INTO transfer (id, state, other, at) VALUES (:id, :state, :other, :at)",
)


def read(tx: ITransaction) -> Transfer | None:
    """The mark of the database, if it has one."""
    row = first(tx, _READ)
    if row is None:
        return None
    return Transfer(id=row["id"], state=TransferState(row["state"]), other=row["other"], at=row["at"])


def write(tx: ITransaction, transfer: Transfer | None) -> None:
    """Mark the database, or (None) let servers use it again."""
    tx.run(_UNMARK)
    if transfer is not None:
        tx.run(_MARK, id=transfer.id, state=transfer.state.value, other=transfer.other, at=transfer.at)


def check(found: Transfer | None, *, restored: bool) -> None:
    """Check that a server may use a database with this mark; ``restored``: it may use what is outdated, as it does a
    backup.

    :raises StoreRefused: if not.
    """
    if found is None or found.state is TransferState.LEAVING:
        return
    if found.state is TransferState.ARRIVING:
        raise StoreRefused(
            f"The fleet of {found.other} is being moved to this database, and not all is there: run pushctl migrate"
            " again, which goes on where it was."
        )
    if not restored:
        raise StoreRefused(
            f"The fleet of this database was moved to {found.other} at {to_rfc3339(found.at)}. To use this one again"
            " nevertheless, start with --restored: what was open in it may have run since, and becomes unknown."
        )


def begin_use(tx: ITransaction, *, restored: bool) -> None:
    """Check that a server may use the database, and abandon a move that has begun from it.

    :raises StoreRefused: as :func:`check`.
    """
    found = read(tx)
    check(found, restored=restored)
    if found is not None:
        write(tx, None)
