"""``python -m tests.crash.second_writer DATABASE``: changes open commands behind the back of the server.

It allows one attempt more of each, and prints a JSON object per command.
"""

import json
import sqlite3
import sys
from contextlib import closing

from pushd.store.sqlite.connection import connect

CHANGE = (
    "UPDATE command SET max_attempts = max_attempts + 1, version = version + 1"
    " WHERE finished_at IS NULL AND error IS NULL"
    " RETURNING device, idempotency_key AS key, max_attempts"
)
"""On either database."""


def change(path: str) -> list[dict[str, object]]:
    """Change all open commands that were not cancelled; what they are now. None, if the database stays locked."""
    with closing(connect(path)) as connection:
        try:
            return [dict(row) for row in connection.execute(CHANGE).fetchall()]
        except sqlite3.OperationalError:
            return []


if __name__ == "__main__":
    for changed in change(sys.argv[1]):
        sys.stdout.write(json.dumps(changed) + "\n")
