"""What goes wrong at a simulated device: asked at named points, answered by dice that a seed can repeat."""

from collections.abc import Mapping
from enum import StrEnum
from random import Random

from attrs import field, frozen

DEFAULT_ODDS = 0.1
"""How often a fault strikes whose probability was not given."""

_SLOWNESS = (5.0, 20.0)
"""Seconds by which slow work lasts longer: well below every lease, so that only patience is tried."""

_DELAY = (0.2, 2.0)
"""Seconds by which what comes late does: enough to be overtaken."""


class Fault(StrEnum):
    """A way to misbehave, by the point at which a device asks whether it does."""

    DROP_ANSWER = "drop-answer"  # the connection is cut before the answer to a poll was read
    LOSE_ANSWER = "lose-answer"  # the answer to a poll was read, and is lost before anything comes of it
    SLOW_READER = "slow-reader"  # the answer to a poll is read some time after it came
    EARLY_HANGUP = "early-hangup"  # a poll is given up long before its time
    DIE_WORKING = "die-working"  # the work was begun, then the device restarts and knows nothing of it
    SLOW = "slow"  # the work takes some seconds longer
    LATE_ACK = "late-ack"  # the ack is sent some time after it should, maybe after the result
    LATE_RESULT = "late-result"  # the result is sent some time after it should, once, and others overtake it
    LOSE_RESULT = "lose-result"  # the result is never sent
    LOSE_RECEIPT = "lose-receipt"  # the connection is cut before the answer to a result was read: it is sent again
    REPEAT_RESULT = "repeat-result"  # the result was taken, and is sent again


def dice(seed: int, what: str) -> Random:
    """Chance that takes the same course whenever it is made from the same seed for the same thing."""
    return Random(f"{seed} {what}")  # noqa: S311  # not for secrets: it has to be repeatable


def read_odds(text: str) -> dict[Fault, float]:
    """A comma list of faults, each with its probability or without: ``slow,drop-answer=0.5``.

    :raises ValueError: in words for whoever wrote the list.
    """
    parts = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return {_fault(name): _probability(odds) if equals else DEFAULT_ODDS for name, equals, odds in parts}


def _fault(name: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        raise ValueError(f"there is no fault {name!r}; there are {', '.join(Fault)}") from None


def _probability(text: str) -> float:
    try:
        odds = float(text)
    except ValueError:
        odds = -1.0
    if not 0 <= odds <= 1:
        raise ValueError(f"the probability of a fault is a number from 0 to 1, not {text!r}")
    return odds


@frozen(kw_only=True)
class Faults:
    """The odds at which each fault strikes one device, and the dice that decide."""

    odds: Mapping[Fault, float] = field(factory=dict)
    chance: Random = field(factory=lambda: dice(0, "faults"))
    slowness: tuple[float, float] = _SLOWNESS
    """Seconds by which slow work lasts longer: the least, and the most."""

    def strikes(self, fault: Fault) -> bool:
        """Whether ``fault`` happens this time."""
        odds = self.odds.get(fault, 0.0)
        return odds > 0 and self.chance.random() < odds

    def patience(self, seconds: float) -> float:
        """How long a device that would wait for ``seconds`` does wait."""
        return seconds * self.chance.uniform(0.05, 0.5) if self.strikes(Fault.EARLY_HANGUP) else seconds

    def duration(self, seconds: float) -> float:
        """How long work that should take ``seconds`` does take."""
        return seconds + self.chance.uniform(*self.slowness) if self.strikes(Fault.SLOW) else seconds

    def delay(self, fault: Fault) -> float:
        """For how many seconds what ``fault`` makes late is held back; 0 if it is not late this time."""
        return self.chance.uniform(*_DELAY) if self.strikes(fault) else 0.0
