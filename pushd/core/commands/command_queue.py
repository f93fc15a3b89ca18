"""The command queue: from enqueueing a command to its final result."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.clocks import Clocks
from pushd.core.devices.presence import Presence
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll import Answer, Poll, PollEnd
from pushd.core.polling.poll_registry import CONFLICT_TAKEOVERS, PollRegistry
from pushd.core.polling.result_index import ResultIndex
from pushd.core.timers import CoarseTimers
from pushd.core.waiters import Waiters, Waits
from pushd.lib.background import logs_error
from pushd.model.actor import Actor
from pushd.model.command import Command, Draft
from pushd.model.device import ProofKind, dialect_of
from pushd.model.dialect import Dialect
from pushd.model.errors import AdmissionChanged, IllegalMove, OutcomeInDoubt, Unavailable, is_logged
from pushd.model.event import STATE_EVENTS, Event, EventType
from pushd.model.lifecycle import ENDED, State
from pushd.model.result import DeviceResult
from pushd.rules.outcomes import Claim, Settlement
from pushd.store.interface import IStore
from pushd.store.membership import IMembership, OnlyProcess

MAX_QUEUED = 1000
"""Commands queued for one device; beyond, further ones are refused."""

PURGE_LIMIT = 5000
"""Commands that one transaction purges at most; its time ends it earlier."""

PURGE_PAUSE = 0.02
"""Seconds between two transactions that purge."""

PURGE_IN_TIME = 20.0
"""Seconds after which a purge goes on without pauses: otherwise it might be slower than the load, for ever."""

LATE_PAUSE = 1.0
"""Seconds after which a poll claims again of which two claims came too late to be sent: what made them late may last.
"""

SWEEP_LIMIT = 100
"""Commands that one transaction of a sweep ends, so that other transactions need not wait for long."""


@define(eq=False, kw_only=True)
class CommandQueue:
    """Put, take, acknowledge, settle, cancel, sweep."""

    store: IStore
    clocks: Clocks
    dialects: Mapping[str, Dialect]
    presence: Presence
    hold_times: HoldTimes
    poll_registry: PollRegistry
    membership: IMembership = field(factory=OnlyProcess)
    result_index: ResultIndex = field(factory=ResultIndex)
    _ended: Waiters[str] = field(init=False)
    """Requests that wait for the end of a command, by its id."""
    timers: CoarseTimers = field(init=False)
    judge: Callable[[Poll], Coroutine[Any, Any, None]] = field(init=False)
    """Judges the client of a held poll anew, and ends the poll if it is not admitted any more."""
    _put_early: set[str] = field(factory=set, init=False)
    """Devices for which a command is being put, so that a held poll may claim it right behind."""
    draining: bool = field(default=False, init=False)
    """The server is about to stop: no poll is held any more."""
    _outage: bool = field(default=False, init=False)
    """Whether the store was unavailable, and devices' acknowledgements and results may have been lost."""
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._ended = Waiters(self.clocks.clock)
        self.timers = CoarseTimers(self.clocks.clock)
        self.result_index.subscribe(self.store)
        self.store.subscribe(self._on_command_end, *_FINAL)
        self.store.subscribe(self._on_claimable, *_CLAIMABLE)
        self.store.subscribe(self._on_access_change, *_ACCESS_CHANGES)
        self.store.subscribe(self._on_registered, EventType.DEVICE_REGISTERED)
        self.membership.subscribe(self._on_move)

    def put(
        self, draft: Draft, *, queue_signed_off: bool = False, by: Actor | None = None
    ) -> Deferred[tuple[Command, bool]]:
        """Enqueue a command; False if it is the earlier one with the same idempotency key. See :meth:`IStore.put`.

        ``by``: for whom, if it is in the audit log.
        """
        store = self.store if by is None else self.store.by(by)
        done = store.put(draft, queue_signed_off, MAX_QUEUED)
        if self.poll_registry.is_polling(draft.device):  # let it claim right behind, so that one commit does both
            self._put_early.add(draft.device)
            self.poll_registry.notify(draft.device)
        return done

    def take(self, poll: Poll) -> None:
        """Hold a poll until there are commands for it, or its hold is over."""
        if self.draining:
            poll.hold_until = poll.started_at
        takeovers = self.poll_registry.add(poll)
        if takeovers == CONFLICT_TAKEOVERS and poll.may_receive:  # an unknown device writes nothing
            self._save_conflict(poll.device)

    def _on_move(self, device: str, is_here: bool) -> None:
        """If another process serves a device, it polls there: end its poll here."""
        if not is_here and self.poll_registry.hand_over(device) == CONFLICT_TAKEOVERS:
            self._save_conflict(device)

    def claim(self, poll: Poll) -> Deferred[Claim] | float | None:
        """Claim commands for a poll; if memory knows that there are none now, the seconds until one becomes due, or
        None.
        """
        device, is_early = poll.device, poll.device in self._put_early
        if poll.may_receive and not self.membership.serves(device):
            return self._serve(poll)
        if not poll.may_receive or not (is_early or self.store.has_queued(device)):
            return None
        if poll.claims_from and (pause := poll.claims_from - self.clocks.clock.seconds()) > 0:
            return pause
        self._put_early.discard(device)
        if not is_early and (due_in := self.seconds_until(self.store.next_due(device))) != 0:
            return due_in
        dialect = self.dialects[dialect_of(device)]
        claiming = self.store.claim(
            device,
            poll.uuid,
            one_at_a_time=dialect.one_at_a_time,
            limit=poll.batch,
            batchable=dialect.batchable,
            revision=poll.revision,
        )
        claiming.addErrback(self._on_admission_changed, poll)
        return claiming.addCallbacks(self._on_claim, self._on_claim_failed, callbackArgs=(poll,))

    def _serve(self, poll: Poll) -> Deferred[Claim]:
        """Have this process serve the device of a poll before the poll claims anything."""
        serving = self.membership.serve(poll.device).addCallback(lambda _: self._claim_again(poll))
        return serving.addErrback(self._on_claim_failed)

    def _on_admission_changed(self, failure: Failure, poll: Poll) -> Deferred[Claim]:
        """Another process has changed what a poll was admitted by: judge it anew, and claim again unless it ends."""
        failure.trap(AdmissionChanged)
        return Deferred.fromCoroutine(self.judge(poll)).addCallback(lambda _: self._claim_again(poll))

    def _claim_again(self, poll: Poll) -> Claim:
        poll.notify()
        return Claim()

    def _on_claim(self, claim: Claim, poll: Poll) -> Claim:
        if claim.dispatched and self._is_late(claim):
            pause = LATE_PAUSE if poll.claims_from else 0.0
            poll.claims_from = self.clocks.clock.seconds() + pause  # before it is notified of what is taken back
            self.take_back(claim.dispatched)
            return Claim()
        return claim

    def _is_late(self, claim: Claim) -> bool:
        """Whether what was claimed may not be sent any more: it expired, or its lease may have been ended, while the
        store was busy, or the process or the machine was suspended.
        """
        return (
            claim.expires_at <= self.clocks.wall_now()
            or claim.expires_elapsed <= self.clocks.elapsed_now()
            or self.clocks.uptime() - claim.began > claim.write_within
        )

    def _on_claim_failed(self, failure: Failure) -> Failure:
        if not is_logged(failure.value):
            self._log.error("Could not claim commands, the poll is held: {error}", error=failure.getErrorMessage())
        return failure

    def seconds_until(self, due: int | None) -> float | None:
        """Seconds until a moment in wall milliseconds, 0 if it has passed."""
        return None if due is None else max(due - self.clocks.wall_now(), 0) / 1000

    def take_back(self, handed: Answer) -> None:
        """Return commands to the queue that were claimed for a poll that ended before a byte was written."""
        text = "Could not return {command_id} to the queue, its lease will end it: {error}"
        command_id = ", ".join(command.command for command in handed)
        self.store.unsend(handed).addErrback(logs_error(self._log, text, command_id=command_id))

    def on_poll_end(self, poll: Poll, end: PollEnd) -> None:
        """A poll has ended; it is answered after this."""
        self.poll_registry.remove(poll)
        self.hold_times.on_poll_end(poll, end)
        if poll.presence is not None:
            self.presence.end_poll(poll.presence, is_idle=end is PollEnd.IDLE)

    def acknowledge(self, device: str, command: str, revision: int | None = None) -> Deferred[None]:
        """The device has received the command. See :meth:`IStore.acknowledge`."""
        return self.store.acknowledge(device, command, revision).addErrback(self._on_outage)

    def settle(self, device: str, result: DeviceResult, revision: int | None = None) -> Deferred[Settlement]:
        """The device reports the result of a command. See :meth:`IStore.settle`."""
        return self.store.settle(device, result, revision).addErrback(self._on_outage)

    async def cancel(self, command: str, by: Actor | None = None) -> Command:
        """Cancel a command, or its further attempts. See :meth:`IStore.cancel`."""
        return await self.store.by(by).cancel(command)

    async def purge(self, before: int) -> None:
        """Delete what ended before ``before``, in wall milliseconds; in small transactions, with pauses for others."""
        clock = self.clocks.clock
        late_at = clock.seconds() + PURGE_IN_TIME
        while await self.store.purge(before, PURGE_LIMIT) > 0:
            await deferLater(clock, PURGE_PAUSE if clock.seconds() < late_at else 0)

    async def wait(self, command: str, seconds: float, among: Waits | None = None) -> Command:
        """A command once it has ended, or its state after ``seconds``; ``among``: see :meth:`Waiters.wait`.

        :raises UnknownCommand: if there is none.
        """
        ended = self._ended.wait(command, seconds, among)
        try:
            found = await self.store.command(command)
            if found.state not in ENDED:
                del found  # it may be large
                await ended
                found = await self.store.command(command)  # its state may have changed without being final
        finally:
            ended.cancel()
        return found

    async def wait_or_cancel(
        self, command: str, seconds: float, by: Actor | None, among: Waits | None = None
    ) -> Command:
        """A command once it has ended; after ``seconds``, or if the client has disconnected, it is cancelled.

        One that may have run stays as it is; if it could be sent again, there is no further attempt. ``among``: see
        :meth:`Waiters.wait`.

        :raises UnknownCommand: if there is none.
        """
        found = await self.wait(command, seconds, among)
        if found.state in ENDED:
            return found
        while True:
            try:
                return await self.cancel(command, by)
            except IllegalMove:
                found = await self.store.command(command)
            if found.state is not State.QUEUED:  # else what was claimed has been taken back meanwhile
                return found

    async def sweep(self) -> None:
        """Apply the transitions that time causes: leases that ran out, commands that expired.

        After an outage of the store, in which results may have been lost, all leases are renewed first.
        """
        self.poll_registry.forget_takeovers()
        if self._outage:
            self._outage = False  # before the call, which may notice the next outage
            await self.store.renew().addErrback(self._on_outage)
        for transition in (self.store.lapse, self.store.expire):
            while await transition(SWEEP_LIMIT).addErrback(self._on_outage) == SWEEP_LIMIT:
                pass

    def _on_outage(self, failure: Failure) -> Failure:
        if failure.check(Unavailable) and not failure.check(AdmissionChanged):
            self._outage = True
        return failure

    def claim_again(self) -> None:
        """Let held polls claim that wait until a command is due: the wall clock was set."""
        for device in self.store.devices_with_queue():
            self.poll_registry.notify(device)

    def drain(self) -> None:
        """Answer every poll and every wait, and hold none from now on."""
        self.draining = True
        self.poll_registry.end_all()
        self._ended.close()

    def _on_command_end(self, event: Event) -> None:
        if event.command is not None and self._ended.waiting:
            self._ended.notify(event.command)

    def _on_claimable(self, event: Event) -> None:
        if event.device is not None:
            self.poll_registry.notify(event.device)

    def _on_access_change(self, event: Event) -> None:
        if event.device is not None and _may_revoke(event):
            self.poll_registry.revoke(event.device)

    def _on_registered(self, event: Event) -> None:
        if event.device is not None:
            self.poll_registry.revoke_unserved(event.device)

    def _save_conflict(self, device: str) -> None:
        done = self.store.save_conflict(device, {"takeovers": CONFLICT_TAKEOVERS})
        text = "Two devices may use the id {device_id}, the event device.conflict could not be saved: {error}"
        done.addErrback(logs_error(self._log, text, device_id=device))


@contextmanager
def already_stored(command: str) -> Iterator[None]:
    """Wait for a command that was just put: if that fails, the command is stored nevertheless, and the error says so.

    :raises OutcomeInDoubt: if the store is unavailable.
    """
    try:
        yield
    except Unavailable as error:
        why = f"Command {command} is stored, but its outcome could neither be awaited nor prevented: {error}"
        raise OutcomeInDoubt(why, is_logged=error.is_logged) from error


_FINAL = frozenset({EventType.COMMAND_RESOLVED, *map(STATE_EVENTS.__getitem__, ENDED)})

_CLAIMABLE = _FINAL | {EventType.COMMAND_QUEUED, EventType.DEVICE_APPROVED}
"""Events after which a held poll may get commands: a new command, an approval, or the end of the command before."""

_ACCESS_CHANGES = frozenset({EventType.DEVICE_BLOCKED, EventType.DEVICE_DELETED, EventType.DEVICE_CHANGED})
_CREDENTIAL_FIELDS = frozenset({"allow_from", *ProofKind})


def _may_revoke(event: Event) -> bool:
    """Whether a held poll of the device might not be admitted any more."""
    return event.type is not EventType.DEVICE_CHANGED or not _CREDENTIAL_FIELDS.isdisjoint(
        event.data.get("fields", ())
    )
