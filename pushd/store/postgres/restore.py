"""What is done once after a database was restored: another history begins, in which what was open has ended."""

from contextlib import closing

from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.timestamps import Now
from pushd.store.filters import StartOptions
from pushd.store.postgres.history import begin_history, read
from pushd.store.postgres.migrations import LOCK, check_version, newest_version
from pushd.store.postgres.node import DEAD
from pushd.store.postgres.session import Session, SessionOptions
from pushd.store.postgres.transaction import run_once
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import transfer

NODE = "after-restore"
"""The name of the session."""

_LOCK = Statement("wait for the start of a node", f"SELECT pg_advisory_xact_lock({LOCK})")
_NOW = Statement("read the clocks", "SELECT wall_ms() AS wall, lost_ms, stepped_ms FROM service")
_NODES = Statement(
    "look for nodes that serve",
    "SELECT string_agg(name, ', ' ORDER BY name) AS names FROM node"
    f" WHERE beat > (SELECT wall_ms() - lost_ms FROM service) - {DEAD}",
)


def restore(url: str, options: StartOptions) -> int:
    """Begin another history; how many commands are ``unknown`` now.

    :raises StoreRefused: if nodes serve which miss nothing, or the database cannot be used.
    """
    with closing(Session(SessionOptions(url=url, node=NODE))) as session:
        try:
            if check_version(session.get(), newest_version()) != newest_version():
                raise StoreRefused("The database is of an older version; start pushd-server once with --restored.")
            return run_once(session, lambda: Now(0, 0), _restore, options)
        except Unavailable as error:
            raise StoreRefused(str(error)) from error


def _restore(tx: ITransaction, options: StartOptions) -> int:
    tx.rows(_LOCK)
    transfer.begin_use(tx, restored=True)
    [clocks], [nodes] = tx.rows(_NOW), tx.rows(_NODES)
    if read(tx).lost is None and nodes["names"] is not None:
        raise StoreRefused(
            f"{nodes['names']}: these servers use the database, and miss nothing. If it was restored nevertheless,"
            " stop them first."
        )
    wall = clocks["wall"]
    tx.now = Now(wall, wall - clocks["lost_ms"], wall - clocks["stepped_ms"])
    return begin_history(tx, options) or 0
