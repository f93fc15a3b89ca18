"""
Cost as the work grows: idle polls, memory, wakes and cycles with 1,000, 100,000 and 1,000,000 stored commands, and
100,000 known devices.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from attrs import evolve

from tests.bench import work_cycle, work_idle, work_memory, work_wake
from tests.bench.bench import Bench
from tests.bench.commands import Terms
from tests.bench.fill import fill
from tests.bench.servers import Server
from tests.bench.speech import CONTROL_ID, SERVER_EYE
from tests.bench.who import US

STORED = (1_000, 100_000, 1_000_000)
DEVICES = (80_000, 20_000)
"""Known devices, Server-Eye's and Control iD's."""

HOLD = 55
ABOUT = ", 1,000,000 commands stored"
"""Of a figure: it is ours with most of them stored, and its peers are we with fewer."""


def called(stored: int) -> str:
    """
    We, with so many commands stored.
    """
    return US if stored == max(STORED) else f"pushd, {stored:,} stored"


def work(bench: Bench) -> None:
    """
    Fill, then measure the three side by side.
    """
    data = {}
    for stored in STORED:
        bench.say(f"growth: storing {stored:,} commands")
        data[stored] = fill(bench.lineup.place / f"grown-{stored}", *DEVICES, stored)
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
    idle, held = (
        [
            evolve(bench.lineup.server(US, Terms(hold=hold, data=data[stored])), name=called(stored))
            for stored in STORED
        ]
        for hold in (0, HOLD)
    )
    _standing(bench, idle, _idle)
    _standing(bench, held, _held)


def _idle(bench: Bench, server: Server) -> None:
    work_idle.measure(bench, server, server.name, ABOUT)


def _held(bench: Bench, server: Server) -> None:
    work_memory.measure(bench, server, server.name, ABOUT)
    work_wake.measure(bench, server, server.name, True, ABOUT)
    work_cycle.measure(bench, server, server.name, (SERVER_EYE, CONTROL_ID), about=ABOUT)


def _standing(bench: Bench, servers: Sequence[Server], measure: Callable[[Bench, Server], None]) -> None:
    try:
        for server in servers:
            server.start()
        bench.in_turn(servers, partial(measure, bench))
    finally:
        for server in servers:
            server.stop()
