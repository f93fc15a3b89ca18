"""Tests of the thread that listens to what other nodes commit, and reads it."""

from collections.abc import Callable, Iterator
from queue import Empty, Queue
from typing import Any

import psycopg
import pytest
from attrs import define, field

from pushd.store.postgres.listener import Listener
from pushd.store.postgres.notifications import CHANNEL, notify
from pushd.store.postgres.session import Connection, Session, SessionOptions
from tests.postgres import ReusedDatabase

SECONDS = 5.0
"""For which a test waits for the thread, at most."""


@define(eq=False)
class SlowReactor:
    """A reactor that calls what threads ask for only when a test says so."""

    calls: Queue[tuple[Callable[..., Any], tuple[Any, ...]]] = field(factory=Queue)

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> None:
        """Keep a call."""
        self.calls.put((call, args))

    def turn(self, until: Callable[[], bool]) -> None:
        """Call what is asked for until something is true."""
        while not until():
            call, args = self.calls.get(timeout=SECONDS)
            call(*args)


@define(eq=False)
class Listening:
    """A node that listens, and counts what it reads."""

    url: str
    reactor: SlowReactor = field(factory=SlowReactor)
    reads: int = 0
    taken: list[int] = field(factory=list)
    lost: list[str] = field(factory=list)
    missed: list[str] = field(factory=list)
    """Notifications that do not name the devices, of which all is to be read again."""
    begun: int = 0
    fails: list[Exception] = field(factory=list)
    """What goes wrong with the next reads."""
    read: Queue[int] = field(factory=Queue)
    listener: Listener[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        session: Any = Session(SessionOptions(url=self.url, node="a", instance="1"))
        reactor: Any = self.reactor
        channels = {CHANNEL: self.missed.append}
        self.listener = Listener(
            session, channels, self.begin, self.follow, self.taken.append, self.lost.append, reactor
        )

    def begin(self, _since: float) -> None:
        """It has begun to listen."""
        self.begun += 1

    def follow(self, _connection: Connection) -> int:
        """Read once more; on the thread."""
        self.reads += 1
        self.read.put(self.reads)
        if self.fails:
            raise self.fails.pop()
        return self.reads

    def commit(self, sender: str = "b", devices: int = 1) -> None:
        """A node has committed something about so many devices."""
        request = notify(sender, [f"controlid:{number}" for number in range(devices)])
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_notify(%s, %s)", [value and value.decode() for value in request.values])

    def wait_for_read(self) -> None:
        """Wait until the thread reads."""
        self.read.get(timeout=SECONDS)


@pytest.fixture
def listening(postgres_database: ReusedDatabase) -> Iterator[Listening]:
    """A node that has begun to listen."""
    postgres_database.restore("two_devices")
    found = Listening(postgres_database.url)
    found.listener.start()
    found.reactor.turn(lambda: found.begun == 1)
    yield found
    closed = found.listener.close()
    found.reactor.turn(lambda: bool(closed.called))


def test_reads_wait_for_a_busy_reactor(listening: Listening) -> None:
    """However much other nodes commit while the reactor is busy, what was read is kept once, and the rest is read
    when the reactor has taken that.
    """
    listening.commit()
    listening.wait_for_read()
    for _ in range(5):
        listening.commit()
    with pytest.raises(Empty):
        listening.read.get(timeout=0.3)
    assert (listening.reads, listening.taken) == (1, [])
    listening.reactor.turn(lambda: listening.taken == [1])
    listening.wait_for_read()
    listening.reactor.turn(lambda: listening.taken == [1, 2])


@pytest.mark.parametrize("error", [ValueError("no such type of event"), psycopg.OperationalError("lost")], ids=repr)
def test_read_that_fails(listening: Listening, error: Exception) -> None:
    """Whatever is wrong with what is read, those that asked for it learn that, and the thread listens again."""
    listening.fails.append(error)
    listening.listener.ask()
    listening.reactor.turn(lambda: bool(listening.lost))
    assert str(error) in listening.lost[0]
    listening.reactor.turn(lambda: listening.begun == 2)
    listening.commit()
    listening.reactor.turn(lambda: listening.taken == [2])


def test_own_commits_are_known(listening: Listening) -> None:
    """What the node itself has committed is not read again, even if the notification could not name all devices."""
    own = listening.listener.session.options.sender
    listening.commit(own)
    listening.commit(own, devices=1000)
    listening.commit(devices=1000)
    listening.reactor.turn(lambda: bool(listening.missed))
    assert (listening.missed, listening.reads) == (["b *"], 0)
