"""Idle polls that are answered at once: how many in a second, on connections that stay, and on one each."""

from benchmarks.bench import Bench
from benchmarks.book import rate
from benchmarks.commands import SendOptions
from benchmarks.servers import Server
from benchmarks.speech import fresh
from benchmarks.who import FLOOR, IN_MEMORY, US

KEPT = "idle poll, keep-alive"
FRESH = "idle poll, new connection each"


def work(bench: Bench) -> None:
    """Everybody's idle polls."""
    with bench.standing((US, *IN_MEMORY, FLOOR), SendOptions(hold=0)) as servers:
        bench.in_turn(servers, lambda server: measure(bench, server, server.name))


def measure(bench: Bench, server: Server, who: str, about: str = "") -> None:
    """Both ways of polling, once."""
    speech = server.speech()
    asked = {**server.ports, **speech.settings(), "seconds": bench.size.idle}
    kept = bench.generator.run("idle", asked)
    bench.book.write(rate(KEPT + about), who, kept["polls"]["rate"])
    each = bench.generator.run("idle", {**asked, "poll": fresh(speech.poll), "fresh": 1})
    bench.book.write(rate(FRESH + about), who, each["polls"]["rate"])
