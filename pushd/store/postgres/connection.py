"""How groups of operations run on PostgreSQL: each in one transaction that holds the rows of its devices."""

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic
from typing import Any

import psycopg
from attrs import define, field, frozen
from psycopg import errors
from twisted.python.failure import Failure

from pushd.lib.uptime import uptime
from pushd.model.command import Dispatched
from pushd.model.errors import OutcomeInDoubt, PushdError, StoreRefused, Unavailable
from pushd.model.timestamps import Now
from pushd.model.uuid7 import IdSource
from pushd.rules.outcomes import dispatched_by
from pushd.store.commit_failures import CommitFailures
from pushd.store.event_limiter import EventLimiter
from pushd.store.group_commit import PendingTransaction
from pushd.store.overlay import Overlay, decide, decide_all
from pushd.store.postgres import history
from pushd.store.postgres.copies import announce
from pushd.store.postgres.doubt import first_number, is_committed
from pushd.store.postgres.history import SeenHistory
from pushd.store.postgres.loading import Loaded, load
from pushd.store.postgres.needs import named_by, unwrapped
from pushd.store.postgres.notifications import notify
from pushd.store.postgres.pipeline import Request, Rows, exchange, exchange_results, to_rows
from pushd.store.postgres.queue_index import DeviceQueue
from pushd.store.postgres.session import Connection, Identity, Session, reason
from pushd.store.postgres.transaction import PostgresTransaction
from pushd.store.transaction import StaleCommands, Step

MAX_SECONDS = 2.0
"""For how long a transaction runs operations; others are put off. PostgreSQL ends it after five."""

MAX_TRIES = 5
"""How often a group is run that other transactions have got in the way of."""

_COMMIT, _ROLLBACK = Request(b"COMMIT"), Request(b"ROLLBACK")
_ROLLBACK_OPERATION = Request(b"ROLLBACK TO operation")
_RULES = (decide, decide_all)
_IN_THE_WAY = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation)
_AT_FAULT = (errors.DataError, errors.IntegrityError, StaleCommands)
"""Errors that one operation of a group may have caused."""


class _FailedAfterChange(Exception):
    """An operation has failed after it had changed something, which must not undo the others."""


@frozen
class Committed:
    """What a transaction has changed in what memory knows of queues: by device, as of the number of an event."""

    queues: Mapping[str, DeviceQueue]
    as_of: int


@frozen
class GroupOutcome:
    """What became of a group."""

    done: Sequence[PendingTransaction] = ()
    """Each with its outcome, a Failure where it, or the commit, failed."""
    put_off: Sequence[PendingTransaction] = ()
    """Their devices are held by other transactions."""
    committed: Sequence[Committed] = ()
    in_doubt: Collection[str] | None = None
    """The devices of a commit that may have been done or not."""
    claimed: Sequence[Dispatched] = ()
    """What it has claimed: it was never sent."""

    def __add__(self, other: "GroupOutcome") -> "GroupOutcome":
        in_doubt = self.in_doubt
        if other.in_doubt is not None:
            in_doubt = {*(in_doubt or ()), *other.in_doubt}
        return GroupOutcome(
            [*self.done, *other.done],
            [*self.put_off, *other.put_off],
            [*self.committed, *other.committed],
            in_doubt,
            [*self.claimed, *other.claimed],
        )


@define(eq=False)
class PostgresConnection:
    """Runs groups of operations in a session that writes; used by one thread at a time."""

    session: Session
    failures: CommitFailures
    now: Callable[[], Now] | None
    """The time of transactions, read once for each, when it has begun; None: the database's."""
    beat: Callable[[], object]
    """Keeps the clocks of the service; called before the first group of each session."""
    ids: IdSource = field(factory=IdSource)
    handover_ids: IdSource = field(factory=IdSource)
    limiter: EventLimiter = field(factory=EventLimiter)
    uptime: Callable[[], float] = uptime
    """Seconds since the machine was started, to know how old a claim is."""
    seen: SeenHistory = field(factory=SeenHistory)

    _began: Identity | None = field(default=None, init=False)
    """The session that has begun with a beat."""

    def begin(self) -> Connection:
        """The connection, with clocks that are right: while it was lost, no node may have served.

        :raises Unavailable: if there is none.
        """
        connection = self.session.get()
        if self._began is not self.session.identity:
            self.beat()
            self._began = self.session.identity
        return connection

    def run(self, group: Sequence[PendingTransaction], wait: bool = False) -> GroupOutcome:
        """Run and commit operations.

        :param wait: wait for devices that other transactions hold, for a few seconds.
        """
        savepoints, tries = False, 0
        while True:
            attempt = _Attempt(self, group, wait, savepoints)
            try:
                return attempt.run()
            except _FailedAfterChange:
                attempt.roll_back()
                savepoints = True
            except Exception as error:  # whatever it is, the executor must go on
                attempt.roll_back()
                tries += 1
                if not attempt.may_succeed_after(error) or tries == MAX_TRIES:
                    return self._failed(group, error, attempt, wait)

    def close(self) -> None:
        """Close the session; nothing is run afterwards."""
        self.session.close()

    def _failed(
        self, group: Sequence[PendingTransaction], error: Exception, attempt: "_Attempt", wait: bool
    ) -> GroupOutcome:
        """Nothing of a group was committed: run each operation alone if one of them may be at fault, or fail all."""
        cause = cause_of(error)
        is_of_database = isinstance(cause, (psycopg.Error, Unavailable)) and not isinstance(cause, _AT_FAULT)
        if len(group) > 1 and not is_of_database:
            outcome = GroupOutcome()
            for pending in group:
                outcome += self.run([pending], wait)
            return outcome
        why, claimed = self._reason(error), dispatched_by(pending.outcome for pending in group)
        for pending in group:
            pending.events = pending.audited = ()
            pending.outcome = Failure(why)
        if isinstance(why, OutcomeInDoubt):
            return GroupOutcome(done=group, in_doubt=attempt.touched, claimed=claimed)
        return GroupOutcome(done=group)

    def _reason(self, error: Exception) -> PushdError:
        is_logged = isinstance(error, Unavailable) and error.is_logged
        if not is_logged:
            self.failures.failed(error)
        if isinstance(error, OutcomeInDoubt):
            return OutcomeInDoubt(str(error), is_logged=True)
        return Unavailable(f"Unable to commit: {error}", is_logged=True)


@define(eq=False)
class _Attempt:
    """One transaction for a group of operations."""

    owner: PostgresConnection
    group: Sequence[PendingTransaction]
    wait: bool
    savepoints: bool
    """Whether each operation has a savepoint, so that its failure undoes nothing else."""
    lost: bool = field(default=False, init=False)
    """Whether the connection was lost before the commit, so that nothing was committed."""
    _tx: PostgresTransaction | None = field(default=None, init=False)
    _steps: list[Step] = field(factory=list, init=False)

    def run(self) -> GroupOutcome:
        """Run and commit the operations whose devices could be locked."""
        owner, needs = self.owner, [named_by(pending) for pending in self.group]
        began, connection = owner.uptime(), owner.begin()
        seen = owner.seen.last
        loaded = load(connection, owner.session.options.node, needs, self.wait)
        is_lost = self._lacks_events(seen, loaded)
        now = loaded.now if owner.now is None else owner.now()
        tx = self._tx = PostgresTransaction(connection, owner.limiter, now)
        tx.commands = Overlay(loaded.commands, tx, owner.ids, owner.handover_ids, began, loaded.named)
        done: list[PendingTransaction] = []
        put_off: list[PendingTransaction] = []
        until = monotonic() + MAX_SECONDS
        for pending, named in zip(self.group, needs, strict=True):
            if is_lost and history.is_refused(pending):
                pending.outcome = Failure(Unavailable(history.LACKS, is_logged=True))
                done.append(pending)
            elif loaded.holds(named) and not (done and monotonic() > until):
                self._run(pending, tx)
                done.append(pending)
            else:
                put_off.append(pending)
        self._commit(tx, loaded)
        for pending in done:
            pending.events = tx.feed.numbered(pending.events)
        if tx.written:
            owner.failures.succeeded()
        owner.seen.note(tx.feed.last or 0)
        committed = Committed(_queues(tx.commands), tx.feed.last or loaded.feed.last)
        del tx.commands  # else the two would keep each other
        return GroupOutcome(
            done=done,
            put_off=put_off,
            committed=[committed],
        )

    def _lacks_events(self, seen: int, loaded: Loaded) -> bool:
        """Whether the database lacks events that this node has ``seen``.

        :raises Unavailable: if nothing may be written: that is not stored yet, or another history has begun.
        """
        try:
            is_lost = self.owner.seen.check(seen, loaded.feed)
            if is_lost and loaded.feed.lost is None:
                self.owner.beat()  # stores it, before numbers are given twice
                raise Unavailable(history.LACKS, is_logged=True)
        except StoreRefused as error:
            raise Unavailable(str(error), is_logged=True) from error
        return is_lost

    def roll_back(self) -> None:
        """Undo all of it; a session in which that is not possible is given up."""
        self._tx = None
        session = self.owner.session
        connection = session.connection
        if connection is None:
            return
        if not connection.closed:
            try:
                exchange(connection, [_ROLLBACK])
            except psycopg.Error:
                session.drop()
        if connection.closed:
            self.lost = True
            session.drop()

    def may_succeed_after(self, error: Exception) -> bool:
        """Whether another attempt may succeed after an error that was not the fault of an operation."""
        if isinstance(error, OutcomeInDoubt):
            return False
        return self.lost or isinstance(cause_of(error), (*_IN_THE_WAY, StaleCommands))

    @property
    def touched(self) -> Collection[str]:
        """The devices of the operations."""
        return {device for pending in self.group for device in named_by(pending).devices}

    def _run(self, pending: PendingTransaction, tx: PostgresTransaction) -> None:
        """Run an operation, which gets its outcome."""
        before, mark, commands = self._changes(tx), tx.feed.mark(), tx.commands
        if self.savepoints:
            commands.save()
            tx.send()
            tx.connection.execute("SAVEPOINT operation")
            commands = tx.commands.copy()
        try:
            if unwrapped(pending)[0] not in _RULES:
                tx.commands.begin_statement()
            pending.outcome = pending.operation(tx, *pending.args)
            if self.savepoints:
                tx.commands.save()
                tx.send()
        except Exception as error:
            if isinstance(cause_of(error), (*_IN_THE_WAY, StaleCommands)) or tx.connection.closed:
                raise
            if not self.savepoints and (isinstance(cause_of(error), psycopg.Error) or self._changes(tx) != before):
                raise _FailedAfterChange from error
            pending.outcome = Failure()
            tx.events, tx.audited, tx.steps = [], [], ()
            if self.savepoints:
                tx.waiting = []
                exchange(tx.connection, [_ROLLBACK_OPERATION])
                tx.feed.take_back(mark)
                tx.commands = commands
        pending.events, tx.events = tx.events, []
        pending.audited, tx.audited = tx.audited, []
        self._steps += tx.steps
        tx.steps = ()

    @staticmethod
    def _changes(tx: PostgresTransaction) -> tuple[int, int, int]:
        return tx.written, tx.commands.changes, len(tx.events)

    def _commit(self, tx: PostgresTransaction, loaded: Loaded) -> None:
        """Write what was decided, and commit, in one round trip; the numbers of the events last, because others wait
        for them until the commit.
        """
        tx.commands.save()
        for step in self._steps:
            step(tx)
        sender, devices, number = self.owner.session.options.sender, tx.commands.touched(), tx.feed.take()
        if devices or number is not None or tx.feed.last is not None:
            tx.waiting.append(notify(sender, devices))
        tx.waiting += announce(sender, self.group)
        if number is not None:
            tx.written += 1
            tx.waiting.append(number)
        try:
            *results, committed = exchange_results(tx.connection, [*tx.waiting, _COMMIT])
        except psycopg.Error as error:
            answer = self._after_failed_commit(tx, loaded, error)
        else:
            if committed.command_status != b"COMMIT":
                raise Unavailable("The transaction was rolled back.")
            answer = to_rows(tx.connection, results[-1]) if number is not None else []
        if number is not None:
            tx.feed.written(answer)

    def _after_failed_commit(self, tx: PostgresTransaction, loaded: Loaded, error: psycopg.Error) -> Rows:
        """The numbers of the events, if the transaction was committed nevertheless."""
        if isinstance(error, errors.DivisionByZero):  # by which a statement that saves commands says so
            raise StaleCommands from error
        if not tx.connection.closed:
            raise error
        fate = is_committed(self.owner.session, loaded.xid)
        if fate is False:
            self.lost = True
            raise error
        try:
            if fate:
                return first_number(self.owner.session, loaded.xid, loaded.feed.last)
        except (psycopg.Error, Unavailable):
            pass  # the numbers of its events are not known
        raise OutcomeInDoubt(
            f"It may be stored or not: {reason(error)}. Send it again, with the same Idempotency-Key if it had one."
        ) from error


def _queues(commands: Overlay) -> Mapping[str, DeviceQueue]:
    return {device: DeviceQueue.of(device, queued, out) for device, queued, out in commands.changed_devices()}


def cause_of(error: BaseException) -> BaseException:
    """The error of the database behind an error of the store, or the error itself."""
    cause: Any = error.__cause__
    return cause if isinstance(cause, psycopg.Error) and not isinstance(error, StaleCommands) else error
