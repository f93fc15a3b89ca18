"""Cost as the work grows: idle polls, memory, wakes and cycles with 1,000, 100,000 and 1,000,000 stored commands, and
100,000 known devices.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from attrs import evolve

from benchmarks import work_cycle, work_idle, work_memory, work_wake
from benchmarks.bench import Bench
from benchmarks.commands import SendOptions
from benchmarks.fill import fill
from benchmarks.servers import Server
from benchmarks.speech import CONTROL_ID, SERVER_EYE
from benchmarks.who import US

HOLD = 55


def about(stored: int) -> str:
    """The end of a figure's name: it is ours with so many commands stored, and its peers are we with fewer."""
    return f", {stored:,} commands stored"


def called(stored: int) -> str:
    """We, with fewer commands stored than the figure says."""
    return f"pushd, {stored:,} stored"


def work(bench: Bench) -> None:
    """Fill, then measure the three side by side."""
    data = {}
    for stored in bench.size.stored:
        bench.say(f"growth: storing {stored:,} commands")
        data[stored] = fill(bench.lineup.place / f"grown-{stored}", *bench.size.grown, stored)
    size = bench.size
    bench.size = evolve(
        size,
        stages=size.stages[1:2],
        holds=size.holds[:1],
        durable_rates=size.durable_rates[:1],
        cycles=size.cycles[1:],
    )
    try:
        _measure(bench, data)
    finally:
        bench.size = size


def _measure(bench: Bench, data: Mapping[int, Path]) -> None:
    bench.started(_servers(bench, data, 0), partial(_idle, bench))
    bench.started(_servers(bench, data, HOLD), partial(_held, bench))


def _servers(bench: Bench, data: Mapping[int, Path], hold: float) -> Sequence[Server]:
    made = {stored: bench.lineup.server(US, SendOptions(hold=hold, data=place)) for stored, place in data.items()}
    return [server if stored == max(data) else evolve(server, name=called(stored)) for stored, server in made.items()]


def _idle(bench: Bench, server: Server) -> None:
    work_idle.measure(bench, server, server.name, about(bench.size.stored[-1]))


def _held(bench: Bench, server: Server) -> None:
    end = about(bench.size.stored[-1])
    work_memory.measure(bench, server, server.name, end)
    work_wake.measure(bench, server, server.name, True, end)
    work_cycle.measure(bench, server, server.name, (SERVER_EYE, CONTROL_ID), about=end)
