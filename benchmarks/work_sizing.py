"""Sizing: a fleet of a common size at a common pace, for a while; how much of the machine that takes."""

import os

from benchmarks.bench import Bench
from benchmarks.book import Quantity, milliseconds
from benchmarks.commands import SendOptions
from benchmarks.generator import Broken
from benchmarks.servers import Server
from benchmarks.speech import CONTROL_ID
from benchmarks.who import US

HOLD = 45

KIB = 1024


def work(bench: Bench) -> None:
    """Some of the fleet are sent commands, all of it holds polls that end and come anew."""
    bench.started(bench.servers((US,), SendOptions(hold=HOLD)), lambda server: measure(bench, server))


def measure(bench: Bench, server: Server) -> None:
    """Hold polls as Server-Eye containers, and meanwhile run cycles as Control iD readers, at a steady pace."""
    size = bench.size
    about = f"{size.fleet:,} polls held for {HOLD} s each, {size.pace:,} cycles/s"
    ports, seconds = server.ports, size.steady
    holding = {**ports, **server.speech().settings(), "stages": size.fleet, "seconds": 2 * seconds + 60}
    with bench.generator.start("hold", holding) as process:
        assert process.stdout is not None, "it is a pipe"
        if not process.stdout.readline():
            raise Broken("the polls could not be held")
        before = os.times().elapsed, server.processor()
        readers = server.speech(CONTROL_ID).settings("put", "ack", "result")
        asked = {**ports, **readers, "devices": size.pace, "rate": size.pace, "seconds": seconds}
        cycles = bench.generator.run("cycle", asked, patience=2 * seconds + 60)["cycles"]
        passed, worked = os.times().elapsed - before[0], server.processor() - before[1]
        figures = (
            (Quantity(name=f"{about}: of a core", unit="%"), 100 * worked / passed),
            (Quantity(name=f"{about}: memory of the process", unit="MiB"), server.resident() / KIB / KIB),
            (Quantity(name=f"{about}: reached", unit="/s", more=True), cycles["rate"]),
            (milliseconds(f"{about}: a whole cycle, p50"), 1000 * cycles["p50"]),
            (milliseconds(f"{about}: a whole cycle, p99"), 1000 * cycles["p99"]),
        )
        for quantity, value in figures:
            bench.book.write(quantity, server.name, value)
