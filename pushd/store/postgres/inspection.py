"""Looks at a database without changing it, whether servers use it or not."""

from collections.abc import Callable
from typing import TypeVar

from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.timestamps import Now
from pushd.store.database_state import DatabaseState
from pushd.store.filters import History, Violation
from pushd.store.postgres.history import lacks_events
from pushd.store.postgres.migrations import check_version, newest_version
from pushd.store.postgres.session import Session, SessionOptions
from pushd.store.postgres.transaction import run_once
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import clock, consistency, tokens, transfer

T = TypeVar("T")

NODE = "inspection"
"""The name of the sessions."""

_DEVICES = Statement("count devices", "SELECT COUNT(*) AS devices FROM device")


def inspect(url: str, token_digest: bytes, history: History) -> DatabaseState:
    """Look at a database; ``token_digest`` is the SHA-256 of the secret to look for.

    :raises StoreRefused: if it cannot be read, is newer than this program, or is of another program.
    """
    newest = newest_version()

    def look(tx: ITransaction) -> DatabaseState:
        return DatabaseState(
            version=version,
            newest=newest,
            devices=tx.rows(_DEVICES)[0]["devices"],
            knows_token=tokens.knows(tx, token_digest),
            transfer=transfer.read(tx) if version == newest else None,
            is_copy=lacks_events(tx, history),
        )

    session = Session(SessionOptions(url=url, node=NODE))
    try:
        version = check_version(session.get(), newest)
        return DatabaseState(version=0, newest=newest) if version == 0 else _read(session, look)
    except Unavailable as error:
        raise StoreRefused(str(error)) from error
    finally:
        session.close()


def find_violations(url: str) -> list[Violation]:
    """The inconsistencies of a database, as of the time of its last event.

    :raises StoreRefused: if it cannot be read.
    """

    def check(tx: ITransaction) -> list[Violation]:
        tx.now = Now(clock.last_event_at(tx) or 0, 0)
        return consistency.fsck(tx)

    session = Session(SessionOptions(url=url, node=NODE))
    try:
        if check_version(session.get(), newest_version()) == 0:
            raise StoreRefused("The database is empty.")
        return _read(session, check)
    except Unavailable as error:
        raise StoreRefused(str(error)) from error
    finally:
        session.close()


def _read(session: Session, operation: Callable[[ITransaction], T]) -> T:
    """Read from one snapshot."""
    session.get().execute("SET default_transaction_isolation = 'repeatable read'")
    session.get().execute("SET default_transaction_read_only = on")
    return run_once(session, lambda: Now(0, 0), operation)
