"""Tests of :mod:`pushd.core.timers`: what waits for a moment is told once, at that moment or a little later."""

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from pushd.core.timers import GRANULARITY, CoarseTimers


@define(eq=False)
class Sleeper:
    """Something that notes when it was told."""

    clock: Clock
    told: list[float] = field(factory=list)

    def on_timer(self) -> None:
        """Note it."""
        self.told.append(self.clock.seconds())


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=30), st.floats(0, 5))
def test_each_is_told_once_and_in_time(moments: list[tuple[float, bool]], start: float) -> None:
    """Each is told no sooner than it asked for, and at most a tick later; who was removed is not told."""
    clock = Clock()
    clock.advance(start)
    ticks = CoarseTimers(clock)
    sleepers = [(Sleeper(clock), start + after, stays) for after, stays in moments]
    numbers = [ticks.put(sleeper, moment) for sleeper, moment, _ in sleepers]
    for (sleeper, _, stays), number in zip(sleepers, numbers, strict=True):
        if not stays:
            ticks.remove(sleeper, number)
    clock.pump([0.05] * 500)
    for sleeper, moment, stays in sleepers:
        assert len(sleeper.told) == (1 if stays else 0)
        for told in sleeper.told:
            assert moment - 1e-9 <= told <= moment + GRANULARITY + 0.05 + 1e-9
    assert clock.getDelayedCalls() == []


def test_ten_thousand_share_their_timers() -> None:
    """However many wait for about the same time, there are few timers."""
    clock = Clock()
    ticks = CoarseTimers(clock)
    for number in range(10_000):
        ticks.put(Sleeper(clock), 40 + number % 5)
    assert len(clock.getDelayedCalls()) == 5
