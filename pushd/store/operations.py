"""The operations of the store: which run on the connection that writes, and which on those that read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.lib.background import returns_deferred
from pushd.model.alert import Alert, AlertRules
from pushd.model.command import Command, Dispatched, Draft
from pushd.model.device import Device, LastSeen, Orphan, PresenceState, Proof, ProofKind, QueueDepth
from pushd.model.dialect import Batchable, never
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import ENDED, Move
from pushd.model.result import DeviceResult
from pushd.model.timestamps import Now
from pushd.model.token import Token
from pushd.model.webhook import Attempt, LoggedAttempt, Progress, Subscription, Webhook
from pushd.rules.operator_actions import Cancel, Resend, Resolve
from pushd.rules.outcomes import Claim, Settlement
from pushd.rules.queueing import ClaimNext, Enqueue, Unsend
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.time_limits import Expire, Lapse, Renew, StepClock
from pushd.rules.view import Rule
from pushd.store.filters import (
    CommandContext,
    CommandFilter,
    DeviceFilter,
    EventFilter,
    EventPage,
    Slice,
    Violation,
)
from pushd.store.group_commit import Executor, Operation, PendingTransaction
from pushd.store.interface import Listener
from pushd.store.open_commands import OpenCommands
from pushd.store.overlay import decide, decide_all
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import (
    alerts,
    clock,
    consistency,
    device_events,
    devices,
    offline,
    queries,
    retention,
    webhooks,
)

T = TypeVar("T")

SLICE_SIZE = 200
"""Open commands on which one transaction decides: for some milliseconds."""

_TOUCH = Statement("write to the database", "UPDATE schema_version SET checked = checked + 1")


def _touch(tx: ITransaction) -> None:
    """Change something: a transaction without a change would be committed even on a full disk."""
    tx.run(_TOUCH)


@define(eq=False)
class Operations:
    """The operations of :class:`pushd.store.interface.IStore`; a subclass opens the database and sets the executors.

    After the commit of an operation, its events go to the listeners, and then its Deferred fires.
    """

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
    _log = Logger()

    def subscribe(self, listener: Listener, *types: EventType) -> None:
        for kind in types or EventType:
            self._listeners[kind].append(listener)

    def _deliver(self, group: Sequence[PendingTransaction]) -> None:
        for pending in group:
            for event in pending.events:
                self._notify(event)
            if isinstance(pending.outcome, Failure):
                pending.done.errback(pending.outcome)
            else:
                pending.done.callback(pending.outcome)

    def _notify(self, event: Event) -> None:
        for listener in self._listeners[event.type]:
            try:
                listener(event)
            except Exception:
                self._log.failure(
                    "A store listener failed on {event.type}; other listeners are still called", event=event
                )

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

    def check(self) -> Deferred[None]:
        return self._writer.submit(_touch)

    def put(self, draft: Draft, queue_signed_off: bool, max_queued: int, now: Now) -> Deferred[tuple[Command, bool]]:
        return self._writer.submit(decide, Enqueue(draft, queue_signed_off, max_queued, now))

    def claim(
        self, device: str, uuid: str | None, one_at_a_time: bool, limit: int, now: Now, batchable: Batchable = never
    ) -> Deferred[Claim]:
        return self._writer.submit(decide, ClaimNext(device, uuid, one_at_a_time, limit, now, batchable))

    def unsend(self, dispatched: Sequence[Dispatched], now: Now) -> Deferred[None]:
        return self._writer.submit(decide, Unsend(dispatched, now))

    def acknowledge(self, device: str, command: str, now: Now) -> Deferred[None]:
        return self._writer.submit(decide, Acknowledge(device, command, now))

    def settle(self, device: str, report: DeviceResult, now: Now) -> Deferred[Settlement]:
        return self._writer.submit(decide, Settle(device, report, now))

    def cancel(self, command: str, now: Now) -> Deferred[Command]:
        return self._writer.submit(decide, Cancel(command, now))

    def resolve(self, command: str, move: Move, note: str | None, by: str, now: Now) -> Deferred[Command]:
        return self._writer.submit(decide, Resolve(command, move, note, by, now))

    def resend(
        self, draft: Draft, queue_signed_off: bool, max_queued: int, now: Now
    ) -> Deferred[tuple[Command, bool]]:
        return self._writer.submit(decide, Resend(draft, queue_signed_off, max_queued, now))

    def purge(self, before: int, limit: int, now: Now) -> Deferred[int]:
        return self._writer.submit_long(retention.purge, before, limit, now, self._seconds)

    def save_clocks(self, retention_from: int, now: Now) -> Deferred[None]:
        return self._writer.submit(clock.save, retention_from, now)

    @returns_deferred
    async def save_step(self, retention_from: int, step: int, now: Now) -> None:
        latest = max(now.wall, now.wall - step)
        await self._decide_on_all(lambda command: StepClock(command, latest, now))
        await self._writer.submit(clock.save_step, retention_from, step, now)

    @returns_deferred
    async def command_context(self, command: str, now: Now) -> CommandContext:
        found, signed_off_at = await self._reader.submit(queries.command_with_sign_off, command)
        stored = self._open_commands.commands.get(command)
        lease_until = None if stored is None else stored.lease_until
        return CommandContext(
            command=found,
            ahead=self._open_commands.count_ahead(command, now),
            in_flight=self._open_commands.depth(found.device).in_flight,
            lease_left=None if lease_until is None else max(lease_until - now.steady, 0),
            signed_off_at=signed_off_at,
        )

    def fsck(self, now: Now) -> Deferred[list[Violation]]:
        return self._in_slices(consistency.check_slice, now, start=consistency.START)

    def expire(self, limit: int, now: Now) -> Deferred[int]:
        return self._end_each(Expire, self._open_commands.expired(now.elapsed, limit), now)

    def lapse(self, limit: int, now: Now) -> Deferred[int]:
        return self._end_each(Lapse, self._open_commands.lapsed(now.steady, limit), now)

    @returns_deferred
    async def _end_each(self, rule: Callable[[str, Now], Rule[None]], commands: Sequence[str], now: Now) -> int:
        """Decide on each of these commands in one transaction; how many they are."""
        if commands:
            await self._writer.submit(decide_all, [rule(command, now) for command in commands])
        return len(commands)

    def report_suppressed(self, now: Now) -> Deferred[None]:
        return self._writer.submit(device_events.report_suppressed, now)

    @returns_deferred
    async def renew(self, now: Now) -> None:
        await self._writer.submit(offline.restart_all, now)
        await self._decide_on_all(lambda command: Renew(command, now))

    async def _decide_on_all(self, rule: Callable[[str], Rule[None]]) -> None:
        """Decide on each open command: they may be a million, so in many transactions."""
        commands = list(self._open_commands.commands)
        for start in range(0, len(commands), SLICE_SIZE):
            part = commands[start : start + SLICE_SIZE]
            await self._writer.submit(decide_all, [rule(command) for command in part])

    def command(self, command: str) -> Deferred[Command]:
        return self._reader.submit(queries.get_command, command)

    def commands(self, which: CommandFilter, before: str | None, limit: int) -> Deferred[list[Command]]:
        if which.state is None or which.state in ENDED:
            return self._in_slices(queries.list_commands, which, start=(before, limit), limit=limit)
        return self._in_slices(queries.list_open_commands, which, start=before or queries.BEHIND_ALL, limit=limit)

    def add_device(self, device: Device, introduced: bool, now: Now) -> Deferred[Device]:
        return self._writer.submit(devices.add_device, device, introduced, now)

    def change_device(self, device: str, changes: Mapping[str, Any], now: Now) -> Deferred[Device]:
        return self._writer.submit(devices.change_device, device, changes, now)

    def forget_device(self, device: str, now: Now) -> Deferred[None]:
        return self._writer.submit_long(devices.forget_device, device, now)

    def set_presence(self, device: str, presence: PresenceState, now: Now) -> Deferred[None]:
        return self._writer.submit(devices.set_presence, device, presence, now)

    def save_last_seen(self, updates: Sequence[LastSeen]) -> Deferred[None]:
        return self._writer.submit(devices.save_last_seen, updates)

    def save_conflict(self, device: str, data: Mapping[str, Any], now: Now) -> Deferred[None]:
        return self._writer.submit(devices.save_conflict, device, data, now)

    @returns_deferred
    async def devices(self, which: DeviceFilter, after: str | None, limit: int) -> list[tuple[Device, QueueDepth]]:
        found = await self._in_slices(devices.list_devices, which, limit, start=after or "", limit=limit)
        return [(device, self._open_commands.depth(device.id)) for device in found]

    def has_queued(self, device: str) -> bool:
        return self._open_commands.count_queued(device) > 0

    def next_due(self, device: str, now: Now) -> int | None:
        return self._open_commands.next_due(device, now)

    def devices_with_queue(self) -> list[str]:
        return self._open_commands.devices_with_queue()

    def queue_depth(self, device: str) -> QueueDepth:
        return self._open_commands.depth(device)

    def orphans(self, device: str, before: int | None, limit: int) -> Deferred[list[Orphan]]:
        return self._reader.submit(queries.list_orphans, device, before, limit)

    def add_proof(
        self, device: str, kind: ProofKind, digest: bytes, overlap: float, now: Now
    ) -> Deferred[list[Proof]]:
        return self._writer.submit(devices.add_proof, device, kind, digest, overlap, now)

    def set_token(self, token: Token, now: Now) -> Deferred[None]:
        return self._writer.submit(devices.set_token, token, now)

    @returns_deferred
    async def events(self, which: EventFilter, after: int, limit: int) -> EventPage:
        part = await self._reader.submit(queries.list_events, which, after, limit)
        items = part.items
        while not part.complete:  # the types are rare
            part = await self._scanner.submit(queries.list_events, which, after, limit - len(items), part.next)
            items += part.items
        return EventPage(items=items, next=part.next)

    def last_event(self) -> Deferred[int]:
        return self._reader.submit(queries.last_event)

    # Offline devices and alerts

    def mark_offline(self, devices: Mapping[str, str | None], rules: AlertRules, now: Now) -> Deferred[None]:
        return self._writer.submit(offline.mark_offline, devices, rules, now)

    def raise_alerts(self, rules: AlertRules, limit: int, now: Now) -> Deferred[int]:
        return self._writer.submit_long(offline.raise_alerts, rules, limit, now)

    def acknowledge_alert(self, alert: int, by: str, now: Now) -> Deferred[Alert]:
        return self._writer.submit(alerts.acknowledge, alert, by, now)

    def alerts(self, is_open: bool | None, before: int | None, limit: int) -> Deferred[list[Alert]]:
        return self._reader.submit(alerts.list_alerts, is_open, before, limit)

    def due_mails(self, limit: int, now: Now) -> Deferred[list[Alert]]:
        return self._reader.submit(alerts.due_mails, limit, now)

    def save_mailed(self, alert: int, error: str | None, rules: AlertRules, now: Now) -> Deferred[None]:
        return self._writer.submit(alerts.save_mailed, alert, error, rules, now)

    def save_mail_error(self, alert: int, error: str) -> Deferred[None]:
        return self._writer.submit(alerts.save_mail_error, alert, error)

    # Webhooks

    def add_webhook(self, webhook: Webhook, secret: str) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.add_webhook, webhook, secret)

    def change_webhook(self, webhook: str, changes: Mapping[str, Any]) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.change_webhook, webhook, changes)

    def delete_webhook(self, webhook: str, now: Now) -> Deferred[None]:
        return self._writer.submit(webhooks.delete_webhook, webhook, now)

    def rotate_secret(self, webhook: str, secret: str, overlap: float, now: Now) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.rotate_secret, webhook, secret, overlap, now)

    def redeliver(self, webhook: str, after: int | None, now: Now) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.redeliver, webhook, after, now)

    def save_progress(self, progress: Progress, attempt: Attempt | None) -> Deferred[bool]:
        return self._writer.submit(webhooks.save_progress, progress, attempt)

    def disable_webhook(
        self, progress: Progress, attempt: Attempt, reason: str, rules: AlertRules, now: Now
    ) -> Deferred[bool]:
        return self._writer.submit(webhooks.disable_webhook, progress, attempt, reason, rules, now)

    def webhook(self, webhook: str) -> Deferred[Webhook]:
        return self._reader.submit(webhooks.get_webhook, webhook)

    def webhooks(self, after: str | None, limit: int) -> Deferred[list[Webhook]]:
        return self._reader.submit(webhooks.list_webhooks, after, limit)

    def subscriptions(self) -> Deferred[list[Subscription]]:
        return self._reader.submit(webhooks.list_subscriptions)

    def deliveries(self, webhook: str, before: int | None, limit: int) -> Deferred[list[LoggedAttempt]]:
        return self._reader.submit(webhooks.list_deliveries, webhook, before, limit)
