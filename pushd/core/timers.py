"""A timing wheel: things under the second in which somebody is to look at them."""

from collections import deque
from typing import Generic, TypeVar

from attrs import define, field

T = TypeVar("T")


@define(eq=False)
class Slot(Generic[T]):
    """A second, and what is to be looked at once it has begun."""

    second: int
    things: list[T] = field(factory=list)


@define(eq=False)
class TimingWheel(Generic[T]):
    """Slots of one second, of a clock that whoever turns the wheel reads; moments are its seconds, and not negative.

    It is lazy: nothing is ever taken out of a slot that is still to come. Who takes a thing looks whether it is due by
    then, or has been put elsewhere since, and puts it on; so it costs by what comes up, not by what there is.
    """

    turn: int = 0
    """The second whose slot came up last."""
    _slots: dict[int, Slot[T]] = field(factory=dict, init=False)
    _up: deque[Slot[T]] = field(factory=deque, init=False)

    def put(self, thing: T, moment: float) -> Slot[T]:
        """Have a thing come up in the second of a moment, or in the next to come if that is over; with which slot."""
        second = int(moment)
        if second <= self.turn:
            second = self.turn + 1
        try:
            slot = self._slots[second]
        except KeyError:
            slot = self._slots[second] = Slot(second)
        slot.things.append(thing)
        return slot

    def turn_to(self, moment: float) -> None:
        """Let all slots come up whose second has begun by now: what is in them is due, or will be within that
        second.
        """
        for second in range(self.turn + 1, int(moment) + 1):
            slot = self._slots.pop(second, None)
            if slot is not None:
                self._up.append(slot)
            self.turn = second

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._up)

    def take(self, limit: int) -> tuple[Slot[T], list[T]]:
        """Up to ``limit`` things of the oldest slot that has come up."""
        slot = self._up[0]
        taken = slot.things[-limit:]
        del slot.things[-limit:]
        if not slot.things:
            self._up.popleft()
        return slot, taken
