"""Fault injection: how simulated devices misbehave, at random but repeatable with a seed."""

from collections.abc import Mapping
from enum import StrEnum
from random import Random

from attrs import field, frozen

DEFAULT_PROBABILITY = 0.1
"""Probability of a fault that is named without one."""

_SLOW_BY = (5.0, 20.0)
"""Seconds that slow commands take longer: less than the leases of the server."""

_DELAY = (0.2, 2.0)
"""Seconds that late acks, results and reads are late: enough for other requests to overtake them."""


class Fault(StrEnum):
    """A way to misbehave."""

    DROP_ANSWER = "drop-answer"  # the connection is closed before the response to a poll was read
    LOSE_ANSWER = "lose-answer"  # the response to a poll was read, but the command in it is lost
    SLOW_READER = "slow-reader"  # the response to a poll is read some time after it arrived
    EARLY_HANGUP = "early-hangup"  # a poll is closed long before its timeout
    DIE_WORKING = "die-working"  # the command was executed, then the device restarts and has forgotten it
    SLOW = "slow"  # the command takes some seconds longer
    LATE_ACK = "late-ack"  # the ack is sent too late, perhaps after the result
    LATE_RESULT = "late-result"  # the result is sent too late, once, and later results may overtake it
    LOSE_RESULT = "lose-result"  # the result is never sent
    LOSE_RECEIPT = "lose-receipt"  # the connection is closed before the response to a result was read: a repeat
    REPEAT_RESULT = "repeat-result"  # the server accepted the result, and it is sent again


def seeded_random(seed: int, purpose: str) -> Random:
    """A generator of random numbers that repeats them for the same seed and purpose."""
    return Random(f"{seed} {purpose}")  # noqa: S311  # must be repeatable, and is not used for secrets


def parse_faults(text: str) -> dict[Fault, float]:
    """Probabilities from a comma-separated list of faults: ``slow,drop-answer=0.5``.

    :raises ValueError: with a message for the operator.
    """
    parts = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return {
        _parse_fault(name): _parse_probability(value) if equals else DEFAULT_PROBABILITY
        for name, equals, value in parts
    }


def _parse_fault(name: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        raise ValueError(f"unknown fault {name!r}; must be one of {', '.join(Fault)}") from None


def _parse_probability(text: str) -> float:
    try:
        probability = float(text)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise ValueError(f"the probability of a fault must be a number from 0 to 1, not {text!r}")
    return probability


@frozen(kw_only=True)
class Faults:
    """The faults of one device: how probable each is, and the random numbers that decide."""

    probabilities: Mapping[Fault, float] = field(factory=dict)
    random: Random = field(factory=lambda: seeded_random(0, "faults"))
    slow_by: tuple[float, float] = _SLOW_BY
    """Least and greatest number of seconds that slow commands take longer."""

    def occurs(self, fault: Fault) -> bool:
        """Decide whether ``fault`` occurs this time."""
        probability = self.probabilities.get(fault, 0.0)
        return probability > 0 and self.random.random() < probability

    def timeout(self, seconds: float) -> float:
        """The timeout of a poll in seconds, shorter than ``seconds`` if it is closed early."""
        return seconds * self.random.uniform(0.05, 0.5) if self.occurs(Fault.EARLY_HANGUP) else seconds

    def duration(self, seconds: float) -> float:
        """The seconds that a command takes, more than ``seconds`` if it is slow."""
        return seconds + self.random.uniform(*self.slow_by) if self.occurs(Fault.SLOW) else seconds

    def delay(self, fault: Fault) -> float:
        """The seconds by which ``fault`` delays this time; 0 if it does not occur."""
        return self.random.uniform(*_DELAY) if self.occurs(fault) else 0.0
