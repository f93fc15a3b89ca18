"""The planted bugs of how groups are committed on PostgreSQL."""

from collections.abc import Callable, Iterable
from time import sleep
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.model.errors import Unavailable
from pushd.rules.view import Rule
from pushd.store.group_commit import PendingTransaction
from pushd.store.postgres import connection, saving, session
from pushd.store.postgres.connection import Committed, GroupOutcome, PostgresConnection
from pushd.store.postgres.executors import ThreadWriter
from pushd.store.postgres.loading import Loaded
from pushd.store.postgres.needs import unwrapped
from pushd.store.postgres.saving import SAVES
from pushd.store.postgres.transaction import PostgresTransaction
from pushd.store.transaction import Statement

Group = Iterable[PendingTransaction]


def answer_before_commit(early: type[Rule[Any]], delay: float) -> None:
    """Answer one kind of rule before its group is committed."""

    def is_early(pending: PendingTransaction) -> bool:
        is_done = pending.outcome is not None and not isinstance(pending.outcome, Failure)
        return is_done and any(isinstance(each, early) for each in unwrapped(pending)[1])

    def answer(pending: PendingTransaction) -> PendingTransaction:
        answered = PendingTransaction(pending.operation, pending.args, pending.done, pending.outcome)
        pending.done = Deferred().addErrback(lambda _: None)
        return answered

    _finish_before_commit(
        lambda group, _tx, _loaded: GroupOutcome([answer(pending) for pending in group if is_early(pending)]), delay
    )


def merge_before_commit(delay: float) -> None:
    """Let memory and listeners have what a group has changed before it is committed."""

    def merged(group: Group, tx: PostgresTransaction, _loaded: Loaded) -> GroupOutcome:
        row: Any = tx.connection.execute("SELECT last, history FROM feed").fetchone()
        done = []
        for each in group:
            events = [evolve(event, seq=row["last"] + event.seq, epoch=row["history"]) for event in each.events]
            done.append(PendingTransaction(each.operation, events=events))
        last = max((event.seq for each in done for event in each.events), default=row["last"])
        return GroupOutcome(done, committed=[Committed(connection._queues(tx.commands), last)])

    _finish_before_commit(merged, delay)


def _finish_before_commit(find: Callable[[Group, PostgresTransaction, Loaded], GroupOutcome], delay: float) -> None:
    """Report some of what becomes of each group so many seconds before it is committed."""
    writers: dict[PostgresConnection, ThreadWriter] = {}
    start, commit = ThreadWriter.start, connection._Attempt._commit

    def start_and_remember(self: ThreadWriter) -> None:
        writers[self.groups.connection] = self
        start(self)

    def finish_and_commit(self: connection._Attempt, tx: PostgresTransaction, loaded: Loaded) -> None:
        found = find(self.group, tx, loaded)
        if found.done:
            writer = writers[self.owner]
            writer.reactor.callFromThread(writer.finish, found)
            sleep(delay)
        commit(self, tx, loaded)

    ThreadWriter.start = start_and_remember  # type: ignore[method-assign]
    connection._Attempt._commit = finish_and_commit  # type: ignore[method-assign]


def save_any_version(before: Statement, after: Statement) -> None:
    """Save commands over whatever the database has of them, by ``after`` in place of ``before``."""
    save, condition = SAVES[before], b" AND command.version = new.before"
    assert condition in save.sql
    vars(saving)["SAVES"][after] = evolve(save, sql=save.sql.replace(condition, b""))


def deny_doubt() -> None:
    """Take a COMMIT in doubt for one of which nothing is stored."""
    vars(connection)["is_committed"] = lambda *_: None
    vars(connection)["OutcomeInDoubt"] = Unavailable


def commit_asynchronously() -> None:
    """Commit without waiting for the log to be written."""
    session._DURABLE = "SELECT set_config('synchronous_commit', 'off', FALSE)"
