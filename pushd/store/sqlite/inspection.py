"""Looks at a database without changing it, whether a server uses it or not."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from pushd.model.errors import PushdError, StoreRefused
from pushd.model.timestamps import Now
from pushd.store.database_state import DatabaseState
from pushd.store.filters import History
from pushd.store.sqlite.connection import SqliteConnection, run_once
from pushd.store.sqlite.migrations import check_version, newest_version
from pushd.store.transaction import ITransaction
from pushd.store.transactions import epochs, tokens, transfer

_NO_TIME = Now(0, 0)
"""What is looked at is the same at all times."""


def inspect(path: str, token_digest: bytes, history: History) -> DatabaseState:
    """Look at a database file; ``token_digest`` is the SHA-256 of the secret to look for.

    :raises StoreRefused: if it cannot be read, is newer than this program, or is of another program.
    """

    def look(tx: ITransaction) -> DatabaseState:
        return DatabaseState(
            version=version,
            newest=newest,
            devices=devices,
            knows_token=tokens.knows(tx, token_digest),
            transfer=transfer.read(tx),
            is_copy=epochs.is_copy(tx, history),
        )

    try:
        with closing(sqlite3.connect(_uri(path), uri=True, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            newest = newest_version()
            version = check_version(connection, path, newest)
            if version == 0:
                return DatabaseState(version=version, newest=newest)
            (devices,) = connection.execute("SELECT COUNT(*) FROM device").fetchone()
            if version < newest:
                return DatabaseState(version=version, newest=newest, devices=devices)
            return run_once(SqliteConnection(connection, lambda: _NO_TIME, "BEGIN"), look)
    except (sqlite3.Error, PushdError) as error:
        if isinstance(error, StoreRefused):
            raise
        raise StoreRefused(f"{path} cannot be read: {error}.") from error


def _uri(path: str) -> str:
    """Read-only; without a ``-wal`` file immutable, too, or SQLite would make one."""
    has_log = Path(f"{os.path.realpath(path)}-wal").exists()
    return f"file:{quote(path)}?{'mode=ro' if has_log else 'immutable=1'}"
