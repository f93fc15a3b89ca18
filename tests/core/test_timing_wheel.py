"""Tests of the timing wheel, against one that looks at everything each time."""

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from pushd.core.timers import TimingWheel

START = 1000
PIECES = 3

MOMENTS = st.floats(min_value=0, max_value=START + 60, allow_nan=False)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), MOMENTS),
        st.tuples(st.just("turn"), st.floats(min_value=-2, max_value=20)),
        st.tuples(st.just("take"), st.integers(1, PIECES)),
    ),
    max_size=60,
)


@define(eq=False)
class Plain:
    """What a wheel does, without slots: each thing with the second in which it comes up."""

    turn: int = START
    lying: list[tuple[int, int]] = field(factory=list)
    up: list[tuple[int, int]] = field(factory=list)

    def put(self, thing: int, moment: float) -> None:
        self.lying.append((max(int(moment), self.turn + 1), thing))

    def turn_to(self, moment: float) -> None:
        self.turn = max(self.turn, int(moment))
        self.up += [each for each in self.lying if each[0] <= self.turn]
        self.lying = [each for each in self.lying if each[0] > self.turn]


@given(STEPS)
def test_what_comes_up_is_what_would_without_slots(steps: list[tuple[str, float]]) -> None:
    """Whatever is put, however the wheel turns: each thing comes up once, in its second, the oldest second first."""
    wheel: TimingWheel[int] = TimingWheel(START)
    plain = Plain()
    for thing, (step, value) in enumerate(steps):
        if step == "put":
            slot = wheel.put(thing, value)
            plain.put(thing, value)
            assert slot.second == plain.lying[-1][0]
        elif step == "turn":
            wheel.turn_to(wheel.turn + value)
            plain.turn_to(plain.turn + value)
        elif wheel.has_expired:
            second, taken = take(wheel, int(value))
            assert second == min(plain.up)[0]
            assert 1 <= len(taken) <= value
            for each in taken:
                plain.up.remove((second, each))
        assert wheel.has_expired == bool(plain.up)
        assert wheel.turn == plain.turn


def take(wheel: TimingWheel[int], limit: int) -> tuple[int, list[int]]:
    """What was taken, and the second of its slot."""
    slot, taken = wheel.take(limit)
    return slot.second, taken


def test_nothing_waits_for_long() -> None:
    """Turned each second, the wheel shows a thing in the round after its moment at the latest, and no second too
    early.
    """
    for moment in (START + 1.0, START + 1.4, START + 1.9):
        wheel: TimingWheel[str] = TimingWheel(START)
        wheel.put("thing", moment)
        at = START + 0.7
        while not wheel.has_expired:
            at += 1
            wheel.turn_to(at)
        assert moment - 1 < at < moment + 1


def test_a_turn_costs_by_what_comes_up() -> None:
    """A wheel that is full of things for later has nothing to take now, and keeps no slot that was emptied."""
    wheel: TimingWheel[int] = TimingWheel(START)
    for thing in range(1000):
        wheel.put(thing, START + 100)
    wheel.turn_to(START + 99)
    assert not wheel.has_expired
    wheel.turn_to(START + 100)
    assert sum(len(wheel.take(300)[1]) for _ in range(4)) == 1000
    assert not wheel.has_expired
