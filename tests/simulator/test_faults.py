"""The faults of simulated devices."""

import pytest
from hypothesis import given
from hypothesis.strategies import dictionaries, floats, sampled_from

from pushd.simulator.faults import DEFAULT_PROBABILITY, Fault, Faults, parse_faults, seeded_random


def test_read() -> None:
    """A list names faults, each with or without its probability."""
    assert parse_faults("slow, drop-answer=0.5,die-working=1") == {
        Fault.SLOW: DEFAULT_PROBABILITY,
        Fault.DROP_ANSWER: 0.5,
        Fault.DIE_WORKING: 1.0,
    }
    assert parse_faults("") == {}


@given(dictionaries(sampled_from(Fault), floats(0, 1)))
def test_read_any(probabilities: dict[Fault, float]) -> None:
    """Any faults with any probabilities can be given."""
    assert (
        parse_faults(",".join(f"{fault}={probability!r}" for fault, probability in probabilities.items()))
        == probabilities
    )


@pytest.mark.parametrize("text", ["flap", "slow=", "slow=x", "slow=-0.1", "slow=1.1", "slow=nan", "slow drop-answer"])
def test_bad_list(text: str) -> None:
    """An unknown fault or an invalid probability is refused."""
    with pytest.raises(ValueError, match="fault"):
        parse_faults(text)


def test_never_and_always() -> None:
    """A fault with the probability 0, or without one, never occurs; with 1, it always does."""
    faults = Faults(probabilities={Fault.SLOW: 0.0, Fault.LOSE_RESULT: 1.0})
    for _ in range(100):
        assert not faults.occurs(Fault.SLOW)
        assert not faults.occurs(Fault.DROP_ANSWER)
        assert faults.occurs(Fault.LOSE_RESULT)


def test_probability() -> None:
    """A fault occurs about as often as its probability says."""
    faults = Faults(probabilities={Fault.SLOW: 0.3}, random=seeded_random(7, "test"))
    assert 250 < sum(faults.occurs(Fault.SLOW) for _ in range(1000)) < 350


def test_seed() -> None:
    """The same seed gives the same faults to the same device, and other faults to another."""

    def occurrences(seed: int, device: str) -> list[bool]:
        faults = Faults(probabilities={Fault.SLOW: 0.5}, random=seeded_random(seed, device))
        return [faults.occurs(Fault.SLOW) for _ in range(64)]

    assert occurrences(1, "a") == occurrences(1, "a")
    assert occurrences(1, "a") != occurrences(1, "b")
    assert occurrences(1, "a") != occurrences(2, "a")


def test_no_fault() -> None:
    """A device without faults keeps its timeout and duration, and nothing is late."""
    assert (Faults().timeout(15), Faults().duration(3), Faults().delay(Fault.LATE_RESULT)) == (15, 3, 0)


def test_slow_by() -> None:
    """How much longer slow commands take can be chosen."""
    faults = Faults(probabilities={Fault.SLOW: 1.0}, slow_by=(1.0, 2.0))
    assert all(4 <= faults.duration(3) <= 5 for _ in range(100))
