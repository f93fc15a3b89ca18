"""What all works have: the generator, the line-up, the book; and everybody in turn."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field

from benchmarks.book import FSYNC, Book
from benchmarks.commands import SendOptions
from benchmarks.generator import Broken, Generator
from benchmarks.lineup import Lineup
from benchmarks.machine import fsync_seconds
from benchmarks.servers import Server
from benchmarks.sizes import Size
from benchmarks.who import US


@define(eq=False)
class Bench:
    """Has works done by everybody in turn, run after run."""

    generator: Generator
    lineup: Lineup
    book: Book
    size: Size
    runs: int
    say: Callable[[str], None]
    part: str = field(default="", init=False)
    _until: float = field(default=0.0, init=False)

    def begin(self, part: str, seconds: float) -> None:
        """Begin a part, which may take so long; what would not be done by then is left out, and said so."""
        self.part = part
        self.book.write(FSYNC, US, fsync_seconds(self.lineup.place) * 1000)
        self._until = time.monotonic() + seconds

    def in_turn(self, servers: Sequence[Server], measure: Callable[[Server], None]) -> None:
        """Let each of them do this, then each again, as often as there are runs; who breaks is not asked again."""
        took: dict[str, float] = {}
        for run in range(self.runs):
            for server in servers:
                began = time.monotonic()
                if began + took.get(server.name, 0) > self._until:
                    self.book.notes.append(f"{self.part}: out of time in run {run + 1} of {self.runs}")
                    return
                self.say(f"{self.part}: run {run + 1} of {self.runs}, {server.name}")
                self.carefully(server, measure)
                took[server.name] = time.monotonic() - began

    def carefully(self, server: Server, measure: Callable[[Server], object]) -> None:
        """Let it do this; if it breaks, note why."""
        if (self.part, server.name) in self.book.broken:
            return
        try:
            measure(server)
        except (Broken, OSError) as error:  # a process that is gone has no memory to look at, say
            self.book.broken[self.part, server.name] = str(error)
            self.say(f"{self.part}: {server.name} broke: {error}")

    def servers(self, names: Sequence[str], terms: SendOptions) -> Sequence[Server]:
        """Servers of those who are here, not yet started."""
        return [self.lineup.server(name, terms) for name in self.lineup.present(names)]

    @contextmanager
    def standing(self, names: Sequence[str], terms: SendOptions) -> Iterator[Sequence[Server]]:
        """Servers of those who are here, started before the block and stopped after it."""
        servers = self.servers(names, terms)
        try:
            for server in servers:
                self.carefully(server, Server.start)
            yield [server for server in servers if server.running]
        finally:
            for server in servers:
                server.stop()

    def started(self, servers: Sequence[Server], measure: Callable[[Server], None]) -> None:
        """The same as :meth:`in_turn`, but each is started anew for each run, and stopped after it."""
        self.in_turn(servers, lambda server: _start_and_measure(server, measure))

    def anew(self, names: Sequence[str], terms: SendOptions, measure: Callable[[Server], None]) -> None:
        """The same, and nothing is left of the run before: neither what was stored, nor that devices hung up, from
        which we would have learned to hold them for less long.
        """

        def made_and_measured(server: Server) -> None:
            _start_and_measure(self.lineup.server(server.kind, terms), measure)

        self.in_turn(self.servers(names, terms), made_and_measured)


def _start_and_measure(server: Server, measure: Callable[[Server], None]) -> None:
    try:
        measure(server.start())
    finally:
        server.stop()
