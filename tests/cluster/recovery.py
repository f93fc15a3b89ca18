"""How long it takes from a fault until the nodes that are left serve all devices."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tests.harness.admin_api import AdminApi

_INTERVAL = 0.2
_MAX_SECONDS = 90.0
"""After so long, even on a busy machine, devices are not served that should be."""


@define(eq=False)
class Recovery:
    """Measures recoveries by the polls that nodes hold, of faults during which there is no other one."""

    clock: IReactorTime
    nodes: Sequence[AdminApi]
    """A client of each node."""
    fluctuation: int
    """By how much the number of polls may vary without a fault."""
    seconds: dict[str, list[float]] = field(factory=lambda: defaultdict(list), init=False)
    """By fault, how long each recovery took."""
    unaffected: Counter[str] = field(factory=Counter, init=False)
    """By fault, how often no polls were lost, as when a node has just been started and holds none."""
    failed: list[str] = field(factory=list, init=False)
    """The faults after which not all devices were served again."""
    _faults: int = field(default=0, init=False)
    """Counts the faults."""

    async def held(self, without: int | None = None) -> int:
        """How many polls the nodes hold, without the one with that number."""
        return sum([await self._held_by(api) for number, api in enumerate(self.nodes) if number != without])

    def fault(self) -> int:
        """Something fails now; returns its number."""
        self._faults += 1
        return self._faults

    async def measure(self, what: str, fault: int, before: int, without: int | None = None) -> None:
        """Wait until as many polls are held as before a fault, and note how long that took.

        ``without`` is the number of a node that is out, and has to serve nothing. Of a fault during which another one
        begins nothing is noted.
        """
        since, held, is_affected = self.clock.seconds(), 0, False
        while self.clock.seconds() < since + _MAX_SECONDS:
            held = await self.held(without)
            if fault != self._faults:
                return
            if held >= before - self.fluctuation:
                if is_affected:
                    self.seconds[what].append(self.clock.seconds() - since)
                else:
                    self.unaffected[what] += 1
                return
            is_affected = True
            await deferLater(self.clock, _INTERVAL)
        self.failed.append(f"{what}: {before} polls were held before, {held} after {_MAX_SECONDS:g} s")

    def lines(self) -> Iterator[str]:
        """What was measured, as lines of a report."""
        for what, seconds in sorted(self.seconds.items()):
            figures = f"median {median(seconds):5.1f} s, longest {max(seconds):5.1f} s, of {len(seconds)}"
            yield f"  {'recovered':<11}{what:<58}{figures}"
        for what, times in sorted(self.unaffected.items()):
            yield f"  {'unaffected':<11}{what:<58}{times:>8}"

    async def _held_by(self, api: AdminApi) -> int:
        asking = Deferred.fromCoroutine(api.once("info"))
        asking.addTimeout(1.0, self.clock)
        answer = await asking.addErrback(lambda _: None)
        return int(answer["counts"]["polls"]) if answer else 0
