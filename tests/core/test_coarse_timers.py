"""Tests of coarse timers: an object is called once, at its moment or a little later."""

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from pushd.core.timers import GRANULARITY, CoarseTimers


@define(eq=False)
class Timed:
    """Records when it is called."""

    clock: Clock
    called_at: list[float] = field(factory=list)

    def on_timer(self) -> None:
        """Record the time."""
        self.called_at.append(self.clock.seconds())


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=30), st.floats(0, 5))
def test_each_is_called_once_and_in_time(moments: list[tuple[float, bool]], start: float) -> None:
    """Each is called no sooner than its moment and a little later at most; removed ones are not called."""
    clock = Clock()
    clock.advance(start)
    timers = CoarseTimers(clock)
    objects = [(Timed(clock), start + after, kept) for after, kept in moments]
    keys = [timers.put(timed, moment) for timed, moment, _ in objects]
    for (timed, _, kept), key in zip(objects, keys, strict=True):
        if not kept:
            timers.remove(timed, key)
    clock.pump([0.05] * 500)
    for timed, moment, kept in objects:
        assert len(timed.called_at) == (1 if kept else 0)
        for called_at in timed.called_at:
            assert moment - 1e-9 <= called_at <= moment + GRANULARITY + 0.05 + 1e-9
    assert clock.getDelayedCalls() == []


def test_ten_thousand_share_their_timers() -> None:
    """However many objects wait for about the same moment, there are few timers."""
    clock = Clock()
    timers = CoarseTimers(clock)
    for number in range(10_000):
        timers.put(Timed(clock), 40 + number % 5)
    assert len(clock.getDelayedCalls()) == 5
