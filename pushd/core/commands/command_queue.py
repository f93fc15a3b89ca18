"""The outbox: commands on their way to devices, and what becomes of them."""

from collections.abc import Iterable, Mapping

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.clocks import Clocks
from pushd.core.devices.presence import Presence
from pushd.core.polling.command_index import CommandIndex, ResultIndex
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll import Answer, Poll, PollEnd
from pushd.core.polling.poll_registry import STORM_COUNT, PollRegistry
from pushd.core.timers import CoarseTimers
from pushd.core.waiters import Waiters
from pushd.model.command import Command, Draft
from pushd.model.device import ProofKind
from pushd.model.dialect import Dialect
from pushd.model.errors import Unavailable
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import ENDED
from pushd.model.result import DeviceResult
from pushd.store.filters import Claim, Settlement
from pushd.store.interface import IStore

MAX_QUEUED = 1000
"""Commands queued for one device; beyond, a sender is refused."""

PURGE_LIMIT = 100
PURGE_PAUSE = 0.02
"""Seconds between two transactions that forget."""

SWEEP_LIMIT = 100
"""Commands ended by the clock in one transaction, so that others need not wait for long."""


@define(eq=False)
class StoreOutage:
    """Notices, with each block that uses it, whether the store was away."""

    noticed: bool = False

    def __enter__(self) -> None:
        """Nothing is known yet."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Unavailable):
            self.noticed = True


@define(eq=False)
class CommandQueue:
    """Put, take, acknowledge, settle, cancel, sweep."""

    store: IStore
    clocks: Clocks
    dialects: Mapping[str, Dialect]
    presence: Presence
    holds: HoldTimes
    poll_registry: PollRegistry
    command_index: CommandIndex
    result_index: ResultIndex
    _ended_waiters: Waiters[str] = field(init=False)
    _ticks: CoarseTimers = field(init=False)
    draining: bool = field(default=False, init=False)
    """We are about to stop: no poll is held any more."""
    _outage: StoreOutage = field(factory=StoreOutage, init=False)
    """May have kept us from hearing what devices said of their commands."""
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._ended_waiters = Waiters(self.clocks.clock)
        self._ticks = CoarseTimers(self.clocks.clock)
        self.command_index.subscribe(self.store)  # first: who is rung looks there
        self.result_index.subscribe(self.store)
        self.store.subscribe(self._ended, *_ENDING)
        self.store.subscribe(self._wake, *_RINGING)
        self.store.subscribe(self._dismiss, *_BARRING)

    async def put(self, draft: Draft, queue_signed_off: bool = False) -> tuple[Command, bool]:
        """Accept a command; False if it is the earlier one with the same idempotency key. See :meth:`IStore.put`."""
        done = self.store.put(draft, queue_signed_off, MAX_QUEUED, self.clocks.now())
        self._expect(draft.device)
        return await done

    def take(self, device: str, hold: float, uuid: str | None = None, deaf: bool = False, batch: int = 1) -> Poll:
        """Wait up to ``hold`` seconds for something to hand over; cancel it if the device hangs up.

        A ``deaf`` poll is held and handed nothing; others up to ``batch`` commands, where the dialect lets them join.
        """
        now = self.clocks.clock.seconds()
        poll = Poll(self, self._ticks, device, now, now if self.draining else now + hold, uuid, deaf, batch)
        takeovers = self.poll_registry.enter(poll)
        if takeovers == STORM_COUNT and not deaf:  # a stranger is not followed, and writes nothing
            self._tell_conflict(device)
        return poll

    def look(self, poll: Poll) -> Deferred[Claim] | None:
        """Claim what there is for a poll; None if memory knows that there is nothing."""
        due = self.command_index.due(poll.device)
        if poll.deaf or due is None:
            return None
        now = self.clocks.now()
        if due > now.wall:
            return None
        dialect = self.dialects[poll.device.partition(":")[0]]
        looked = self.store.claim(poll.device, poll.uuid, dialect.one_at_a_time, poll.batch, now, dialect.batchable)
        return looked.addCallbacks(self._looked, self._look_failed, callbackArgs=(poll.device,))

    def _looked(self, claim: Claim, device: str) -> Claim:
        self.command_index.update(device, claim)
        if claim.expires_at is not None and claim.expires_at <= self.clocks.wall_now():
            self.take_back(claim.handed)  # the store was busy until it was too late to send them
            return Claim(due=claim.due)
        return claim

    def _look_failed(self, failure: Failure) -> Failure:
        self._log.error("A poll could not be served: {error}", error=failure.getErrorMessage())
        return failure

    def due_in(self, device: str) -> float | None:
        due = self.command_index.due(device)
        return max(due - self.clocks.wall_now(), 0) / 1000 if due else None

    def take_back(self, handed: Answer) -> None:
        """Return to the queue what was claimed for a poll that had gone before a byte was written."""
        done = self.store.unsend(handed, self.clocks.now())
        done.addErrback(self._not_written, "take back what a device did not wait for")

    def ended(self, poll: Poll, end: PollEnd) -> None:
        self.poll_registry.leave(poll)
        self.holds.ended(poll, end)
        if end is PollEnd.IDLE:
            self.presence.begin_gap(poll.device)

    async def acknowledge(self, device: str, command: str) -> None:
        """The device says that it has the command."""
        with self._outage:
            await self.store.acknowledge(device, command, self.clocks.now())

    async def settle(self, device: str, report: DeviceResult) -> Settlement:
        """The device says what became of a command."""
        with self._outage:
            return await self.store.settle(device, report, self.clocks.now())

    async def cancel(self, command: str) -> Command:
        """The operator takes a command back; see :meth:`IStore.cancel`."""
        return await self.store.cancel(command, self.clocks.now())

    async def purge(self, before: int) -> None:
        """Forget what ended before ``before``, in wall milliseconds, a little at a time so that nobody waits for
        it.
        """
        while await self.store.purge(before, PURGE_LIMIT) >= PURGE_LIMIT:
            await deferLater(self.clocks.clock, PURGE_PAUSE)

    async def wait(self, command: str, seconds: float) -> Command:
        """A command once it has ended, or as it stands after ``seconds``.

        :raises UnknownCommand: if there is none.
        """
        ended = self._ended_waiters.wait(command, seconds)
        try:
            found = await self.store.command(command)
            if found.state not in ENDED:
                await ended
                found = await self.store.command(command)  # it may have moved without having ended
        finally:
            ended.cancel()
        return found

    async def sweep(self) -> None:
        """End what the clock ends: leases that ran out, commands that are too old to be sent.

        What devices said while the store was away is lost: before a lease ends for that, it gets its time again.
        """
        self.poll_registry.forget_takeovers()
        with self._outage:
            if self._outage.noticed:
                self._outage.noticed = False  # first, for it may be away again before that is done
                await self.store.renew(self.clocks.now())
            for verb in (self.store.lapse, self.store.expire):
                while await verb(SWEEP_LIMIT, self.clocks.now()) == SWEEP_LIMIT:
                    pass

    def drain(self) -> None:
        """Answer every poll, and whoever waits for a command; hold none from now on."""
        self.draining = True
        self.poll_registry.finish()
        self._ended_waiters.close()

    def _expect(self, device: str) -> None:
        """Let a poll that waits look right behind a command that is about to be put, so that one commit is for
        both.
        """
        if self.poll_registry.is_polling(device):
            self.command_index.add(device)
            self.poll_registry.ring(device)

    def _ended(self, event: Event) -> None:
        if event.command is not None:
            self._ended_waiters.notify(event.command)

    def _wake(self, event: Event) -> None:
        if event.device is not None:
            self.poll_registry.ring(event.device)

    def _dismiss(self, event: Event) -> None:
        if event.device is not None and _bars(event):
            self.poll_registry.dismiss(event.device)

    def _tell_conflict(self, device: str) -> None:
        data = {"takeovers": STORM_COUNT}
        done = self.store.save_conflict(device, data, self.clocks.now())
        done.addErrback(self._not_written, "tell of two devices with one id")

    def _not_written(self, failure: Failure, what: str) -> None:
        self._log.error("Unable to {what}: {error}", what=what, error=failure.getErrorMessage())


def _of(states: Iterable[str]) -> frozenset[EventType]:
    return frozenset(EventType(f"command.{state}") for state in states)


_ENDING = _of(ENDED) | {EventType.COMMAND_RESOLVED}

_RINGING = _ENDING | {EventType.COMMAND_QUEUED, EventType.DEVICE_APPROVED}
"""What may let a waiting poll have something: a new command, an approval, or the end of the one that was out."""

_BARRING = frozenset({EventType.DEVICE_BLOCKED, EventType.DEVICE_DELETED, EventType.DEVICE_CHANGED})
_PROOFS = frozenset({"allow_from", *ProofKind})


def _bars(event: Event) -> bool:
    """Whether who was let in before this, and polls now, might not be let in any more."""
    return event.type is not EventType.DEVICE_CHANGED or not _PROOFS.isdisjoint(event.data.get("fields", ()))
