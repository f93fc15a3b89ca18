"""A new SQLite database of a test is a copy of one that was migrated: that takes a hundredth of the time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from pushd.store.sqlite import store
from pushd.store.sqlite.connection import connect
from pushd.store.sqlite.migrations import migrate


@contextmanager
def copied_schema() -> Iterator[None]:
    """Until the block ends, stores of this process fill an empty database by a copy, and migrate any other."""
    with closing(connect(store.MEMORY)) as migrated, pytest.MonkeyPatch.context() as patch:
        migrate(migrated, store.MEMORY)

        def copy_or_migrate(connection: sqlite3.Connection, path: str) -> None:
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
                migrated.backup(connection)
            else:
                migrate(connection, path)

        patch.setattr(store, "migrate", copy_or_migrate)
        yield
