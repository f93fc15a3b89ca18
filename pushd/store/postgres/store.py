"""The store on PostgreSQL, which several processes may share."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from secrets import token_hex
from socket import gethostname
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure
from zope.interface import implementer

from pushd import __version__
from pushd.lib.background import logs_error, returns_deferred
from pushd.lib.uptime import uptime
from pushd.model.alert import AlertRules
from pushd.model.command import Dispatched
from pushd.model.device import LastSeen, PresenceState, QueueDepth
from pushd.model.dialect import Batchable, never
from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.rejection import Rejection
from pushd.model.timestamps import Now, milliseconds
from pushd.rules.outcomes import Claim
from pushd.rules.queueing import ClaimNext, Unsend
from pushd.rules.time_limits import Expire, Lapse
from pushd.rules.view import Rule
from pushd.store.commit_failures import CommitFailures
from pushd.store.copies import Copied, ICopies
from pushd.store.filters import NO_OPTIONS, CommandContext, StartOptions, StartupSnapshot
from pushd.store.group_commit import (
    Executor,
    IExecutorReactor,
    InlineExecutor,
    IRunner,
    Operation,
    ThreadExecutor,
)
from pushd.store.interface import IStore
from pushd.store.operations import SLICE_SIZE, Operations
from pushd.store.overlay import decide
from pushd.store.ownership import OwnedWebhooks
from pushd.store.postgres import history, ownership, rejections, sightings, sweeps
from pushd.store.postgres.connection import GroupOutcome, PostgresConnection
from pushd.store.postgres.copies import COPIES, Followed, announced, read_tail
from pushd.store.postgres.executors import Groups, InlineWriter, ThreadWriter
from pushd.store.postgres.feed_tail import FeedTail
from pushd.store.postgres.listener import Listener
from pushd.store.postgres.membership import DEVICE_CHANGES, BlockingCalls, Membership
from pushd.store.postgres.migrations import migrate, newest_version
from pushd.store.postgres.node import Beat, Node
from pushd.store.postgres.notifications import CHANNEL, announce_all
from pushd.store.postgres.queue_index import QueueIndex, read_queues
from pushd.store.postgres.reading import PostgresReader, in_snapshot
from pushd.store.postgres.server_checks import check_server
from pushd.store.postgres.service_clock import ServiceClock
from pushd.store.postgres.session import Connection, Session, SessionOptions, reason
from pushd.store.postgres.startup import begin_use, load_snapshot
from pushd.store.postgres.transaction import run_once
from pushd.store.transaction import Statement
from pushd.store.transactions import queries, retention

T = TypeVar("T")

MAX_SWEPT = 100
"""Commands that a sweep ends at once."""

PURGE_STEP = 200
"""Commands that retention deletes at once: each statement is a round trip, for few commands as for many."""

TAKE_BACK_SECONDS = 0.5
"""Seconds between two attempts to take back what a commit in doubt has claimed."""


@implementer(IStore)
@define(eq=False)
class PostgresStore(Operations):
    """:class:`pushd.store.interface.IStore` in the database of a URL, as libpq takes it.

    With a ``reactor``, one thread writes, and two read: one of them what may take long. Without it, each operation is
    done on the calling thread before its Deferred is returned. ``node`` is the name of this process among those that
    share the database.
    """

    url: str
    reactor: IExecutorReactor | None = None
    node: str = field(factory=gethostname)
    uptime: Callable[[], float] = field(default=uptime, kw_only=True)
    """Tells when the transaction of a claim began, in seconds."""
    machine: Callable[[], float] = field(default=time.time, kw_only=True)
    """Wall seconds of this machine, which count until those of the database are known."""
    clock: ServiceClock = field(kw_only=True)
    now: Callable[[], Now] = field(kw_only=True)
    """The current time; unless it is given, that of the database, by which transactions go, too."""
    _index: QueueIndex = field(factory=QueueIndex, init=False)
    _claimed_in_doubt: list[Dispatched] = field(factory=list, init=False)
    """What commits in doubt have claimed: it was never sent."""
    _is_closing: bool = field(default=False, init=False)
    _membership: Membership = field(init=False)
    _beats: Executor = field(init=False)
    _tail: FeedTail = field(init=False)
    _following: Session = field(init=False)
    """Reads what other nodes commit."""
    _copies: ICopies | None = field(default=None, init=False)
    _unread: list[float] = field(factory=list, init=False)
    """Since when other nodes may have changed what is copied, and is being read again, by the monotonic clock."""
    _listener: Listener[Followed] | None = field(default=None, init=False)
    """Hears what other nodes commit; None without a reactor."""
    _options: SessionOptions = field(init=False)
    _failures: CommitFailures = field(init=False)

    @clock.default
    def _service_clock(self) -> ServiceClock:
        return ServiceClock(self.uptime, self.machine)

    @now.default
    def _time_of_service(self) -> Callable[[], Now]:
        return self.clock.now

    def __attrs_post_init__(self) -> None:
        self._options = SessionOptions(url=self.url, node=self.node, instance=token_hex(4))
        self._tail = FeedTail(self._index, self._ask, self._deliver)
        self._following = Session(evolve(self._options, by_index=True))
        failures = self._failures = CommitFailures()
        node = Node(
            name=self.node,
            instance=uuid4().hex,
            version=__version__,
            schema=newest_version(),
            session=Session(evolve(self._options, is_writer=True, is_starting=True), failures),
            failures=failures,
            uptime=self.uptime,
            clock=self.machine,
        )
        self._membership = Membership(node, self.clock, self._write, self._beat, self._silence)
        self.subscribe(self._membership.on_device_change, *DEVICE_CHANGES)

    def membership(self) -> Membership:
        return self._membership

    def schema_version(self) -> int:
        return newest_version()

    def open(self, options: StartOptions = NO_OPTIONS) -> StartupSnapshot:
        node_session, session = self._membership.node.session, Session(evolve(self._options, by_index=True))
        try:
            if migrate(node_session.get(), is_expected=options.is_expected):
                self._log.info("The database was empty; its tables were made")
            run_once(node_session, self.now, begin_use, options)
            self._membership.join()  # before other sessions are opened: it ends those of an earlier process
            check_server(session.get(), node_session.get())
            opened = evolve(self.clock.now(), steady=milliseconds(self._seconds()))
            snapshot = run_once(session, self.now, load_snapshot, options)
            feed = run_once(session, self.now, history.read)
            self._membership.node.seen.begin(feed.history, feed.last)
            self._index.load(*run_once(session, self.now, read_queues, None))
            self._membership.begin(
                run_once(session, self.now, sightings.served_by, self.node),
                run_once(session, self.now, sightings.served_for, self.node),
            )
            run_once(session, self.now, ownership.give_up_all, self.node)  # what an earlier process owned
        except (psycopg.Error, Unavailable, StoreRefused) as error:
            session.close()
            node_session.close()
            raise StoreRefused(f"The database cannot be opened: {reason(error)}") from error
        given = None if self.now == self.clock.now else self.now
        self._start_writer(Groups(self._writing_connection(given)))
        snapshot_of = in_snapshot(self.now)
        self._reader = self._executor(PostgresReader(session, snapshot_of), "store-reader")
        self._scanner = self._executor(PostgresReader(Session(self._options), snapshot_of), "store-scanner")
        self._beats = self._executor(BlockingCalls(), "store-beats")
        self._tail.begin(snapshot.last_event)
        self._listen()
        # by the clock of the process, on which steady time begins now
        return snapshot if given else evolve(snapshot, now=opened)

    def _writing_connection(self, now: Callable[[], Now] | None) -> PostgresConnection:
        session = Session(evolve(self._options, is_writer=True, by_index=True), self._failures)
        beat = self._membership.node.beat
        seen = self._membership.node.seen
        return PostgresConnection(session, self._failures, now, beat, self.ids, uptime=self.uptime, seen=seen)

    def _listen(self) -> None:
        if self.reactor is not None:
            channels = {
                CHANNEL: lambda _: self._on_missed(),  # of which no event tells
                COPIES: lambda payload: self._read_copies_again(announced(payload, self._options.sender)),
                sightings.MOVES: self._on_move,
            }
            self._listener = Listener(
                self._following,
                channels,
                self._on_missed,
                self._follow,
                self._on_followed,
                self._tail.fail,
                self.reactor,
            )
            self._listener.start()

    def _on_move(self, payload: str) -> None:
        self._membership.note(sightings.Move.of_payload(payload))

    def _on_missed(self, since: float | None = None) -> None:
        """Notifications may have been missed, since this time of the monotonic clock, or now: read all queues, which
        devices poll here, what events there are, and all of which there are copies.
        """
        text = "Could not read what other nodes have changed; that is done when they are heard again: {error}"
        self._read_queues_again(None).addErrback(logs_error(self._log, text))
        before = self._membership.served
        served = self._reader.submit(sightings.served_by, self.node)
        served.addCallback(self._membership.load, before).addErrback(logs_error(self._log, text))
        self._read_copies_again(Copied, since)
        self._ask()

    def keep_copies(self, copies: ICopies) -> None:
        self._copies = copies

    def _read_copies_again(self, stale: Iterable[Copied], since: float | None = None) -> None:
        if self._copies is None or not (kinds := [*stale]):
            return
        began = time.monotonic() if since is None else since
        self._unread.append(began)
        self._copies.read_again(kinds).addCallback(lambda _: self._unread.remove(began))

    def _ask(self) -> None:
        """Have what other nodes have committed read."""
        if self._listener is not None:
            self._listener.ask()
            return
        try:
            followed = self._follow(self._following.get())
        except (psycopg.Error, Unavailable) as error:
            self._tail.fail(reason(error))
        else:
            self._on_followed(followed)

    def _follow(self, connection: Connection) -> Followed:
        return read_tail(connection, in_snapshot(self.now), self._tail.known)

    def _on_followed(self, followed: Followed) -> None:
        """What has changed of devices is known before listeners get the events.

        What was read of those whose events are known meanwhile is left out: this process may have changed them since.
        """
        tail, devices = followed
        new = {event.device for event in tail[0] if event.seq > self._tail.known}
        self._membership.node.seen.note(max((event.seq for event in tail[0]), default=0))
        if self._copies is not None:
            self._copies.change_devices({device: stored for device, stored in devices.items() if device in new})
        self._tail.take(tail)

    def _start_writer(self, groups: Groups) -> None:
        if self.reactor is None:
            self._writer = InlineWriter(groups, self._finish)
            return
        self._writer = writer = ThreadWriter(groups, self._finish, self.reactor, "store-writer", self._commit_took)
        writer.start()

    def _executor(self, runner: IRunner, name: str) -> Executor:
        if self.reactor is None:
            return InlineExecutor(runner, self._deliver)
        executor = ThreadExecutor(runner, self._deliver, self.reactor, name)
        executor.start()
        return executor

    @returns_deferred
    async def close(self) -> None:
        self._is_closing = True
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        self._following.close()
        self._ask()  # operations that wait for it are answered
        with suppress(Unavailable):  # others take it when this node has not renewed it for a while
            await self._writer.submit(ownership.give_up_all, self.node)
        for executor in (self._writer, self._reader, self._scanner):
            await executor.close()
        with suppress(Unavailable):  # others find out when this node has not beaten for a while
            await self._beats.submit(self._membership.node.leave)
        await self._beats.close()

    def _write(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        return self._writer.submit(operation, *args)

    def _silence(self) -> float:
        """Seconds for which other nodes may have changed what this one does not know."""
        heard = 0.0 if self._listener is None else self._listener.silence
        return max(heard, time.monotonic() - min(self._unread)) if self._unread else heard

    def _beat(self, beat: Callable[[], Beat]) -> Deferred[Beat]:
        return self._beats.submit(beat)

    def _finish(self, outcome: GroupOutcome) -> None:
        """Take over into memory what a group has committed, before its callers and listeners know of it."""
        for committed in outcome.committed:
            self._index.update(committed.queues, committed.as_of)
        if outcome.in_doubt is not None:
            self._claimed_in_doubt += outcome.claimed
            self._on_missed()
        if outcome.in_doubt is not None or outcome.committed:
            self._take_back()
        self._tail.add(outcome.done)

    def _take_back(self) -> None:
        """Take back what commits in doubt have claimed, by the ids of the claims: at once, or when the database is
        back. While the former session may still commit, it holds the rows of the devices, and this waits for it.
        """
        claimed, self._claimed_in_doubt = self._claimed_in_doubt, []
        if claimed:
            self._writer.submit(decide, Unsend(claimed)).addErrback(self._take_back_later, claimed)

    def _take_back_later(self, _failure: Failure, claimed: Sequence[Dispatched]) -> None:
        self._claimed_in_doubt += claimed
        if self.reactor is not None and not self._is_closing:
            self.reactor.callLater(TAKE_BACK_SECONDS, self._take_back)

    def _read_queues_again(self, devices: Sequence[str] | None) -> Deferred[None]:
        """Read what is queued for devices, or for all of them: another node has changed it, or it is in doubt."""
        update = self._index.load if devices is None else self._index.update
        return self._reader.submit(read_queues, devices).addCallback(lambda found: update(*found))

    @returns_deferred
    async def claim(
        self,
        device: str,
        uuid: str | None,
        one_at_a_time: bool,
        limit: int,
        batchable: Batchable = never,
        revision: int | None = None,
    ) -> Claim:
        rule = ClaimNext(device, uuid, one_at_a_time, limit, batchable, revision)
        claim: Claim = await self._writer.submit(decide, rule)
        if not claim.is_served:
            self._membership.lose(device)
        return claim

    @returns_deferred
    async def set_presence(self, device: str, presence: PresenceState) -> PresenceState:
        stored: PresenceState
        stored, is_saved = await self._writer.submit(sightings.set_presence, device, presence, self.node)
        if not is_saved:
            self._membership.lose(device)
        return stored

    def mark_offline(self, devices: Mapping[str, str | None], rules: AlertRules) -> Deferred[Mapping[str, float]]:
        return self._writer.submit(sightings.mark_offline, devices, self.node, rules)

    def raise_alerts(self, rules: AlertRules, limit: int) -> Deferred[int]:
        return self._writer.submit_long(sightings.raise_alerts, rules, limit)

    def purge(self, before: int, limit: int) -> Deferred[int]:
        return self._writer.submit_long(retention.purge, before, limit, self._seconds, PURGE_STEP)

    def save_rejections(self, newest: Sequence[Rejection]) -> Deferred[None]:
        return self._writer.submit(rejections.save_rejections, self.node, newest)

    def rejections_elsewhere(self) -> Deferred[Mapping[str, Sequence[Rejection]]]:
        return self._reader.submit(rejections.rejections_elsewhere, self.node)

    def own_webhooks(self, held: Mapping[str, int]) -> Deferred[OwnedWebhooks]:
        return self._writer.submit(ownership.own_webhooks, self._owner, held)

    def give_up_webhooks(self, webhooks: Collection[str]) -> Deferred[None]:
        return self._writer.submit(ownership.give_up_webhooks, self._owner, webhooks)

    def own_mails(self) -> Deferred[bool]:
        return self._writer.submit(ownership.own_mails, self._owner)

    def _as_mail_owner(self, operation: Operation[None], *args: Any) -> Deferred[bool]:
        return self._writer.submit(ownership.as_mail_owner, self._owner, operation, *args)

    def unowned(self, seconds: float) -> Deferred[Sequence[str]]:
        return self._reader.submit(ownership.unowned, seconds)

    @property
    def _owner(self) -> str:
        """The process as an owner; another one with its name is not taken for it."""
        return f"{self.node} {self._membership.node.instance}"

    def save_last_seen(self, updates: Sequence[LastSeen]) -> Deferred[None]:
        return self._writer.submit(sightings.save_last_seen, updates, self.node)

    @returns_deferred
    async def renew(self) -> None:
        """Nothing is to be renewed: if no node served for a while, the clock of all of them has stood still."""

    def _seconds(self) -> float:
        return 0.0 if self.reactor is None else self.reactor.seconds()

    def has_queued(self, device: str) -> bool:
        return self._index.count_queued(device) > 0

    def next_due(self, device: str) -> int | None:
        return self._index.next_due(device, self.now())

    def devices_with_queue(self) -> list[str]:
        return self._index.devices_with_queue()

    def queue_depth(self, device: str) -> QueueDepth:
        return self._index.depth(device)

    @returns_deferred
    async def command_context(self, command: str) -> CommandContext:
        found, signed_off_at = await self._reader.submit(queries.command_with_sign_off, command)
        place = await self._reader.submit(sweeps.place_of, command)
        return CommandContext(
            command=found,
            ahead=place.ahead,
            in_flight=place.in_flight,
            lease_left=place.lease_left,
            signed_off_at=signed_off_at,
        )

    @returns_deferred
    async def expire(self, limit: int) -> int:
        elapsed = self.now().elapsed
        return await self._sweep(self._index.expired(elapsed, MAX_SWEPT), sweeps.EXPIRED, elapsed, limit, Expire)

    @returns_deferred
    async def lapse(self, limit: int) -> int:
        steady = self.now().steady
        return await self._sweep(self._index.lapsed(steady, MAX_SWEPT), sweeps.LAPSED, steady, limit, Lapse)

    async def _sweep(
        self, devices: Sequence[str], find: Statement, moment: int, limit: int, rule: Callable[[str], Rule[None]]
    ) -> int:
        """Decide on those commands of devices that a statement finds, each by itself; how many they are."""
        if not devices or self._membership.lacks_events():
            return 0
        found = await self._reader.submit(sweeps.find, find, devices, moment, min(limit, MAX_SWEPT))
        await self._decide_on_each([command for command, _ in found], rule)
        postponed = set(devices) - {device for _, device in found}
        if postponed:  # what memory knows of them is older than what other nodes, or acknowledgements, have changed
            await self._read_queues_again(list(postponed))
        return len(found)

    async def _decide_on_all(self, rule: Callable[[str], Rule[None]]) -> None:
        commands = await self._scanner.submit(sweeps.open_commands)
        for start in range(0, len(commands), SLICE_SIZE):
            await self._decide_on_each(commands[start : start + SLICE_SIZE], rule)
        await self._writer.submit(announce_all, self._options.sender)  # no event tells other nodes
        await self._read_queues_again(None)

    async def _decide_on_each(self, commands: Sequence[str], rule: Callable[[str], Rule[None]]) -> None:
        """Submit a rule for each command; other nodes may hold the devices of some of them."""
        submitted = [self._writer.submit(decide, rule(command)) for command in commands]
        try:
            await gatherResults(submitted, consumeErrors=True)
        except FirstError as first:
            first.subFailure.raiseException()
