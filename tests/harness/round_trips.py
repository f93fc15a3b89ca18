"""Counts how often a session with PostgreSQL waits for an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from attrs import define

_ASKS = ("Sync", "Query")
"""The messages that are answered at once; others wait for one of these."""


@define
class Counted:
    """What was counted, once the block has ended."""

    round_trips: int = 0


@contextmanager
def count_round_trips(connection: "psycopg.Connection[Any]", trace: Path) -> Iterator[Counted]:
    """Count in a block, by what libpq writes to the file ``trace``."""
    counted = Counted()
    with trace.open("wb") as file:
        connection.pgconn.trace(file.fileno())
        try:
            yield counted
        finally:
            connection.pgconn.untrace()
    messages = (line.split("\t") for line in trace.read_text("utf-8", "replace").splitlines())
    counted.round_trips = sum(message[1] == "F" and message[3] in _ASKS for message in messages)
