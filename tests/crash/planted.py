"""Planted bugs: the real server, broken in one way, to show that the harness can find it.

``python -m tests.crash.planted BUG <what twistd takes>``. The server itself knows nothing of this.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.scripts.twistd import run

from pushd.store.operation_base import OperationBase
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import enqueue_claim, lifecycle_guards, results

WRITE_BEHIND = 0.05
"""Seconds from a hasty answer to the write that it should have waited for."""

_REHEARSE = Statement("rehearse", "SAVEPOINT rehearsal")
_UNDO = Statement("undo a rehearsal", "ROLLBACK TO rehearsal")


def _hasty(hurried: Callable[..., Any]) -> None:
    """Answer one operation with what it would do, and do it a moment later."""
    write = OperationBase._write

    def rehearse(tx: ITransaction, *args: Any) -> Any:
        tx.run(_REHEARSE)
        outcome = hurried(tx, *args)
        tx.run(_UNDO)
        tx.events.clear()
        return outcome

    def hasty_write(self: OperationBase, operation: Callable[..., Any], *args: Any) -> Deferred[Any]:
        from twisted.internet import reactor

        if operation is not hurried:
            return write(self, operation, *args)
        reactor.callLater(WRITE_BEHIND, lambda: write(self, operation, *args).addErrback(lambda _: None))
        return write(self, rehearse, *args)

    OperationBase._write = hasty_write  # type: ignore[method-assign]


def _requeueing() -> None:
    """Queue a command again when its lease lapses, whether its sender allowed that or not."""
    lifecycle_guards.LAPSE = _without(lifecycle_guards.LAPSE, "delivery = 'at_least_once' AND ")


def _unhurried() -> None:
    """Send a command though its time to live is over."""
    lifecycle_guards.SEND = _without(lifecycle_guards.SEND, "expires_at > :now", "TRUE")
    enqueue_claim._CANDIDATES = _without(enqueue_claim._CANDIDATES, "+expires_at > :now", "TRUE")


def _without(statement: Statement, words: str, others: str = "") -> Statement:
    assert words in statement.sql, statement.sql
    return evolve(statement, sql=statement.sql.replace(words, others))


BUGS: Mapping[str, Callable[[], None]] = {
    "send-before-commit": lambda: _hasty(enqueue_claim.put),
    "claim-before-commit": lambda: _hasty(enqueue_claim.claim),
    "result-before-commit": lambda: _hasty(results.settle),
    "lapse-requeues": _requeueing,
    "late-send": _unhurried,
}


if __name__ == "__main__":
    BUGS[sys.argv.pop(1)]()
    sys.argv[0] = "twistd"
    run()
