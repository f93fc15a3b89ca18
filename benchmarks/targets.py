"""The targets of pushd's figures, absolute or relative to another server, with pushd on one core."""

from attrs import frozen

from benchmarks.parts.cycle import SLOWER, cycle_metric
from benchmarks.parts.growth import growth_label, growth_suffix
from benchmarks.parts.idle import KEEP_ALIVE, NEW_CONNECTIONS
from benchmarks.parts.memory import memory_metric
from benchmarks.parts.offline_detection import round_metric
from benchmarks.parts.reconnect import held_metric, operator_metric
from benchmarks.parts.wake import wake_metric
from benchmarks.requests import SERVER_EYE
from benchmarks.results import FSYNC, Results
from benchmarks.server_names import AIOHTTP, KLEIN, NCHAN, PUSHD, REDIS
from benchmarks.sizes import FULL


@frozen
class Target:
    """A bound: a number, or a factor of another server's figure plus a constant. It is the minimum for metrics of
    which more is better, else the maximum.
    """

    factor: float
    relative_to: str | None = None
    """The name of another server, or of :data:`FSYNC`."""
    plus: float = 0.0
    text: str = ""

    def bound(self, results: Results, metric: str) -> float | None:
        """The bound in this run; None if the figure that it is relative to is missing."""
        if self.relative_to is None:
            return self.factor
        if self.relative_to == FSYNC.name:
            other = results.figure(FSYNC.name, PUSHD)
        else:
            other = results.figure(metric, self.relative_to)
        return None if other is None else self.factor * other + self.plus


def _relative(server: str, factor: float, sign: str) -> Target:
    return Target(factor, server, text=f"{sign} {factor:g} x {server}")


_AT_LEAST, _AT_MOST = ">=", "<="

TARGETS: dict[str, tuple[Target, ...]] = {
    KEEP_ALIVE: (_relative(AIOHTTP, 0.75, _AT_LEAST), _relative(KLEIN, 2.7, _AT_LEAST)),
    NEW_CONNECTIONS: (_relative(AIOHTTP, 1.3, _AT_LEAST),),
    memory_metric(10_000): (Target(3, text="<= 3 KiB"), Target(1 / 3.5, NCHAN, text="<= nchan / 3.5")),
    wake_metric("p50", 5_000, 200, False): (_relative(AIOHTTP, 1, _AT_MOST),),
    wake_metric("p99", 5_000, 200, False): (Target(3, text="<= 3 ms"),),
    wake_metric("p50", 5_000, 200, True): (Target(2, FSYNC.name, 0.8, text="<= 2 fsyncs + 0.8 ms"),),
    wake_metric("p999", 5_000, 200, True): (Target(20, text="<= 20 ms"),),
    cycle_metric(SERVER_EYE, 200): (Target(5000, text=">= 5,000/s"), _relative(REDIS, 0.45, _AT_LEAST)),
    cycle_metric(SERVER_EYE, 200, SLOWER): (Target(2500, text=">= 2,500/s"),),
    held_metric(10_000): (Target(1, text="<= 1 s"), _relative(AIOHTTP, 0.5, _AT_MOST)),
    operator_metric(10_000): (Target(200, text="<= 200 ms"),),
    round_metric(100_000, "mean"): (Target(1, text="<= 1 ms"),),
    round_metric(1_000_000, "mean"): (Target(5, text="<= 5 ms"),),
    round_metric(1_000_000, "worst"): (Target(20, text="<= 20 ms"),),
}
"""By the name of the metric."""

GROWTH_LIMIT = 1.25
"""How much worse a figure may be with a thousand times as many stored commands."""


def targets_of(results: Results, metric: str) -> tuple[Target, ...]:
    """The targets of a metric."""
    if growth_suffix(max(FULL.stored)) not in metric:
        return TARGETS.get(metric, ())
    factor = 1 / GROWTH_LIMIT if results.metrics[metric].more else GROWTH_LIMIT
    return (Target(factor, growth_label(min(FULL.stored)), text=f"within {GROWTH_LIMIT - 1:.0%} of 1,000"),)


def is_reached(results: Results, metric: str, target: Target) -> bool | None:
    """Whether the figure of pushd meets a target; None if a figure is missing."""
    figure, bound = results.figure(metric, PUSHD), target.bound(results, metric)
    if figure is None or bound is None:
        return None
    return figure >= bound if results.metrics[metric].more else figure <= bound
