"""Starts the real server with a planted bug; the server itself knows nothing of this."""

import sys
from collections.abc import Callable, Mapping

from attrs import evolve
from twisted.scripts.twistd import run

from pushd.lib.webhook_sender import PostOutcome
from pushd.store.transaction import Statement


def run_with_bug(bugs: Mapping[str, Callable[[], None]]) -> None:
    """Plant the bug that the first argument names, and run twistd with the others."""
    bugs[sys.argv.pop(1)]()
    sys.argv[0] = "twistd"
    run()


def replace_sql(statement: Statement, part: str, replacement: str = "") -> Statement:
    """A statement with other SQL in place of a part that it must have."""
    assert part in statement.sql, statement.sql
    return evolve(statement, sql=statement.sql.replace(part, replacement))


def accept_any_status() -> None:
    """Count every answer of a webhook's receiver as success, whatever its status."""
    PostOutcome.delivered = property(lambda self: True)  # type: ignore[assignment, method-assign]
