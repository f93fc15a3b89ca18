"""``python -m pushd.fsck DATABASE``: checks a SQLite file, or by its URL a database on PostgreSQL, whether servers use
it or not.

Prints one JSON object per violation, or one line that says that there are none. Exits with 0 if there are none, 1 if
there are some, and 2 if the file cannot be checked.
"""

import json
import sqlite3
import sys
from pathlib import Path

from attrs import asdict

from pushd.model.errors import PushdError, StoreRefused
from pushd.model.timestamps import Now
from pushd.option_values import POSTGRES_SCHEMES
from pushd.store.filters import Violation
from pushd.store.sqlite.connection import check_integrity, open_reader, run_once
from pushd.store.transaction import ITransaction
from pushd.store.transactions.clock import last_event_at
from pushd.store.transactions.consistency import fsck


def inspect(path: str) -> list[Violation]:
    """The violations in a database; only those of the file format, if there are any.

    :raises StoreRefused: if the database cannot be read.
    """
    if path.startswith(POSTGRES_SCHEMES):
        from pushd.store.postgres.inspection import find_violations  # psycopg is optional

        return find_violations(path)
    if not Path(path).is_file():
        raise StoreRefused(f"There is no database {path}.")
    connection = open_reader(path, lambda: Now(0, 0))
    try:
        return check_integrity(connection) or run_once(connection, _check)
    finally:
        connection.close()


def _check(tx: ITransaction) -> list[Violation]:
    """Check as of the time of the last event: nothing expires while the server is down."""
    tx.now = Now(last_event_at(tx) or 0, 0)
    return fsck(tx)


def main(arguments: list[str]) -> int:
    """Check the file and print the violations; returns the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m pushd.fsck DATABASE\n")
        return 2
    try:
        violations = inspect(arguments[0])
    except (PushdError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for violation in violations:
        sys.stdout.write(json.dumps(asdict(violation)) + "\n")
    if not violations:
        sys.stdout.write("No inconsistencies.\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
