"""Memory: what a held poll costs the server's process."""

import json
import time

from benchmarks.bench import Bench
from benchmarks.book import Quantity
from benchmarks.commands import SendOptions
from benchmarks.generator import Broken
from benchmarks.machine import most_polls
from benchmarks.servers import Server
from benchmarks.who import IN_MEMORY, US

HOLD = 55
KIB = 1024


def held(count: int) -> str:
    """The name of this figure."""
    return f"memory of a held poll, {count:,} held"


def work(bench: Bench) -> None:
    """Everybody's memory."""
    bench.started(
        bench.servers((US, *IN_MEMORY), SendOptions(hold=HOLD)), lambda server: measure(bench, server, server.name)
    )


def measure(bench: Bench, server: Server, who: str, about: str = "") -> None:
    """Hold polls in stages, and look at each."""
    stages = [count for count in bench.size.stages if count <= most_polls()]
    settings = {**server.ports, **server.speech().settings(), "stages": ",".join(map(str, stages)), "settle": 0}
    time.sleep(bench.size.settle)
    before = server.resident()
    with bench.generator.start("hold", settings) as process:
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        for count in stages:
            line = process.stdout.readline()
            if not line or json.loads(line)["errors"]:
                raise Broken(f"{count} polls could not be held: {line.strip()} {process.communicate()[1].strip()}")
            time.sleep(bench.size.settle)
            each = (server.resident() - before) / count
            bench.book.write(Quantity(name=held(count) + about, unit="KiB"), who, each / KIB)
            process.stdin.write("\n")
            process.stdin.flush()
