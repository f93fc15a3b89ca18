"""The operations of the store: which run on the connection that writes, and which on those that read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from typing import Any, Self, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.lib.background import returns_deferred
from pushd.lib.strict_json import write_ascii
from pushd.model.actor import Actor
from pushd.model.alert import Alert, AlertRules
from pushd.model.audit import AuditEntry, Fields, to_json
from pushd.model.command import Command, Dispatched, Draft
from pushd.model.device import Device, LastSeen, Orphan, PresenceState, ProofKind, QueueDepth
from pushd.model.dialect import Batchable, never
from pushd.model.event import EventType
from pushd.model.lifecycle import Move
from pushd.model.person import Invitation, Person
from pushd.model.rejection import Rejection
from pushd.model.result import DeviceResult
from pushd.model.session import Session
from pushd.model.timestamps import Now
from pushd.model.token import Token
from pushd.model.uuid7 import IdSource
from pushd.model.webhook import Attempt, LoggedAttempt, Progress, Subscription, Webhook
from pushd.rules.operator_actions import Cancel, Resend, Resolve
from pushd.rules.outcomes import Claim, Settlement
from pushd.rules.queueing import ClaimNext, Enqueue, FindEarlier, Unsend
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.time_limits import Expire, Lapse, Renew, StepClock
from pushd.rules.view import Rule
from pushd.store.copies import ICopies, StoredDevice, StoredToken
from pushd.store.filters import (
    AlertFilter,
    AuditFilter,
    CommandContext,
    CommandFilter,
    Counts,
    DeviceFilter,
    EventFilter,
    EventPage,
    Principals,
    SiteSummary,
    Slice,
    Violation,
    merge_sites,
)
from pushd.store.group_commit import Executor, Operation, PendingTransaction
from pushd.store.interface import Listener
from pushd.store.open_commands import OpenCommands
from pushd.store.overlay import decide, decide_all
from pushd.store.ownership import OwnedWebhooks
from pushd.store.transaction import act, touch
from pushd.store.transactions import (
    alerts,
    audit,
    clock,
    consistency,
    device_events,
    devices,
    offline,
    people,
    queries,
    retention,
    sessions,
    startup,
    tokens,
    webhooks,
)

T = TypeVar("T")

SLICE_SIZE = 200
"""Open commands on which one transaction decides: for some milliseconds."""


_audit_log = Logger(namespace="pushd.audit")
"""One line for each entry of the audit log, after its commit."""


@define(eq=False)
class ActingExecutor:
    """Submits operations that run for an actor."""

    executor: Executor
    actor: Actor

    def submit(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        """Run an operation with the next group."""
        return self.executor.submit(act, self.actor, operation, *args)

    def submit_long(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        """Run an operation that takes milliseconds."""
        return self.executor.submit_long(act, self.actor, operation, *args)

    def close(self) -> Deferred[None]:
        """Close the executor."""
        return self.executor.close()


@define(eq=False)
class Operations:
    """The operations of :class:`pushd.store.interface.IStore`; a subclass opens the database and sets the executors.

    After the commit of an operation, its events go to the listeners, and then its Deferred fires.
    """

    now: Callable[[], Now] = field(kw_only=True)
    """The current time: read once for each transaction, when it has begun."""
    ids: IdSource = field(factory=IdSource, kw_only=True)
    """Of new commands."""
    _open_commands: OpenCommands = field(factory=OpenCommands, init=False)
    _listeners: Mapping[EventType, list[Listener]] = field(
        factory=lambda: {kind: [] for kind in EventType}, init=False
    )
    """The listeners of each type of event."""
    _writer: Executor = field(init=False)
    _reader: Executor = field(init=False)
    """For operations that read a few rows."""
    _scanner: Executor = field(init=False)
    """For operations that may read many rows, in slices, so that those of others run in between."""
    _observe_commit: Callable[[float], None] = field(default=lambda _: None, init=False)
    _log = Logger()

    def subscribe(self, listener: Listener, *types: EventType) -> None:
        for kind in types or EventType:
            self._listeners[kind].append(listener)

    def keep_copies(self, copies: ICopies) -> None:
        """There are no other processes."""

    def save_rejections(self, newest: Sequence[Rejection]) -> Deferred[None]:  # noqa: ARG002
        return succeed(None)

    def rejections_elsewhere(self) -> Deferred[Mapping[str, Sequence[Rejection]]]:
        return succeed({})

    def principals(self) -> Deferred[Principals]:
        return self._writer.submit(startup.load_principals)

    def time_commits(self, observe: Callable[[float], None]) -> None:
        self._observe_commit = observe

    def _commit_took(self, seconds: float) -> None:
        self._observe_commit(seconds)

    def _deliver(self, group: Sequence[PendingTransaction]) -> None:
        for pending in group:
            for event in pending.events:
                for listener in self._listeners[event.type]:
                    try:
                        listener(event)
                    except Exception:
                        self._log.failure(
                            "A store listener failed on {event.type}; other listeners are still called", event=event
                        )
            for entry in pending.audited:
                _audit_log.info("{entry}", entry=write_ascii(to_json(entry)), audit=entry)
            if isinstance(pending.outcome, Failure):
                pending.done.errback(pending.outcome)
            else:
                pending.done.callback(pending.outcome)

    def _seconds(self) -> float:
        """A monotonic clock, by which long operations are bounded; it may stand still."""
        raise NotImplementedError

    @returns_deferred
    async def _in_slices(
        self, operation: Operation[Slice[T]], *args: Any, start: Any, limit: int | None = None
    ) -> list[T]:
        """Call ``operation``, each time in a transaction of its own, until it has read all rows or found ``limit``;
        its last argument is ``start``, later where it is to resume.
        """
        found: list[T] = []
        resume = start
        while resume is not None and (limit is None or len(found) < limit):
            part = await self._scanner.submit(operation, *args, resume)
            found += part.items
            resume = part.resume
        return found[:limit]

    def by(self, actor: Actor | None) -> Self:
        if actor is None:
            return self
        acting = copy(self)
        acting._writer = ActingExecutor(self._writer, actor)
        return acting

    def check(self) -> Deferred[None]:
        return self._writer.submit(touch)

    def put(self, draft: Draft, queue_signed_off: bool, max_queued: int) -> Deferred[tuple[Command, bool]]:
        return self._writer.submit(decide, Enqueue(draft, queue_signed_off, max_queued))

    def earlier(self, created_by: str, device: str, key: str, fingerprint: bytes | None) -> Deferred[Command | None]:
        return self._writer.submit(decide, FindEarlier(created_by, device, key, fingerprint))

    def claim(
        self,
        device: str,
        uuid: str | None,
        one_at_a_time: bool,
        limit: int,
        batchable: Batchable = never,
        revision: int | None = None,
    ) -> Deferred[Claim]:
        return self._writer.submit(decide, ClaimNext(device, uuid, one_at_a_time, limit, batchable, revision))

    def unsend(self, dispatched: Sequence[Dispatched]) -> Deferred[None]:
        return self._writer.submit(decide, Unsend(dispatched))

    def acknowledge(self, device: str, command: str, revision: int | None = None) -> Deferred[None]:
        return self._writer.submit(decide, Acknowledge(device, command, revision))

    def settle(self, device: str, report: DeviceResult, revision: int | None = None) -> Deferred[Settlement]:
        return self._writer.submit(decide, Settle(device, report, revision))

    def cancel(self, command: str) -> Deferred[Command]:
        return self._writer.submit(decide, Cancel(command))

    def resolve(self, command: str, move: Move, note: str | None, by: str) -> Deferred[Command]:
        return self._writer.submit(decide, Resolve(command, move, note, by))

    def resend(self, draft: Draft, queue_signed_off: bool, max_queued: int) -> Deferred[tuple[Command, bool]]:
        return self._writer.submit(decide, Resend(draft, queue_signed_off, max_queued))

    def purge(self, before: int, limit: int) -> Deferred[int]:
        return self._writer.submit_long(retention.purge, before, limit, self._seconds)

    def save_clocks(self, retention_from: int) -> Deferred[None]:
        return self._writer.submit(clock.save, retention_from)

    @returns_deferred
    async def save_step(self, retention_from: int, step: int) -> None:
        now = self.now()
        latest = max(now.wall, now.wall - step)
        await self._decide_on_all(lambda command: StepClock(command, latest))
        await self._writer.submit(clock.save_step, retention_from, step)

    @returns_deferred
    async def command_context(self, command: str) -> CommandContext:
        found, signed_off_at = await self._reader.submit(queries.command_with_sign_off, command)
        stored = self._open_commands.commands.get(command)
        lease_until = None if stored is None else stored.lease_until
        now = self.now()
        return CommandContext(
            command=found,
            ahead=self._open_commands.count_ahead(command, now),
            in_flight=self._open_commands.depth(found.device).in_flight,
            lease_left=None if lease_until is None else max(lease_until - now.steady, 0),
            signed_off_at=signed_off_at,
        )

    def fsck(self) -> Deferred[list[Violation]]:
        return self._in_slices(consistency.check_slice, start=consistency.START)

    def expire(self, limit: int) -> Deferred[int]:
        return self._end_each(Expire, self._open_commands.expired(self.now().elapsed, limit))

    def lapse(self, limit: int) -> Deferred[int]:
        return self._end_each(Lapse, self._open_commands.lapsed(self.now().steady, limit))

    @returns_deferred
    async def _end_each(self, rule: Callable[[str], Rule[None]], commands: Sequence[str]) -> int:
        """Decide on each of these commands in one transaction; how many they are."""
        if commands:
            await self._writer.submit(decide_all, [rule(command) for command in commands])
        return len(commands)

    def report_suppressed(self) -> Deferred[None]:
        return self._writer.submit(device_events.report_suppressed)

    @returns_deferred
    async def renew(self) -> None:
        await self._writer.submit(offline.restart_all)
        await self._decide_on_all(Renew)

    async def _decide_on_all(self, rule: Callable[[str], Rule[None]]) -> None:
        """Decide on each open command: they may be a million, so in many transactions."""
        commands = list(self._open_commands.commands)
        for start in range(0, len(commands), SLICE_SIZE):
            part = commands[start : start + SLICE_SIZE]
            await self._writer.submit(decide_all, [rule(command) for command in part])

    def command(self, command: str) -> Deferred[Command]:
        return self._reader.submit(queries.get_command, command)

    def commands(self, which: CommandFilter, before: str | None, limit: int) -> Deferred[list[Command]]:
        if which.is_indexed:
            return self._in_slices(queries.list_commands, which, start=(before, limit), limit=limit)
        return self._in_slices(queries.search_commands, which, start=before or queries.BEHIND_ALL, limit=limit)

    def add_device(self, device: Device, introduced: bool) -> Deferred[Device]:
        return self._writer.submit(devices.add_device, device, introduced)

    def change_device(self, device: str, changes: Mapping[str, Any]) -> Deferred[Device]:
        return self._writer.submit(devices.change_device, device, changes)

    def change_devices(self, names: Sequence[str], changes: Mapping[str, Any]) -> Deferred[list[Device]]:
        return self._writer.submit_long(devices.change_devices, names, changes)

    def forget_device(self, device: str) -> Deferred[None]:
        return self._writer.submit_long(devices.forget_device, device)

    def set_presence(self, device: str, presence: PresenceState) -> Deferred[PresenceState]:
        return self._writer.submit(devices.set_presence, device, presence)

    def save_last_seen(self, updates: Sequence[LastSeen]) -> Deferred[None]:
        return self._writer.submit(devices.save_last_seen, updates)

    def save_conflict(self, device: str, data: Mapping[str, Any]) -> Deferred[None]:
        return self._writer.submit(devices.save_conflict, device, data)

    @returns_deferred
    async def devices(self, which: DeviceFilter, after: str | None, limit: int) -> list[tuple[Device, QueueDepth]]:
        found = await self._in_slices(devices.list_devices, which, limit, start=after or "", limit=limit)
        return [(device, self.queue_depth(device.id)) for device in found]

    @returns_deferred
    async def sites(self, which: DeviceFilter) -> list[SiteSummary]:
        return merge_sites(await self._in_slices(devices.list_sites, which, start=""))

    def has_queued(self, device: str) -> bool:
        return self._open_commands.count_queued(device) > 0

    def next_due(self, device: str) -> int | None:
        return self._open_commands.next_due(device, self.now())

    def devices_with_queue(self) -> list[str]:
        return self._open_commands.devices_with_queue()

    def queue_depth(self, device: str) -> QueueDepth:
        return self._open_commands.depth(device)

    def counts(self, covers: Callable[[str], bool] | None) -> Deferred[Counts]:
        return self._scanner.submit(queries.count_all, covers)

    def orphans(self, device: str, before: int | None, limit: int) -> Deferred[list[Orphan]]:
        return self._reader.submit(queries.list_orphans, device, before, limit)

    def add_proof(self, device: str, kind: ProofKind, digest: bytes, overlap: float) -> Deferred[StoredDevice]:
        return self._writer.submit(devices.add_proof, device, kind, digest, overlap)

    def stored_device(self, device: str) -> Deferred[StoredDevice | None]:
        return self._writer.submit(devices.stored_device, device)  # in the order of changes by this process

    def add_token(self, token: Token, digest: bytes) -> Deferred[Token]:
        return self._writer.submit(tokens.add_token, token, digest)

    def change_token(self, token: str, changes: Mapping[str, Any]) -> Deferred[Token]:
        return self._writer.submit(tokens.change_token, token, changes)

    def rotate_token(self, token: str, digest: bytes, overlap: float) -> Deferred[StoredToken]:
        return self._writer.submit(tokens.rotate_token, token, digest, overlap)

    def stored_token(self, token: str) -> Deferred[StoredToken | None]:
        return self._writer.submit(tokens.stored_token, token)  # in the order of changes by this process

    def delete_token(self, token: str) -> Deferred[None]:
        return self._writer.submit(tokens.delete_token, token)

    def save_token_uses(self, uses: Mapping[str, int]) -> Deferred[None]:
        return self._writer.submit(tokens.save_uses, uses)

    def add_person(self, person: Person) -> Deferred[None]:
        return self._writer.submit(people.add_person, person)

    def change_person(self, name: str, changes: Mapping[str, Any]) -> Deferred[Person]:
        return self._writer.submit(people.change_person, name, changes)

    def delete_person(self, name: str) -> Deferred[None]:
        return self._writer.submit(people.delete_person, name)

    def invite(self, invitation: Invitation, expires_at: int) -> Deferred[None]:
        return self._writer.submit(people.invite, invitation, expires_at)

    def add_session(self, session: Session, invitation: Invitation | None, replaced: Sequence[str]) -> Deferred[None]:
        return self._writer.submit(sessions.add_session, session, invitation, replaced)

    def delete_session(self, session: str) -> Deferred[None]:
        return self._writer.submit(sessions.delete_session, session)

    def save_session_uses(self, uses: Mapping[str, Now]) -> Deferred[Sequence[Session]]:
        return self._writer.submit(sessions.save_uses, uses)

    @returns_deferred
    async def events(self, which: EventFilter, after: int, limit: int) -> EventPage:
        part = await self._reader.submit(queries.list_events, which, after, limit)
        items = part.items
        while not part.complete:  # the types are rare
            part = await self._scanner.submit(queries.list_events, which, after, limit - len(items), part.next)
            items += part.items
        return EventPage(items=items, next=part.next)

    def event_before(self, since: int) -> Deferred[int]:
        return self._reader.submit(queries.seq_before, since)

    def last_event(self) -> Deferred[int]:
        return self._reader.submit(queries.last_event)

    # The audit log

    def audit(self, which: AuditFilter, after: str, limit: int) -> Deferred[list[AuditEntry]]:
        return self._reader.submit(audit.list_audit, which, after, limit)

    def record_audit(self, action: str, what: str, after: Fields | None) -> Deferred[None]:
        return self._writer.submit(audit.record_audit, action, what, None, after)

    def purge_audit(self, before: int, limit: int) -> Deferred[int]:
        return self._writer.submit(audit.purge_audit, before, limit)

    # Offline devices and alerts

    @returns_deferred
    async def mark_offline(self, devices: Mapping[str, str | None], rules: AlertRules) -> Mapping[str, float]:
        await self._writer.submit(offline.mark_offline, devices, rules)
        return {}

    def raise_alerts(self, rules: AlertRules, limit: int) -> Deferred[int]:
        return self._writer.submit_long(offline.raise_alerts, rules, limit)

    def acknowledge_alert(self, alert: int, by: str) -> Deferred[Alert]:
        return self._writer.submit(alerts.acknowledge, alert, by)

    def alert(self, alert: int) -> Deferred[Alert]:
        return self._reader.submit(alerts.get_alert, alert)

    def alerts(
        self, which: AlertFilter, before: int | None, limit: int, covers: Callable[[str], bool] | None = None
    ) -> Deferred[list[Alert]]:
        if covers is None:
            return self._reader.submit(alerts.list_alerts, which, before, limit)
        return self._in_slices(
            alerts.list_alerts_in_scope, which, covers, limit, start=before or alerts.BEHIND_ALL, limit=limit
        )

    def alert_in_scope(self, alert: int, covers: Callable[[str], bool]) -> Deferred[tuple[Alert, bool]]:
        return self._scanner.submit(alerts.get_alert_in_scope, alert, covers)

    def due_mails(self, limit: int) -> Deferred[list[Alert]]:
        return self._reader.submit(alerts.due_mails, limit)

    def own_mails(self) -> Deferred[bool]:
        return succeed(True)

    def save_mailed(self, mailed: Alert, error: str | None, rules: AlertRules) -> Deferred[bool]:
        return self._as_mail_owner(alerts.save_mailed, mailed, error, rules)

    def skip_mail(self, alert: int) -> Deferred[bool]:
        return self._as_mail_owner(alerts.skip_mail, alert)

    def save_mail_error(self, alert: int, error: str) -> Deferred[bool]:
        return self._as_mail_owner(alerts.save_mail_error, alert, error)

    def _as_mail_owner(self, operation: Operation[None], *args: Any) -> Deferred[bool]:
        """Run an operation unless another process owns the mails; whether it was run."""
        return self._writer.submit(operation, *args).addCallback(lambda _: True)

    # Webhooks

    def add_webhook(self, webhook: Webhook, secret: str) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.add_webhook, webhook, secret)

    def change_webhook(self, webhook: str, changes: Mapping[str, Any]) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.change_webhook, webhook, changes)

    def delete_webhook(self, webhook: str) -> Deferred[None]:
        return self._writer.submit(webhooks.delete_webhook, webhook)

    def rotate_secret(self, webhook: str, secret: str, overlap: float) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.rotate_secret, webhook, secret, overlap)

    def redeliver(self, webhook: str, after: int | None) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.redeliver, webhook, after)

    def save_progress(self, progress: Progress, attempt: Attempt | None) -> Deferred[bool]:
        return self._writer.submit(webhooks.save_progress, progress, attempt)

    def disable_webhook(self, progress: Progress, attempt: Attempt, reason: str, rules: AlertRules) -> Deferred[bool]:
        return self._writer.submit(webhooks.disable_webhook, progress, attempt, reason, rules)

    def webhook(self, webhook: str) -> Deferred[Webhook]:
        return self._reader.submit(webhooks.get_webhook, webhook)

    def webhooks(self, after: str | None, limit: int) -> Deferred[list[Webhook]]:
        return self._reader.submit(webhooks.list_webhooks, after, limit)

    def subscription(self, webhook: str) -> Deferred[Subscription]:
        return self._reader.submit(webhooks.get_subscription, webhook)

    def subscriptions(self) -> Deferred[list[Subscription]]:
        return self._reader.submit(webhooks.list_subscriptions)

    def own_webhooks(self, held: Mapping[str, int]) -> Deferred[OwnedWebhooks]:
        # like changes, so that the outcomes of both come in the order of their commits
        return self._writer.submit(webhooks.own_webhooks, held)

    def give_up_webhooks(self, webhooks: Collection[str]) -> Deferred[None]:  # noqa: ARG002 - the only process keeps all
        return succeed(None)

    def unowned(self, seconds: float) -> Deferred[Sequence[str]]:  # noqa: ARG002
        return succeed(())

    def deliveries(self, webhook: str, before: int | None, limit: int) -> Deferred[list[LoggedAttempt]]:
        return self._reader.submit(webhooks.list_deliveries, webhook, before, limit)
