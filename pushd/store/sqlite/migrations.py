"""Migrations: bring a database of an earlier version to the newest schema."""

import sqlite3
from importlib.resources import files
from pathlib import Path

from pushd.model.errors import StoreRefused
from pushd.store.sqlite.connection import make_private


def _schemas() -> dict[int, str]:
    folder = files("pushd.store.sqlite").joinpath("schema")
    return {int(file.name[:4]): file.read_text() for file in folder.iterdir() if file.name.endswith(".sql")}


def newest_version() -> int:
    """The version of the newest schema."""
    return max(_schemas())


def migrate(connection: sqlite3.Connection, path: str, schemas: dict[int, str] | None = None) -> None:
    """Create the schema, or bring an older one up to date after a copy of the database was put beside it.

    :raises StoreRefused: if it is newer than this program, or of another program.
    """
    steps = schemas or _schemas()
    newest = max(steps)
    version = check_version(connection, path, newest)
    if 0 < version < newest:
        _back_up(connection, f"{path}.backup-v{version}")
    for step in range(version + 1, newest + 1):
        _apply(connection, steps[step])


_REQUIRED_TABLES = {"schema_version", "device", "command"}
"""Tables that a pushd database of any version has."""


def check_version(connection: sqlite3.Connection, path: str, newest: int) -> int:
    """The version of a database, which is not changed; 0 if it is empty.

    :raises StoreRefused: if it is newer than ``newest``, or of another program.
    """
    version = _version(connection, path)
    if version > newest:
        raise StoreRefused(
            f"{path} was written by a newer pushd (schema {version}, this one knows {newest}); install that version."
        )
    return version


def _version(connection: sqlite3.Connection, path: str) -> int:
    tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    if not tables >= _REQUIRED_TABLES:
        raise StoreRefused(f"{path} is a database, but not one of pushd; name another file with --store.")
    return int(connection.execute("SELECT version FROM schema_version").fetchone()["version"])


def _apply(connection: sqlite3.Connection, script: str) -> None:
    """Run one migration as a whole or not at all."""
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n;COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _back_up(connection: sqlite3.Connection, path: str) -> None:
    Path(path).unlink(missing_ok=True)
    make_private(path)
    copy = sqlite3.connect(path)
    try:
        connection.backup(copy)
    finally:
        copy.close()
