"""Tests of :mod:`pushd.http.idle`: who is closed for being idle, and when."""

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from pushd.http.idle import Idle

PATIENCE = 10


@define(eq=False)
class Caller:
    """A connection that notes when it was closed."""

    clock: Clock
    closed: list[float] = field(factory=list)

    def timeoutConnection(self) -> None:
        """Note it."""
        self.closed.append(self.clock.seconds())


steps = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.sampled_from(["enter", "leave", "forget"])), max_size=40
)


@given(steps)
def test_who_is_closed(steps: list[tuple[int, int, str]]) -> None:
    """Whatever connections do, each is closed when it was idle for so long, and neither before nor twice."""
    clock = Clock()
    idle = Idle(clock, PATIENCE)
    callers = [Caller(clock) for _ in range(4)]
    since: dict[int, float] = {}
    closed: dict[int, list[float]] = {number: [] for number in range(4)}

    def pass_to(moment: float) -> None:
        for number, entered in sorted(since.items()):
            if entered + PATIENCE <= moment:
                closed[number].append(entered + PATIENCE)
                del since[number]

    for wait, number, step in steps:
        clock.pump([1] * wait)
        pass_to(clock.seconds())
        if step == "enter":
            idle.enter(callers[number])
            since[number] = clock.seconds()
        else:
            (idle.leave if step == "leave" else idle.forget)(callers[number])
            since.pop(number, None)
    clock.pump([1] * (PATIENCE + 1))
    pass_to(clock.seconds())
    assert [caller.closed for caller in callers] == [closed[number] for number in range(4)]
    assert clock.getDelayedCalls() == []
