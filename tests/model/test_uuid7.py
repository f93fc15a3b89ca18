"""Tests of the ids of commands."""

from collections.abc import Iterable
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from pushd.model.uuid7 import IdSource

LATEST = (1 << 48) - 1
MOMENT = 1_800_000_000_000

moments = st.integers(1, LATEST - 1)
clocks = st.lists(moments, min_size=1, max_size=50)


def made_at(readings: Iterable[int]) -> list[str]:
    """The ids that one process makes at these times, one after the other."""
    ids = IdSource()
    return [ids.make(moment) for moment in readings]


def moment_of(text: str) -> int:
    """The milliseconds that an id carries."""
    return UUID(text).int >> 80


@given(moments)
def test_an_id_is_a_uuid_of_version_7(moment: int) -> None:
    """Any library reads an id as a UUID of version 7, in its canonical text."""
    text = IdSource().make(moment)
    number = UUID(text).int
    assert str(UUID(text)) == text
    assert number >> 76 & 0xF == 7
    assert number >> 62 & 0b11 == 0b10


@given(moments)
def test_an_id_tells_when_it_was_made(moment: int) -> None:
    """The first 48 bits of an id are wall milliseconds."""
    assert moment_of(IdSource().make(moment)) == moment


@given(clocks)
@example([MOMENT, MOMENT, MOMENT])
@example([MOMENT, MOMENT - 3_600_000, MOMENT - 1, MOMENT + 1])
def test_ids_ascend_whatever_the_clock_does(readings: list[int]) -> None:
    """Each id is greater than the one before, even if the clock stands still or is set back or forward."""
    made = made_at(readings)
    assert made == sorted(set(made))


def test_ids_ascend_when_the_counter_overflows() -> None:
    """Ten thousand ids within one millisecond still ascend, and run ahead of the clock by no more than they must."""
    made = made_at([MOMENT] * 10_000)
    assert made == sorted(set(made))
    assert moment_of(made[-1]) - MOMENT == 2


def test_an_id_follows_the_clock_again_once_it_has_caught_up() -> None:
    """After a step back the ids stay at the latest moment until the clock has passed it."""
    made = made_at([MOMENT, MOMENT - 5000, MOMENT + 1])
    assert list(map(moment_of, made)) == [MOMENT, MOMENT, MOMENT + 1]


@given(clocks, moments)
def test_ids_ascend_over_a_restart(readings: list[int], after_restart: int) -> None:
    """A new process, whatever its clock shows, makes ids greater than all that the old one made."""
    last = max(made_at(readings))
    ids = IdSource()
    ids.after(last)
    assert ids.make(after_restart) > last


def test_the_first_id_ever_follows_the_clock() -> None:
    """Without an earlier id only the clock counts."""
    ids = IdSource()
    ids.after(None)
    assert moment_of(ids.make(MOMENT)) == MOMENT


def test_ids_of_one_millisecond_differ_between_processes() -> None:
    """Two processes that make an id in the same millisecond do not make the same one."""
    assert len({IdSource().make(MOMENT) for _ in range(1000)}) == 1000
