"""Tests of the timing wheel, against one that checks every entry each time."""

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from pushd.core.timers import TimingWheel

START = 1000
MAX_TAKEN = 3

MOMENTS = st.floats(min_value=0, max_value=START + 60, allow_nan=False)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), MOMENTS),
        st.tuples(st.just("turn"), st.floats(min_value=-2, max_value=20)),
        st.tuples(st.just("take"), st.integers(1, MAX_TAKEN)),
    ),
    max_size=60,
)


@define(eq=False)
class SimpleWheel:
    """A timing wheel without slots: each entry with the second in which it expires."""

    turn: int = START
    pending: list[tuple[int, int]] = field(factory=list)
    expired: list[tuple[int, int]] = field(factory=list)

    def put(self, entry: int, moment: float) -> None:
        """Let an entry expire at a moment, at the next turn at the earliest."""
        self.pending.append((max(int(moment), self.turn + 1), entry))

    def turn_to(self, moment: float) -> None:
        """Expire what is due."""
        self.turn = max(self.turn, int(moment))
        self.expired += [each for each in self.pending if each[0] <= self.turn]
        self.pending = [each for each in self.pending if each[0] > self.turn]


@given(STEPS)
def test_entries_expire_as_without_slots(steps: list[tuple[str, float]]) -> None:
    """Whatever is put, however the wheel turns: each entry expires once, in its second, the oldest second first."""
    wheel: TimingWheel[int] = TimingWheel(START)
    simple = SimpleWheel()
    for entry, (step, value) in enumerate(steps):
        if step == "put":
            slot = wheel.put(entry, value)
            simple.put(entry, value)
            assert slot.second == simple.pending[-1][0]
        elif step == "turn":
            wheel.turn_to(wheel.turn + value)
            simple.turn_to(simple.turn + value)
        elif wheel.has_expired:
            second, taken = take(wheel, int(value))
            assert second == min(simple.expired)[0]
            assert 1 <= len(taken) <= value
            for each in taken:
                simple.expired.remove((second, each))
        assert wheel.has_expired == bool(simple.expired)
        assert wheel.turn == simple.turn


def take(wheel: TimingWheel[int], limit: int) -> tuple[int, list[int]]:
    """The second of a slot, and the entries taken from it."""
    slot, taken = wheel.take(limit)
    return slot.second, taken


def test_entries_expire_in_time() -> None:
    """Turned each second, the wheel shows an entry within a second of its moment."""
    for moment in (START + 1.0, START + 1.4, START + 1.9):
        wheel: TimingWheel[str] = TimingWheel(START)
        wheel.put("entry", moment)
        at = START + 0.7
        while not wheel.has_expired:
            at += 1
            wheel.turn_to(at)
        assert moment - 1 < at < moment + 1


def test_the_cost_of_a_turn() -> None:
    """A wheel that is full of later entries has nothing to take now, and keeps no slot that was emptied."""
    wheel: TimingWheel[int] = TimingWheel(START)
    for entry in range(1000):
        wheel.put(entry, START + 100)
    wheel.turn_to(START + 99)
    assert not wheel.has_expired
    wheel.turn_to(START + 100)
    assert sum(len(wheel.take(300)[1]) for _ in range(4)) == 1000
    assert not wheel.has_expired
