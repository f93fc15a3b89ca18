"""The targets: what each figure of ours should be, in itself or beside a peer's, with the server on one core."""

from attrs import frozen

from benchmarks.book import FSYNC, Book
from benchmarks.sizes import FULL
from benchmarks.speech import SERVER_EYE
from benchmarks.who import AIOHTTP, KLEIN, NCHAN, REDIS_ALWAYS, US
from benchmarks.work_crowd import held as crowd_held
from benchmarks.work_crowd import waits as crowd_waits
from benchmarks.work_cycle import SLOWER
from benchmarks.work_cycle import named as cycle
from benchmarks.work_growth import about, called
from benchmarks.work_idle import FRESH, KEPT
from benchmarks.work_memory import held as memory
from benchmarks.work_wake import named as wake
from benchmarks.work_watchdog import named as watchdog


@frozen
class Target:
    """At least, or at most, a number, or so many times a peer's figure (and something more)."""

    factor: float
    than: str | None = None
    plus: float = 0.0
    text: str = ""

    def bound(self, book: Book, name: str) -> float | None:
        """The figure that must be met in this run; None if what it is measured by is missing."""
        if self.than is None:
            return self.factor
        other = book.figure(FSYNC.name, US) if self.than == FSYNC.name else book.figure(name, self.than)
        return None if other is None else self.factor * other + self.plus


def _of(peer: str, factor: float, sign: str) -> Target:
    return Target(factor, peer, text=f"{sign} {factor:g} x {peer}")


_AT_LEAST, _AT_MOST = ">=", "<="

TARGETS: dict[str, tuple[Target, ...]] = {
    KEPT: (_of(AIOHTTP, 0.75, _AT_LEAST), _of(KLEIN, 2.7, _AT_LEAST)),
    FRESH: (_of(AIOHTTP, 1.3, _AT_LEAST),),
    memory(10_000): (Target(3, text="<= 3 KiB"), Target(1 / 3.5, NCHAN, text="<= nchan / 3.5")),
    wake("p50", 5_000, 200, False): (_of(AIOHTTP, 1, _AT_MOST),),
    wake("p99", 5_000, 200, False): (Target(3, text="<= 3 ms"),),
    wake("p50", 5_000, 200, True): (Target(2, FSYNC.name, 0.8, text="<= 2 fsyncs + 0.8 ms"),),
    wake("p999", 5_000, 200, True): (Target(20, text="<= 20 ms"),),
    cycle(SERVER_EYE, 200): (Target(5000, text=">= 5,000/s"), _of(REDIS_ALWAYS, 0.45, _AT_LEAST)),
    cycle(SERVER_EYE, 200, SLOWER): (Target(2500, text=">= 2,500/s"),),
    crowd_held(10_000): (Target(1, text="<= 1 s"), _of(AIOHTTP, 0.5, _AT_MOST)),
    crowd_waits(10_000): (Target(200, text="<= 200 ms"),),
    watchdog(100_000, "mean"): (Target(1, text="<= 1 ms"),),
    watchdog(1_000_000, "mean"): (Target(5, text="<= 5 ms"),),
    watchdog(1_000_000, "worst"): (Target(20, text="<= 20 ms"),),
}
"""By the name of the figure."""

WITHIN = 1.25
"""How much longer the same may take with a thousand times as many commands stored."""


def targets_of(book: Book, name: str) -> tuple[Target, ...]:
    """What is wanted of this figure."""
    if about(max(FULL.stored)) not in name:
        return TARGETS.get(name, ())
    more = book.quantities[name].more
    return (
        Target(1 / WITHIN if more else WITHIN, called(min(FULL.stored)), text=f"within {WITHIN - 1:.0%} of 1,000"),
    )


def is_reached(book: Book, name: str, target: Target) -> bool | None:
    """Whether our figure meets a target; None if one of the two is missing."""
    ours, bound = book.figure(name, US), target.bound(book, name)
    if ours is None or bound is None:
        return None
    return ours >= bound if book.quantities[name].more else ours <= bound
