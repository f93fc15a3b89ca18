"""The durable cycle: put over HTTP, commit, wake, deliver, acknowledge, result, commit; as often as it goes."""

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.book import milliseconds, rate
from benchmarks.commands import SendOptions
from benchmarks.servers import Server
from benchmarks.speech import CONTROL_ID, SERVER_EYE
from benchmarks.who import AIOHTTP, DURABLE, FLOOR, KLEIN_SQLITE, US

HOLD = 55
SLOWER = 3.0
"""Milliseconds that a common cloud disk takes longer for an fsync."""


def named(dialect: str, devices: int, slower: float = 0) -> str:
    """The name of a figure."""
    return f"durable cycle, {dialect}, {devices:,} devices" + (f", fsync + {slower:g} ms" if slower else "")


def work(bench: Bench) -> None:
    """Everybody's cycles, on this disk; and, as a measure of the requests alone, those of one that keeps nothing."""
    _work(bench, (US, *DURABLE, AIOHTTP, FLOOR), 0)


def on_slower_disk(bench: Bench) -> None:
    """Everybody's cycles, on a slower one."""
    _work(bench, (US, *DURABLE), SLOWER)


def _work(bench: Bench, names: Sequence[str], slower: float) -> None:
    with bench.standing(names, SendOptions(hold=HOLD, fsync_ms=slower)) as servers:
        bench.in_turn(servers, lambda server: _dialects(bench, server, slower))


def _dialects(bench: Bench, server: Server, slower: float) -> None:
    dialects = (SERVER_EYE, CONTROL_ID) if server.name == US else (SERVER_EYE,)
    measure(bench, server, server.name, dialects, slower)


def measure(
    bench: Bench, server: Server, who: str, dialects: Sequence[str], slower: float = 0, about: str = ""
) -> None:
    """The cycle of these dialects, for each number of devices, once."""
    counts = bench.size.cycles
    if slower and who == KLEIN_SQLITE:
        counts = counts[:-1]  # a commit for each step of so many takes it a quarter of a minute, for one cycle each
    for dialect in dialects:
        speech = server.speech(dialect).settings("put", "ack", "result")
        for devices in counts:
            asked = {**server.ports, **speech, "devices": devices, "seconds": bench.size.cycle}
            cycles = bench.generator.run("cycle", asked)["cycles"]
            name = named(dialect, devices, slower) + about
            bench.book.write(rate(name), who, cycles["rate"])
            bench.book.write(milliseconds(f"{name}, p99"), who, cycles["p99"] * 1000)
