"""Rest: how long to leave somebody alone who does not take what we bring."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

LONGEST = 300.0
"""Seconds of one rest at most."""

_DOUBLINGS = 16
"""Beyond these a rest is the longest; a power without bounds would not fit into a float."""


@define(eq=False)
class Rest:
    """One second after the first failure, twice as long after each that follows, less up to a half of it by chance: so
    that many who fail together do not come back together.
    """

    clock: IReactorTime
    rand: Callable[[], float]
    _failures: int = field(default=0, init=False)
    _until: float = field(default=0.0, init=False)

    @property
    def left(self) -> float:
        """Seconds until it is worth another try; 0 if it is now."""
        return max(self._until - self.clock.seconds(), 0.0)

    def failed(self) -> None:
        """It was tried in vain."""
        longest = min(2.0 ** min(self._failures, _DOUBLINGS), LONGEST)
        self._failures += 1
        self._until = self.clock.seconds() + longest * (1 - self.rand() / 2)

    def worked(self) -> None:
        """All is well."""
        self._failures, self._until = 0, 0.0
