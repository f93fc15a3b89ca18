"""Runs measurements of several servers in turn, repeatedly, within the time of each part."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field

from benchmarks.generator import Generator, MeasurementFailed
from benchmarks.machine import fsync_seconds
from benchmarks.results import FSYNC, Results
from benchmarks.server_factory import ServerFactory
from benchmarks.server_names import PUSHD
from benchmarks.servers import Server
from benchmarks.sizes import Size
from benchmarks.start_commands import ServerOptions

Measure = Callable[[Server], None]
"""Measures a running server once."""


@define(eq=False)
class Runner:
    """What all parts share: the load generator, the servers and the results."""

    generator: Generator
    factory: ServerFactory
    results: Results
    size: Size
    runs: int
    log: Callable[[str], None]
    part: str = field(default="", init=False)
    _until: float = field(default=0.0, init=False)

    def begin(self, part: str, seconds: float) -> None:
        """Begin a part; measurements that would exceed its time are left out, with a note."""
        self.part = part
        self.results.add(FSYNC, PUSHD, fsync_seconds(self.factory.directory) * 1000)
        self._until = time.monotonic() + seconds

    def make_servers(self, names: Sequence[str], options: ServerOptions) -> Sequence[Server]:
        """Make those of these servers that can be measured; they are not started."""
        return [self.factory.make(name, options) for name in self.factory.available(names)]

    @contextmanager
    def running_servers(self, names: Sequence[str], options: ServerOptions) -> Iterator[Sequence[Server]]:
        """Those of these servers that can be measured, running until the block ends."""
        servers = self.make_servers(names, options)
        try:
            for server in servers:
                self._try(server, _start)
            yield [server for server in servers if server.running]
        finally:
            for server in servers:
                server.stop()

    def measure_in_turn(self, servers: Sequence[Server], measure: Measure) -> None:
        """Measure each server, then each again, for as many runs as asked; not again if its measurement failed."""
        durations: dict[str, float] = {}
        for run in range(self.runs):
            for server in servers:
                began = time.monotonic()
                if began + durations.get(server.name, 0) > self._until:
                    self.results.notes.append(f"{self.part}: out of time in run {run + 1} of {self.runs}")
                    return
                self.log(f"{self.part}: run {run + 1} of {self.runs}, {server.name}")
                self._try(server, measure)
                durations[server.name] = time.monotonic() - began

    def restart_and_measure(self, servers: Sequence[Server], measure: Measure) -> None:
        """The same, with each server started before each measurement and stopped after it."""
        self.measure_in_turn(servers, lambda server: _start_and_measure(server, measure))

    def recreate_and_measure(self, names: Sequence[str], options: ServerOptions, measure: Measure) -> None:
        """The same, with a new server for each measurement: without the commands of earlier runs, and without the hold
        times that pushd has learned from their hang-ups.
        """
        self.measure_in_turn(
            self.make_servers(names, options),
            lambda server: _start_and_measure(self.factory.make(server.name, options), measure),
        )

    def _try(self, server: Server, measure: Measure) -> None:
        if (self.part, server.name) in self.results.failures:
            return
        try:
            measure(server)
        except (MeasurementFailed, OSError) as error:  # OSError: the process has ended, so its memory cannot be read
            self.results.failures[self.part, server.name] = str(error)
            self.log(f"{self.part}: {server.name} failed: {error}")


def _start(server: Server) -> None:
    server.start()


def _start_and_measure(server: Server, measure: Measure) -> None:
    try:
        measure(server.start())
    finally:
        server.stop()
