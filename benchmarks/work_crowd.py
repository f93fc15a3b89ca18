"""Mass return: all devices connect at once after a restart; how long until all are held, and how long an operator
waits.
"""

from benchmarks.bench import Bench
from benchmarks.book import Quantity, milliseconds
from benchmarks.commands import SendOptions
from benchmarks.generator import Broken
from benchmarks.servers import Server
from benchmarks.who import FLOOR, IN_MEMORY, US

HOLD = 55
PATIENCE = 12
"""Seconds within which all should be held; a server whose queue of connections overflows takes minutes."""


def held(count: int) -> str:
    """The name of the first figure."""
    return f"{count:,} polls at once, until all are held"


def waits(count: int) -> str:
    """The name of the second."""
    return f"{count:,} polls at once, an operator waits"


def work(bench: Bench) -> None:
    """Everybody's crowd."""
    bench.started(
        bench.servers((US, *IN_MEMORY, FLOOR), SendOptions(hold=HOLD)), lambda server: measure(bench, server)
    )


def measure(bench: Bench, server: Server) -> None:
    """One crowd."""
    count = bench.size.crowd
    asked = {**server.ports, **server.speech().settings("ask"), "devices": count, "patience": PATIENCE}
    figures = bench.generator.run("crowd", asked)
    if not figures["held"]:
        raise Broken(f"after {PATIENCE} s not all were held")
    bench.book.write(Quantity(name=held(count), unit="s"), server.name, figures["held"])
    bench.book.write(milliseconds(waits(count), extreme=True), server.name, figures["asked"]["worst"] * 1000)
