"""One held long poll: it claims commands, waits while there are none, and ends exactly once."""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from pushd.core.devices.admission import IClient
from pushd.core.devices.presence import DevicePresence
from pushd.lib.cancellable_waits import PendingAnswer
from pushd.model.command import Dispatched
from pushd.rules.outcomes import Claim

if TYPE_CHECKING:
    from pushd.core.commands.command_queue import CommandQueue

MAX_CLAIM = 2.0
"""Seconds that a claim may take even if the hold of its poll ends; later, its commands could not be sent."""

Answer = tuple[Dispatched, ...]
"""The commands that a poll is answered with; empty is the idle answer."""


class PollEnd(Enum):
    """How a poll ended."""

    DISPATCHED = "dispatched"  # answered with commands
    IDLE = "idle"
    REPLACED = "replaced"  # answered idle, because the device polls again
    CONFLICT = "conflict"  # the same, but later, because two devices seem to share one id
    SIGNED_OFF = "signed_off"  # answered idle, a moment after the device signed off
    DISCONNECTED = "disconnected"


class _State(Enum):
    CLAIMING = "claiming"
    WAITING = "waiting"
    ENDING = "ending"  # will be answered idle after a delay, and gets nothing any more
    ENDED = "ended"


class IPollRequest(Protocol):
    """The request that a poll answers."""

    def wait_for(self, poll: "Poll") -> None:
        """The poll is held; it is to be cancelled when the device disconnects."""

    def respond_with(self, write: Callable[[str, Answer], bytes], device: str, answer: Answer) -> None:
        """The poll has ended: respond with what ``write`` makes of its answer."""


@define(eq=False)
class Poll(PendingAnswer):
    """A poll from its arrival to its answer; ``started_at`` and ``hold_until`` in the clock's seconds.

    A wake-up that arrives while a claim is in progress triggers another claim, so it cannot be lost.
    It is all that is kept of a held poll, beside its request: ten thousand polls are held at once.
    """

    queue: "CommandQueue"
    device: str
    started_at: float
    hold_until: float
    write: Callable[[str, Answer], bytes]
    """Writes the answer for a device."""
    uuid: str | None = None
    """The name by which a device repeats a poll."""
    may_receive: bool = True
    """If False, the poll is held like any other, but gets no commands."""
    is_approved: bool = True
    """Whether its device was known and approved when it polled."""
    batch: int = 1
    """The most commands that it may be answered with, if the dialect can batch them."""
    presence: DevicePresence | None = None
    """What memory holds of its device, if that is known."""
    client: IClient | None = None
    """Who polls, to be judged anew; None once the poll has ended."""
    revision: int | None = None
    """Of the device, as the client was admitted; None: that is not compared with the database."""
    claims_from: float = field(default=0.0, init=False)
    """When it may claim again, in the clock's seconds, after a claim that came too late; 0: none did."""
    _state: _State = field(default=_State.CLAIMING, init=False)
    _notified: bool = field(default=False, init=False)
    """Whether a wake-up has arrived since the last claim began."""
    _shared_timer: int | None = field(default=None, init=False)
    """For the end of the hold."""
    _timer: IDelayedCall | None = field(default=None, init=False)
    """For any other moment; the two never run at the same time."""
    _answer: Answer = field(default=(), init=False)
    _request: IPollRequest | None = field(default=None, init=False)

    is_waiting = True

    def respond_to(self, request: IPollRequest) -> None:
        """Respond to a request when the poll has ended."""
        if self._state is _State.ENDED:
            request.respond_with(self.write, self.device, self._answer)
        else:
            self._request = request
            request.wait_for(self)

    def cancel(self) -> None:
        """The device has disconnected, or sends nothing any more: answer idle now, in case it can read that."""
        if self._state is not _State.ENDED:
            self._end(PollEnd.DISCONNECTED)

    def notify(self) -> None:
        """A claim may succeed now."""
        self._notified = True
        if self._state is _State.WAITING:
            self.claim()

    def end_after(self, delay: float, end: PollEnd) -> None:
        """Receive nothing any more, and answer idle after ``delay`` seconds."""
        self._stop_timer()
        self._state = _State.ENDING
        if delay > 0:
            self._timer = self.queue.timers.clock.callLater(delay, self._end, end)
        else:
            self._end(end)

    def end_idle(self) -> None:
        """Answer idle now, unless the poll has ended."""
        if self._state is not _State.ENDED:
            self._end(PollEnd.IDLE)

    def on_timer(self) -> None:
        """The hold may be over."""
        self._shared_timer = None
        self._on_timeout()

    def claim(self) -> None:
        """Claim commands, and wait if there are none; the poll must be registered before, to be notified."""
        self._state, self._notified = _State.CLAIMING, False
        claiming = self.queue.claim(self)
        if not isinstance(claiming, Deferred):
            self._wait(claiming)
            return
        claiming.addCallbacks(self._on_claim, self._on_claim_failed)
        if self._state is _State.CLAIMING:
            self._limit_claim()

    def _limit_claim(self) -> None:
        """Have a poll whose claim the store does not finish end with its hold, but not within :data:`MAX_CLAIM`."""
        if self.hold_until - self.queue.timers.clock.seconds() < MAX_CLAIM:
            self._stop_timer()
            self._timer = self.queue.timers.clock.callLater(MAX_CLAIM, self._on_timeout)
        elif self._shared_timer is None:
            if self._timer is not None:
                self._stop_timer()
            self._shared_timer = self.queue.timers.put(self, self.hold_until)

    def _on_claim(self, claim: Claim) -> None:
        if self._state is not _State.CLAIMING:
            if claim.dispatched:
                self.queue.take_back(claim.dispatched)
        elif claim.dispatched:
            self._end(PollEnd.DISPATCHED, claim.dispatched)
        else:
            self._continue(self.queue.seconds_until(claim.due))

    def _on_claim_failed(self, _failure: Failure) -> None:
        """The store is unavailable, as the queue has logged: hold the poll to its end, unless it was notified."""
        if self._state is _State.CLAIMING:
            self._continue(None)

    def _continue(self, due: float | None) -> None:
        if self._notified:
            self.claim()
        else:
            self._wait(due)

    def _wait(self, due: float | None) -> None:
        """Wait until a command is due, in seconds, or else until the hold is over."""
        left = self.hold_until - self.queue.timers.clock.seconds()
        if left <= 0:
            self._end(PollEnd.IDLE)
            return
        self._state = _State.WAITING
        if due is not None and due < left:
            self._stop_timer()
            self._timer = self.queue.timers.clock.callLater(due, self._on_timeout)
        elif self._shared_timer is None:
            if self._timer is not None:
                self._stop_timer()
            self._shared_timer = self.queue.timers.put(self, self.hold_until)

    def _on_timeout(self) -> None:
        self._timer = None
        if self._state is _State.CLAIMING or self.queue.timers.clock.seconds() >= self.hold_until:
            self._end(PollEnd.IDLE)
        else:
            self.claim()

    def _end(self, end: PollEnd, answer: Answer = ()) -> None:
        if self._shared_timer is not None or self._timer is not None:
            self._stop_timer()
        self._state, self._answer = _State.ENDED, answer
        self.queue.on_poll_end(self, end)
        request, self._request = self._request, None
        self.client = None
        if request is not None:
            request.respond_with(self.write, self.device, self._answer)

    def _stop_timer(self) -> None:
        if self._shared_timer is not None:
            self.queue.timers.remove(self, self._shared_timer)
            self._shared_timer = None
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
