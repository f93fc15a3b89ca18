"""One held poll: a small machine that looks, waits, and ends exactly once."""

from collections.abc import Callable, Generator
from enum import Enum
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from pushd.core.timers import CoarseTimers
from pushd.model.command import Dispatched
from pushd.store.filters import Claim

Answer = tuple[Dispatched, ...]
"""What a poll is answered with; empty is the idle answer."""


class PollEnd(Enum):
    """How a poll ended."""

    HANDED = "handed"
    IDLE = "idle"
    REPLACED = "replaced"  # answered idle, because the device polls anew
    CROWDED = "crowded"  # the same, but late, because two devices seem to share one id
    SIGNED_OFF = "signed_off"  # answered idle, a moment after the device signed off
    LEFT = "left"  # the device hung up


class _State(Enum):
    LOOKING = "looking"
    WAITING = "waiting"
    LINGERING = "lingering"  # to be answered idle in a while; hears nothing any more
    OVER = "over"


class ISource(Protocol):
    """Where a poll looks for commands."""

    def look(self, poll: "Poll") -> Deferred[Claim] | None:
        """Claim what there is for a poll; None if memory knows that there is nothing."""

    def due_in(self, device: str) -> float | None:
        """Seconds until something that was not yet due may be had, 0 if it has come due since; None if there is
        nothing.
        """

    def take_back(self, handed: Answer) -> None:
        """Return what was claimed for a poll that had gone before a byte was written."""

    def ended(self, poll: "Poll", end: PollEnd) -> None:
        """Told once, before the poll is answered."""


@define(eq=False)
class Poll:
    """A poll from its arrival to its answer; ``began`` and ``until`` are when its hold begins and ends, in the clock's
    seconds.

    The ticket is taken before each look: a ring that comes while a look is on its way makes it look again. To be
    awaited by one coroutine, which it resumes itself: as there are so many of them, it does without a Deferred.
    """

    source: ISource
    ticks: CoarseTimers
    device: str
    began: float
    until: float
    uuid: str | None = None
    deaf: bool = False
    """Held like any other, but handed nothing."""
    batch: int = 1
    """How many commands it takes at once."""
    _state: _State = field(default=_State.LOOKING, init=False)
    _rung: bool = field(default=False, init=False)
    _tick: int | None = field(default=None, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _answer: Answer = field(default=(), init=False)
    _told: Callable[[object], object] | None = field(default=None, init=False)

    def __await__(self) -> Generator["Poll", None, Answer]:
        return self  # type: ignore[return-value]  # as far as await is concerned

    def __next__(self) -> "Poll":
        """Wait, unless it is over."""
        if self._state is _State.OVER:
            raise StopIteration(self._answer)
        return self

    def addBoth(self, told: Callable[[object], object]) -> None:
        """Call ``told`` once it is over; with a failure if it was cancelled. As of a Deferred, but only once."""
        self._told = told

    def cancel(self) -> None:
        """The device hung up."""
        if self._state is not _State.OVER:
            self._close(PollEnd.LEFT)
            self._tell(Failure(CancelledError()))

    def begin(self) -> None:
        """Look, and wait if there is nothing; the source must already know where to ring."""
        self._look()

    def ring(self) -> None:
        """There may be something now."""
        self._rung = True
        if self._state is _State.WAITING:
            self._stop_timer()
            self._look()

    def linger(self, delay: float, end: PollEnd) -> None:
        """Hear nothing any more, and answer idle after ``delay`` seconds."""
        self._stop_timer()
        self._state = _State.LINGERING
        if delay > 0:
            self._timer = self.ticks.clock.callLater(delay, self._end, end)
        else:
            self._end(end)

    def finish(self) -> None:
        """Answer idle now, unless it has ended."""
        if self._state is not _State.OVER:
            self._end(PollEnd.IDLE)

    def on_timer(self) -> None:
        """The hold may be over."""
        self._tick = None
        self._wake()

    def _look(self) -> None:
        self._state, self._rung = _State.LOOKING, False
        looked = self.source.look(self)
        if looked is None:
            self._wait(self._due_in())
        else:
            looked.addCallbacks(self._found, self._missed)

    def _found(self, claim: Claim) -> None:
        if self._state is not _State.LOOKING:
            if claim.handed:
                self.source.take_back(claim.handed)
        elif claim.handed:
            self._end(PollEnd.HANDED, claim.handed)
        else:
            self._go_on(self._due_in())

    def _missed(self, _failure: Failure) -> None:
        """The store does not answer: the poll is held to its end, unless it was rung; the source has told the log."""
        if self._state is _State.LOOKING:
            self._go_on(None)

    def _go_on(self, due: float | None) -> None:
        if self._rung:
            self._look()
        else:
            self._wait(due)

    def _due_in(self) -> float | None:
        return None if self.deaf else self.source.due_in(self.device)

    def _wait(self, due: float | None) -> None:
        left = self.until - self.ticks.clock.seconds()
        if left <= 0:
            self._end(PollEnd.IDLE)
            return
        self._state = _State.WAITING
        if due is None or due >= left:
            self._tick = self.ticks.put(self, self.until)
        else:
            self._timer = self.ticks.clock.callLater(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if self.ticks.clock.seconds() >= self.until:
            self._end(PollEnd.IDLE)
        else:
            self._look()

    def _end(self, end: PollEnd, handed: Answer = ()) -> None:
        self._answer = handed
        self._close(end)
        self._tell(None)

    def _close(self, end: PollEnd) -> None:
        self._stop_timer()
        self._state = _State.OVER
        self.source.ended(self, end)

    def _tell(self, result: object) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(result)

    def _stop_timer(self) -> None:
        if self._tick is not None:
            self.ticks.remove(self, self._tick)
            self._tick = None
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
