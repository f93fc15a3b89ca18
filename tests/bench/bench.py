"""
What all works have: the generator, the line-up, the book, and how large the work is.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field, frozen

from tests.bench.book import FSYNC, Book
from tests.bench.commands import Terms
from tests.bench.generator import Broken, Generator
from tests.bench.lineup import Lineup
from tests.bench.machine import fsync_seconds
from tests.bench.servers import Server
from tests.bench.who import US


@frozen(kw_only=True)
class Size:
    """
    How much is done; durations in seconds.
    """

    known: tuple[int, int]
    """Devices that pushd knows from the start, of Server-Eye and of Control iD: as many as will come."""
    idle: float
    stages: Sequence[int]
    """How many polls are held for a look at the memory."""
    holds: Sequence[int]
    """How many polls are held while others are woken."""
    rates: Sequence[tuple[float, float]]
    """Puts in a second, and for how long."""
    durable_rates: Sequence[tuple[float, float]]
    """The same, for those that write what is put to the disk."""
    cycles: Sequence[int]
    """How many devices there are in the durable cycle."""
    cycle: float
    crowd: int
    stored: Sequence[int]
    """How many commands are stored while the same is done again, fewest first."""
    grown: tuple[int, int]
    """Devices that are known then, of Server-Eye and of Control iD."""
    settle: float


FULL = Size(
    known=(19_000, 2_000),
    idle=0.7,
    stages=(1_000, 10_000, 19_000),
    holds=(5_000, 10_000),
    rates=((200, 1.0), (4_000, 0.5)),
    durable_rates=((200, 2.0), (4_000, 0.5)),
    cycles=(1, 200, 2_000),
    cycle=0.8,
    crowd=10_000,
    stored=(1_000, 100_000, 1_000_000),
    grown=(80_000, 20_000),
    settle=0.4,
)
SMALL = Size(
    known=(50, 10),
    idle=0.2,
    stages=(10, 50),
    holds=(50,),
    rates=((50, 0.4),),
    durable_rates=((50, 0.4),),
    cycles=(1, 10),
    cycle=0.3,
    crowd=50,
    stored=(10, 1_000),
    grown=(60, 20),
    settle=0.2,
)


@define(eq=False)
class Bench:
    """
    Has works done by everybody in turn, run after run.
    """

    generator: Generator
    lineup: Lineup
    book: Book
    size: Size
    runs: int
    say: Callable[[str], None]
    part: str = field(default="", init=False)
    _until: float = field(default=0.0, init=False)

    def begin(self, part: str, seconds: float) -> None:
        """
        Begin a part, which may take so long; what is not done by then is left out, and said so.
        """
        self.part = part
        self.book.write(FSYNC, US, fsync_seconds(self.lineup.place) * 1000)
        self._until = time.monotonic() + seconds

    def in_turn(self, servers: "Sequence[Server]", measure: Callable[[Server], None]) -> None:
        """
        Let each of them do this, then each again, as often as there are runs; who breaks is not asked again.
        """
        for run in range(self.runs):
            for server in servers:
                if time.monotonic() > self._until:
                    self.book.notes.append(f"{self.part}: out of time in run {run + 1} of {self.runs}")
                    return
                self.say(f"{self.part}: run {run + 1} of {self.runs}, {server.name}")
                self.carefully(server, measure)

    def carefully(self, server: Server, measure: Callable[[Server], object]) -> None:
        """
        Let it do this; if it breaks, note why.
        """
        if (self.part, server.name) in self.book.broken:
            return
        try:
            measure(server)
        except Broken as error:
            self.book.broken[self.part, server.name] = str(error)
            self.say(f"{self.part}: {server.name} broke: {error}")

    def servers(self, names: Sequence[str], terms: Terms) -> Sequence[Server]:
        """
        Servers of those who are here, not yet started.
        """
        return [self.lineup.server(name, terms) for name in self.lineup.present(names)]

    @contextmanager
    def standing(self, names: Sequence[str], terms: Terms) -> Iterator[Sequence[Server]]:
        """
        Servers of those who are here, started before the block and stopped after it.
        """
        servers = self.servers(names, terms)
        try:
            for server in servers:
                self.carefully(server, Server.start)
            yield [server for server in servers if server.running]
        finally:
            for server in servers:
                server.stop()

    def started(self, servers: Sequence[Server], measure: Callable[[Server], None]) -> None:
        """
        The same as :meth:`in_turn`, but each is started anew for each run, and stopped after it.
        """

        def start_and_measure(server: Server) -> None:
            try:
                measure(server.start())
            finally:
                server.stop()

        self.in_turn(servers, start_and_measure)
