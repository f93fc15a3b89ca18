"""Wake latency: from the first byte of a put until the poll of its device is answered, while many others are held."""

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.book import milliseconds, rate
from benchmarks.commands import NO_FSYNC, SendOptions
from benchmarks.servers import Server
from benchmarks.who import DURABLE, FLOOR, IN_MEMORY, US

HOLD = 55
KEPT_UP = 0.95
"""Part of the wanted rate that counts as that rate; with less, the table says how much it was."""

WHATS = ("p50", "p99", "worst")
DURABLE_WHATS = ("p50", "p99", "p999", "worst")


def named(what: str, hold: int, puts: float, durable: bool) -> str:
    """The name of a figure, such as p99 at 5,000 polls held and 200 puts a second."""
    return f"{'durable put' if durable else 'wake'}, {hold:,} held, {puts:,.0f} puts/s, {what}"


def work(bench: Bench) -> None:
    """The wakes of those that keep what is put in memory, and ours where nothing waits for the disk."""
    _work(bench, (US, *IN_MEMORY, FLOOR), SendOptions(hold=HOLD, fsync_ms=NO_FSYNC), False)


def durable(bench: Bench) -> None:
    """The wakes of those that write what is put to the disk."""
    _work(bench, (US, *DURABLE), SendOptions(hold=HOLD), True)


def _work(bench: Bench, names: Sequence[str], terms: SendOptions, durable: bool) -> None:
    bench.anew(names, terms, lambda server: measure(bench, server, server.name, durable))


def measure(bench: Bench, server: Server, who: str, durable: bool, about: str = "") -> None:
    """All holds and rates, once."""
    rates = bench.size.durable_rates if durable else bench.size.rates
    plan = [(hold, puts, seconds) for hold in bench.size.holds for puts, seconds in rates]
    phases = ",".join(f"{hold}:{puts:g}:{seconds:g}" for hold, puts, seconds in plan)
    asked = {**server.ports, **server.speech().settings("put"), "phases": phases, "settle": bench.size.settle}
    figures = bench.generator.run("wake", asked, patience=90)
    for hold, puts, _ in plan:
        one = figures[f"{hold}@{puts:g}"]
        for what in DURABLE_WHATS if durable else WHATS:
            quantity = milliseconds(named(what, hold, puts, durable) + about, what == "worst")
            bench.book.write(quantity, who, one[what] * 1000)
        if one["rate"] < puts * KEPT_UP:
            bench.book.write(rate(named("reached", hold, puts, durable) + about), who, one["rate"])
