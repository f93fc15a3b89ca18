"""What goes wrong at a simulated device."""

import pytest
from hypothesis import given
from hypothesis.strategies import dictionaries, floats, sampled_from

from pushd.simulator.faults import DEFAULT_ODDS, Fault, Faults, dice, read_odds


def test_read() -> None:
    """A list names faults, each with its probability or without."""
    assert read_odds("slow, drop-answer=0.5,die-working=1") == {
        Fault.SLOW: DEFAULT_ODDS,
        Fault.DROP_ANSWER: 0.5,
        Fault.DIE_WORKING: 1.0,
    }
    assert read_odds("") == {}


@given(dictionaries(sampled_from(Fault), floats(0, 1)))
def test_read_any(odds: dict[Fault, float]) -> None:
    """Any faults with any odds can be asked for."""
    assert read_odds(",".join(f"{fault}={chance!r}" for fault, chance in odds.items())) == odds


@pytest.mark.parametrize("text", ["flap", "slow=", "slow=x", "slow=-0.1", "slow=1.1", "slow=nan", "slow drop-answer"])
def test_bad_list(text: str) -> None:
    """A fault that does not exist, or a probability that is none, is refused."""
    with pytest.raises(ValueError, match="fault"):
        read_odds(text)


def test_never_and_always() -> None:
    """A fault with the odds 0, or none, never strikes; with 1, always."""
    faults = Faults(odds={Fault.SLOW: 0.0, Fault.LOSE_RESULT: 1.0})
    for _ in range(100):
        assert not faults.strikes(Fault.SLOW)
        assert not faults.strikes(Fault.DROP_ANSWER)
        assert faults.strikes(Fault.LOSE_RESULT)


def test_odds() -> None:
    """A fault strikes about as often as its odds say."""
    faults = Faults(odds={Fault.SLOW: 0.3}, chance=dice(7, "test"))
    assert 250 < sum(faults.strikes(Fault.SLOW) for _ in range(1000)) < 350


def test_seed() -> None:
    """The same seed brings the same fate to the same device, and another to another."""

    def fate(seed: int, device: str) -> list[bool]:
        faults = Faults(odds={Fault.SLOW: 0.5}, chance=dice(seed, device))
        return [faults.strikes(Fault.SLOW) for _ in range(64)]

    assert fate(1, "a") == fate(1, "a")
    assert fate(1, "a") != fate(1, "b")
    assert fate(1, "a") != fate(2, "a")


def test_no_fault() -> None:
    """A device without faults is as patient and as fast as it is."""
    assert (Faults().patience(15), Faults().duration(3), Faults().delay(Fault.LATE_RESULT)) == (15, 3, 0)


def test_slowness() -> None:
    """How much longer slow work lasts can be chosen."""
    faults = Faults(odds={Fault.SLOW: 1.0}, slowness=(1.0, 2.0))
    assert all(4 <= faults.duration(3) <= 5 for _ in range(100))
