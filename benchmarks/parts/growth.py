"""Growth: idle polls, memory, wake-ups and cycles with up to a million stored commands and 100,000 devices."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from attrs import evolve

from benchmarks.parts import cycle, idle, memory, wake
from benchmarks.runner import Runner
from benchmarks.sample_data import make_data_dir
from benchmarks.server_names import PUSHD
from benchmarks.servers import Server
from benchmarks.start_commands import ServerOptions

HOLD = 55


def growth_suffix(stored: int) -> str:
    """The end of a metric's name: the figure of pushd is with so many commands, others are of pushd with fewer."""
    return f", {stored:,} commands stored"


def growth_label(stored: int) -> str:
    """The name of pushd with fewer stored commands than the metric says."""
    return f"pushd, {stored:,} stored"


def run(runner: Runner) -> None:
    """Make the data directories, and measure pushd with each."""
    data_dirs = {}
    for stored in runner.size.stored:
        runner.log(f"growth: storing {stored:,} commands")
        directory = runner.factory.directory / f"grown-{stored}"
        data_dirs[stored] = make_data_dir(directory, *runner.size.grown, stored)
    size = runner.size
    runner.size = evolve(
        size,
        stages=size.stages[1:2],
        holds=size.holds[:1],
        durable_rates=size.durable_rates[:1],
        cycles=size.cycles[1:],
    )
    try:
        runner.restart_and_measure(_servers(runner, data_dirs, 0), partial(_measure_idle, runner))
        runner.restart_and_measure(_servers(runner, data_dirs, HOLD), partial(_measure_held, runner))
    finally:
        runner.size = size


def _servers(runner: Runner, data_dirs: Mapping[int, Path], hold: float) -> Sequence[Server]:
    servers = {
        stored: runner.factory.make(PUSHD, ServerOptions(hold=hold, data_dir=data_dir))
        for stored, data_dir in data_dirs.items()
    }
    most = max(data_dirs)
    return [
        server if stored == most else evolve(server, name=growth_label(stored)) for stored, server in servers.items()
    ]


def _measure_idle(runner: Runner, server: Server) -> None:
    idle.measure(runner, server, growth_suffix(runner.size.stored[-1]))


def _measure_held(runner: Runner, server: Server) -> None:
    suffix = growth_suffix(runner.size.stored[-1])
    memory.measure(runner, server, suffix)
    wake.measure(runner, server, True, suffix)
    cycle.measure(runner, server, suffix=suffix)
