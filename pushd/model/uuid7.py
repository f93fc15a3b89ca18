"""Ids of commands and claims: UUIDv7 (RFC 9562 section 5.7), monotonic per process (section 6.2, method 1)."""

from os import urandom
from uuid import UUID

from attrs import define, field

_COUNTER_BITS = 12
_RANDOM_BITS = 62
_RANDOM_BYTES = 10


def lower_bound(moment: int) -> str:
    """A text that is less than all ids made at ``moment``, in wall milliseconds, or later, and greater than all
    earlier ones.
    """
    digits = f"{max(moment, 0):012x}"
    return f"{digits[:8]}-{digits[8:]}"


@define(eq=False)
class IdSource:
    """Makes ids that ascend, even if the wall clock is set back.

    The 12 bits after the version are a counter, which starts at a random value in its lower half each millisecond; if
    it overflows, or the clock is set back, the timestamp runs ahead of the clock.
    """

    _moment: int = field(default=0, init=False)
    _counter: int = field(default=0, init=False)

    def after(self, last: str | None) -> None:
        """Make only ids greater than ``last``, the greatest that an earlier process made."""
        if last is not None:
            number = UUID(last).int
            self._moment = number >> 80
            self._counter = (number >> 64) & 0xFFF

    def make(self, now: int) -> str:
        """The next id, in its canonical text; ``now`` is wall milliseconds."""
        random = int.from_bytes(urandom(_RANDOM_BYTES), "big")
        if now > self._moment:
            self._moment, self._counter = now, random >> _RANDOM_BITS & (1 << _COUNTER_BITS - 1) - 1
        elif self._counter < (1 << _COUNTER_BITS) - 1:
            self._counter += 1
        else:
            self._moment, self._counter = self._moment + 1, 0
        head = self._moment << 16 | 0x7000 | self._counter
        tail = 0b10 << _RANDOM_BITS | random & (1 << _RANDOM_BITS) - 1
        digits = f"{head << 64 | tail:032x}"  # as str(UUID) writes it, in less than half the time
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
