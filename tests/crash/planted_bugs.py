"""Planted bugs: the real server with one defect, to show that the harness finds it.

``python -m tests.crash.planted_bugs BUG <arguments of twistd>``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from pushd.model.timestamps import MAX_MOMENT
from pushd.store.filters import Claim
from pushd.store.group_commit import ReactorExecutor
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import enqueue_claim, lifecycle_guards, results
from tests.harness.planting import replace_sql, run_with_bug

WRITE_DELAY = 0.05
"""Seconds from an answer that is given too early to the write that it should have waited for."""

_SAVEPOINT = Statement("begin a dry run", "SAVEPOINT dry_run")
_ROLLBACK = Statement("undo a dry run", "ROLLBACK TO dry_run")


def _answer_before_commit(early: Callable[..., Any]) -> None:
    """Answer one operation with the outcome of a dry run, and commit it a moment later."""
    submit = ReactorExecutor.submit

    def dry_run(tx: ITransaction, *args: Any) -> Any:
        tx.run(_SAVEPOINT)
        outcome = early(tx, *args)
        tx.run(_ROLLBACK)
        tx.events.clear()
        return outcome

    def submit_late(self: ReactorExecutor, operation: Callable[..., Any], *args: Any) -> Deferred[Any]:
        from twisted.internet import reactor

        if operation is not early:
            return submit(self, operation, *args)
        reactor.callLater(WRITE_DELAY, lambda: submit(self, operation, *args).addErrback(lambda _: None))
        return submit(self, dry_run, *args)

    ReactorExecutor.submit = submit_late  # type: ignore[method-assign]


def _requeue_all() -> None:
    """Queue a command again when its lease ends, whether its sender allowed that or not."""
    lifecycle_guards.LAPSE = replace_sql(lifecycle_guards.LAPSE, "delivery = 'at_least_once' AND ")


def _ignore_ttl() -> None:
    """Send a command after its time to live has ended."""
    claim = enqueue_claim.claim

    def claim_expired(*args: Any) -> Claim:
        return evolve(claim(*args), expires_at=MAX_MOMENT, expires_elapsed=MAX_MOMENT)

    lifecycle_guards.SEND = replace_sql(lifecycle_guards.SEND, lifecycle_guards.LIVE, "TRUE")
    unexpired = "expires_at > :now AND +expires_elapsed > :elapsed"
    enqueue_claim._CANDIDATES = replace_sql(enqueue_claim._CANDIDATES, unexpired, "TRUE")
    enqueue_claim.claim = claim_expired  # type: ignore[assignment]
    results._EXPIRED = replace_sql(results._EXPIRED, "expires_elapsed <= :elapsed", "FALSE")


BUGS: Mapping[str, Callable[[], None]] = {
    "send-before-commit": lambda: _answer_before_commit(enqueue_claim.put),
    "claim-before-commit": lambda: _answer_before_commit(enqueue_claim.claim),
    "result-before-commit": lambda: _answer_before_commit(results.settle),
    "lapse-requeues": _requeue_all,
    "late-send": _ignore_ttl,
}


if __name__ == "__main__":
    run_with_bug(BUGS)
