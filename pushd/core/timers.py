"""Timers for very many objects: a timing wheel, and timers that are shared by all that end at about the same time."""

from collections import deque
from math import ceil
from typing import Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")

GRANULARITY = 0.25
"""Seconds between two shared timers: an object is called at most this much later than it asked for."""


@define(eq=False)
class Slot(Generic[T]):
    """A second, and the entries that are due in it."""

    second: int
    entries: list[T] = field(factory=list)


@define(eq=False)
class TimingWheel(Generic[T]):
    """Entries in slots of one second. Moments are seconds of a clock that the caller reads, and not negative.

    Entries are never removed early. When a slot expires the caller checks each entry again, and puts it back if its
    deadline has moved, so the cost is proportional to the entries that expire, not to all of them.
    """

    turn: int = 0
    """The second whose slot expired last."""
    _slots: dict[int, Slot[T]] = field(factory=dict, init=False)
    _expired: deque[Slot[T]] = field(factory=deque, init=False)

    def put(self, entry: T, moment: float) -> Slot[T]:
        """Add an entry to the slot of ``moment``, or to the next slot if that one has expired; returns the slot."""
        second = int(moment)
        if second <= self.turn:
            second = self.turn + 1
        try:
            slot = self._slots[second]
        except KeyError:
            slot = self._slots[second] = Slot(second)
        slot.entries.append(entry)
        return slot

    def turn_to(self, moment: float) -> None:
        """Let all slots expire whose second has begun: their entries are due, or will be within that second."""
        for second in range(self.turn + 1, int(moment) + 1):
            slot = self._slots.pop(second, None)
            if slot is not None:
                self._expired.append(slot)
            self.turn = second

    @property
    def has_expired(self) -> bool:
        """Whether there are expired entries to take."""
        return bool(self._expired)

    def take(self, limit: int) -> tuple[Slot[T], list[T]]:
        """Up to ``limit`` entries of the oldest expired slot, and the slot."""
        slot = self._expired[0]
        taken = slot.entries[-limit:]
        del slot.entries[-limit:]
        if not slot.entries:
            self._expired.popleft()
        return slot, taken


class ITimed(Protocol):
    """An object that a shared timer calls."""

    def on_timer(self) -> None:
        """The time has come."""


@define(eq=False)
class SharedTimer:
    """One reactor timer, and the objects that it calls."""

    waiting: set[ITimed]
    timer: IDelayedCall


@define(eq=False)
class CoarseTimers:
    """Timers that fire up to :data:`GRANULARITY` late, so that ten thousand held polls need only a few of them."""

    clock: IReactorTime
    _timers: dict[int, SharedTimer] = field(factory=dict, init=False)

    def put(self, timed: ITimed, moment: float) -> int:
        """Call ``timed.on_timer`` once, at ``moment`` of the clock or a little later; returns the key to remove it."""
        key = ceil(moment / GRANULARITY)
        shared = self._timers.get(key)
        if shared is None:
            left = max(key * GRANULARITY - self.clock.seconds(), 0)
            shared = self._timers[key] = SharedTimer(set(), self.clock.callLater(left, self._fire, key))
        shared.waiting.add(timed)
        return key

    def remove(self, timed: ITimed, key: int) -> None:
        """Do not call ``timed`` any more."""
        shared = self._timers.get(key)
        if shared is None:
            return
        shared.waiting.discard(timed)
        if not shared.waiting:
            shared.timer.cancel()
            del self._timers[key]

    def _fire(self, key: int) -> None:
        for timed in self._timers.pop(key).waiting:
            timed.on_timer()
