"""The operations of the store: which run on the connection that writes, and which on those that read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, succeed

from pushd.model.command import Command, Dispatched, Draft
from pushd.model.device import Device, LastSeen, Orphan, PresenceState, Proof, ProofKind, QueueDepth
from pushd.model.dialect import Batchable, never
from pushd.model.lifecycle import ENDED, Move
from pushd.model.result import DeviceResult
from pushd.model.timestamps import Now
from pushd.model.token import Token
from pushd.rules.operator_actions import Cancel, Resend, Resolve
from pushd.rules.outcomes import Claim, Settlement
from pushd.rules.queueing import ClaimNext, Enqueue, Unsend
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.time_limits import Expire, Lapse
from pushd.rules.view import Rule
from pushd.store.alert_operations import AlertOperations
from pushd.store.filters import (
    CommandContext,
    CommandFilter,
    DeviceFilter,
    EventFilter,
    EventPage,
    Violation,
)
from pushd.store.open_commands import OpenCommands
from pushd.store.overlay import decide
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import (
    clock,
    consistency,
    devices,
    queries,
    retention,
    startup,
    suppressed_events,
)
from pushd.store.webhook_operations import WebhookOperations

T = TypeVar("T")


_TOUCH = Statement("write to the database", "UPDATE schema_version SET checked = checked + 1")


def _touch(tx: ITransaction) -> None:
    """Change something: a transaction without a change would be committed even on a full disk."""
    tx.run(_TOUCH)


@define(eq=False)
class Operations(AlertOperations, WebhookOperations):
    """The operations of :class:`pushd.store.interface.IStore` over any SQL database."""

    _open_commands: OpenCommands = field(factory=OpenCommands, init=False)

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

    def save_step(self, retention_from: int, step: int, now: Now) -> Deferred[None]:
        return self._writer.submit(clock.save_step, retention_from, step, now)

    def command_context(self, command: str, now: Now) -> Deferred[CommandContext]:
        return self._reader.submit(queries.command_with_sign_off, command).addCallback(self._to_context, now)

    def _to_context(self, found: tuple[Command, int | None], now: Now) -> CommandContext:
        command, signed_off_at = found
        stored = self._open_commands.commands.get(command.id)
        lease_until = None if stored is None else stored.lease_until
        return CommandContext(
            command=command,
            ahead=self._open_commands.count_ahead(command.id, now),
            in_flight=self._open_commands.depth(command.device).in_flight,
            lease_left=None if lease_until is None else max(lease_until - now.steady, 0),
            signed_off_at=signed_off_at,
        )

    def fsck(self, now: Now) -> Deferred[list[Violation]]:
        return self._in_slices(consistency.check_slice, now, start=consistency.START)

    def expire(self, limit: int, now: Now) -> Deferred[int]:
        return Deferred.fromCoroutine(self._end_each(Expire, self._open_commands.expired(now.elapsed, limit), now))

    def lapse(self, limit: int, now: Now) -> Deferred[int]:
        return Deferred.fromCoroutine(self._end_each(Lapse, self._open_commands.lapsed(now.steady, limit), now))

    async def _end_each(self, rule: Callable[[str, Now], Rule[None]], commands: Sequence[str], now: Now) -> int:
        """Decide on each of these commands, all in one transaction if possible; how many they are."""
        outcomes = await DeferredList(
            [self._writer.submit(decide, rule(command, now)) for command in commands], consumeErrors=True
        )
        for succeeded, outcome in outcomes:
            if not succeeded:
                outcome.raiseException()
        return len(commands)

    def report_suppressed(self, now: Now) -> Deferred[None]:
        return self._writer.submit(suppressed_events.report, now)

    def renew(self, now: Now) -> Deferred[None]:
        return self._writer.submit(startup.renew_leases, now)

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

    def devices(self, which: DeviceFilter, after: str | None, limit: int) -> Deferred[list[tuple[Device, QueueDepth]]]:
        found = self._in_slices(devices.list_devices, which, limit, start=after or "", limit=limit)
        return found.addCallback(self._with_depths)

    def _with_depths(self, found: Sequence[Device]) -> list[tuple[Device, QueueDepth]]:
        return [(device, self._open_commands.depth(device.id)) for device in found]

    def has_queued(self, device: str) -> bool:
        return self._open_commands.count_queued(device) > 0

    def next_due(self, device: str, now: Now) -> int | None:
        return self._open_commands.next_due(device, now)

    def devices_with_queue(self) -> list[str]:
        return self._open_commands.devices_with_queue()

    def queue_depth(self, device: str) -> Deferred[QueueDepth]:
        return succeed(self._open_commands.depth(device))

    def orphans(self, device: str, before: int | None, limit: int) -> Deferred[list[Orphan]]:
        return self._reader.submit(queries.list_orphans, device, before, limit)

    def add_proof(
        self, device: str, kind: ProofKind, digest: bytes, overlap: float, now: Now
    ) -> Deferred[list[Proof]]:
        return self._writer.submit(devices.add_proof, device, kind, digest, overlap, now)

    def set_token(self, token: Token, now: Now) -> Deferred[None]:
        return self._writer.submit(devices.set_token, token, now)

    def events(self, which: EventFilter, after: int, limit: int) -> Deferred[EventPage]:
        if not which.types:
            return self._reader.submit(queries.list_events, which, after, limit)
        return Deferred.fromCoroutine(self._events_of_types(which, after, limit))

    async def _events_of_types(self, which: EventFilter, after: int, limit: int) -> EventPage:
        """A page of events whose types may be rare: where the first rows do not fill it, it is read in slices."""
        part = await self._reader.submit(queries.list_events, which, after, limit)
        items = part.items
        while not part.complete:
            part = await self._scanner.submit(queries.list_events, which, after, limit - len(items), part.next)
            items += part.items
        return EventPage(items=items, next=part.next)

    def last_event(self) -> Deferred[int]:
        return self._reader.submit(queries.last_event)
