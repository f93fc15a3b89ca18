"""Planted bugs: the real server with one defect, to show that the harness finds it.

``python -m tests.crash.planted_bugs BUG <arguments of twistd>``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from pushd.core.commands.command_queue import CommandQueue
from pushd.model.lifecycle import Move, State
from pushd.model.timestamps import MAX_MOMENT
from pushd.rules import moves
from pushd.rules.outcomes import Claim
from pushd.rules.queueing import ClaimNext, Enqueue
from pushd.rules.reporting import Settle
from pushd.rules.view import Rule, View
from pushd.store import command_rows
from pushd.store.group_commit import PendingTransaction, ReactorExecutor
from pushd.store.open_commands import OpenCommands
from pushd.store.overlay import decide
from pushd.store.sqlite import connection
from pushd.store.sqlite.connection import SqliteConnection
from pushd.store.sqlite.transaction import SqliteTransaction
from tests.crash import planted_bugs_postgres as postgres
from tests.harness.planting import replace_sql, run_with_bug

WRITE_DELAY = 0.05
"""Seconds from an answer that is given too early to the write that it should have waited for."""


def _answer_before_commit(early: type[Rule[Any]]) -> None:
    """Answer one kind of rule with the outcome of a dry run, and commit it a moment later."""
    postgres.answer_before_commit(early, WRITE_DELAY)
    submit = ReactorExecutor.submit

    def dry_run(tx: SqliteTransaction, rule: Rule[Any]) -> Any:
        commands = tx.commands.copy()
        outcome = rule.decide(tx.commands)
        tx.commands = commands
        tx.feed.take_back(tx.events)
        tx.events.clear()
        return outcome

    def submit_late(self: ReactorExecutor, operation: Callable[..., Any], *args: Any) -> Deferred[Any]:
        from twisted.internet import reactor

        if operation is not decide or not isinstance(args[0], early):
            return submit(self, operation, *args)
        reactor.callLater(WRITE_DELAY, lambda: submit(self, operation, *args).addErrback(lambda _: None))
        return submit(self, dry_run, *args)

    ReactorExecutor.submit = submit_late  # type: ignore[method-assign]


def _requeue_all() -> None:
    """Queue a command again when its lease ends, whether its sender allowed that or not."""
    for source in (State.SENT, State.ACKNOWLEDGED):
        moves._TARGETS[source, Move.LAPSE] = ((lambda _command, _now: True, State.QUEUED),)


def _none_expired(self: OpenCommands, elapsed: int, limit: int) -> list[str]:
    return []


def _ignore_ttl() -> None:
    """Send a command after its time to live has ended."""
    decide_claim = ClaimNext.decide

    def claim_expired(self: ClaimNext, view: View) -> Claim:
        return evolve(decide_claim(self, view), expires_at=MAX_MOMENT, expires_elapsed=MAX_MOMENT)

    ClaimNext.decide = claim_expired  # type: ignore[method-assign]
    moves._TARGETS[State.QUEUED, Move.SEND] = ((lambda _command, _now: True, State.SENT),)
    OpenCommands.expired = _none_expired  # type: ignore[method-assign]


def _merge_before_commit() -> None:
    """Let memory have what a group has changed before it is committed."""
    postgres.merge_before_commit(WRITE_DELAY)
    commit = SqliteConnection.commit

    def merge_and_commit(self: SqliteConnection) -> Sequence[PendingTransaction]:
        if self._transaction is not None:
            self._transaction.commands.merge()
        return commit(self)

    SqliteConnection.commit = merge_and_commit  # type: ignore[method-assign]


def _deny_doubt() -> None:
    """Take every commit that fails for one of which nothing is stored."""
    postgres.deny_doubt()
    connection._commit_error = lambda error: error


def _save_any_version() -> None:
    """Save a command over whatever the database has of it."""
    for name in ("SAVE", "SAVE_WITH_RESULT"):
        before = getattr(command_rows, name)
        after = replace_sql(before, "AND version = ?", "AND ? IS NOT NULL")
        setattr(command_rows, name, after)
        postgres.save_any_version(before, after)


def _sync(mode: str) -> None:
    """Commit without waiting for the disk."""
    postgres.commit_asynchronously()
    assert any("synchronous" in pragma for pragma in connection._PRAGMAS)
    connection._PRAGMAS += (f"PRAGMA synchronous = {mode}",)  # type: ignore[assignment]


def _send_late_claims() -> None:
    """Send what was claimed, however long ago."""
    CommandQueue._is_late = lambda *_: False  # type: ignore[method-assign]


BUGS: Mapping[str, Callable[[], None]] = {
    "send-before-commit": lambda: _answer_before_commit(Enqueue),
    "claim-before-commit": lambda: _answer_before_commit(ClaimNext),
    "result-before-commit": lambda: _answer_before_commit(Settle),
    "merge-before-commit": _merge_before_commit,
    "doubt-denied": _deny_doubt,
    "stale-version-saved": _save_any_version,
    "synchronous-off": lambda: _sync("OFF"),
    "synchronous-normal": lambda: _sync("NORMAL"),
    "late-claim-sent": _send_late_claims,
    "lapse-requeues": _requeue_all,
    "late-send": _ignore_ttl,
}


if __name__ == "__main__":
    run_with_bug(BUGS)
