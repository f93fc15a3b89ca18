"""``python -m pushd.fsck DATABASE``: looks for what is stored and cannot be, whether the server runs or not.

Prints one JSON object per flaw; exits 0 if there is none, 1 if there are some, 2 if it
cannot look.
"""

import json
import sqlite3
import sys
from pathlib import Path

from attrs import asdict

from pushd.model.errors import PushdError, StoreRefused
from pushd.model.timestamps import Now
from pushd.store.filters import Violation
from pushd.store.sqlite.connection import check_integrity, open_reader, run_once
from pushd.store.transaction import ITransaction, Statement, first
from pushd.store.transactions.consistency import fsck


def inspect(path: str) -> list[Violation]:
    """What is stored and cannot be, in a SQLite file.

    :raises StoreRefused: if it cannot be read.
    """
    if not Path(path).is_file():
        raise StoreRefused(f"There is no database {path}.")
    connection = open_reader(path)
    try:
        return check_integrity(connection) or run_once(connection, _doubt)
    finally:
        connection.close()


_LAST = Statement("look for the last event", "SELECT at FROM event ORDER BY seq DESC LIMIT 1")


def _doubt(tx: ITransaction) -> list[Violation]:
    """Look as of the last thing that happened: while the server is down nobody ends what is over."""
    last = first(tx, _LAST)
    return fsck(tx, Now(0 if last is None else last["at"], 0))


def main(arguments: list[str]) -> int:
    """Look, print, and tell by the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m pushd.fsck DATABASE\n")
        return 2
    try:
        flaws = inspect(arguments[0])
    except (PushdError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for flaw in flaws:
        sys.stdout.write(json.dumps(asdict(flaw)) + "\n")
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
