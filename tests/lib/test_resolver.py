"""Tests of :mod:`pushd.lib.resolver`."""

from collections.abc import Iterator, Sequence
from socket import AF_INET, EAI_NONAME, SOCK_STREAM, gaierror
from threading import Event, Lock, current_thread
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import gatherResults
from twisted.internet.interfaces import IAddress
from twisted.internet.task import deferLater

from pushd.lib.resolver import MAX_THREADS, install_resolver, resolve
from tests.hostile_server import reactor_in_use


@define(eq=False)
class NameServer:
    """Stands in for ``getaddrinfo``; does not answer until it is released."""

    released: Event = field(factory=Event)
    asked: list[str] = field(factory=list)
    threads: set[str] = field(factory=set)
    daemons: set[bool] = field(factory=set)
    """Whether the end of the process waits for the threads: not if they are daemons."""
    most: int = 0
    """Look-ups at the same time."""
    _pending: int = 0
    _lock: Lock = field(factory=Lock)

    def look_up(self, host: str, port: int, *_: Any) -> list[Any]:
        """Find a name, which has the address 192.0.2.1."""
        with self._lock:
            self.asked.append(host)
            self.threads.add(current_thread().name)
            self.daemons.add(current_thread().daemon)
            self._pending += 1
            self.most = max(self.most, self._pending)
        assert self.released.wait(60)
        with self._lock:
            self._pending -= 1
        if host == "missing.test":
            raise gaierror(EAI_NONAME, "no such name")
        if host == "invalid.test":
            raise UnicodeError("label too long")
        return [(AF_INET, SOCK_STREAM, 6, "", ("192.0.2.1", port))]


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    """A name server, with this module's resolver in the reactor."""
    reactor, server = reactor_in_use(), NameServer()
    before = reactor.nameResolver
    install_resolver(reactor, server.look_up)
    yield server
    server.released.set()
    reactor.installNameResolver(before)


def hosts(addresses: Sequence[IAddress]) -> list[str]:
    """The IP addresses."""
    return [getattr(address, "host", "") for address in addresses]


async def until_asked(server: NameServer, count: int) -> None:
    """Wait for so many look-ups."""
    for _ in range(1000):
        if len(server.asked) >= count:
            return
        await deferLater(reactor_in_use(), 0.01)
    raise AssertionError(server.asked)


async def test_requests_for_one_name_share_a_look_up(name_server: NameServer) -> None:
    """However often a name that hangs is asked for, it takes one thread, and others are looked up meanwhile."""
    waiting = [resolve(reactor_in_use(), "receiver.test", 80) for _ in range(50)]
    waiting += [resolve(reactor_in_use(), "other.test", 80)]
    await until_asked(name_server, 2)
    assert sorted(name_server.asked) == ["other.test", "receiver.test"]
    name_server.released.set()
    assert {tuple(hosts(addresses)) for addresses in await gatherResults(waiting)} == {("192.0.2.1",)}


async def test_threads_are_bounded_and_not_the_reactors(name_server: NameServer) -> None:
    """Many names that hang take a few threads, none of them of the reactor, and none that the end of the
    process waits for; all are found in the end.
    """
    names = [f"{number}.test" for number in range(5 * MAX_THREADS)]
    waiting = [resolve(reactor_in_use(), name, 80) for name in names]
    await until_asked(name_server, MAX_THREADS)
    assert name_server.threads == {"lookup"}
    assert name_server.daemons == {True}
    name_server.released.set()
    assert len(await gatherResults(waiting)) == len(names)
    assert (sorted(name_server.asked), name_server.most) == (sorted(names), MAX_THREADS)


@pytest.mark.parametrize("name", ["missing.test", "invalid.test"])
async def test_names_that_cannot_be_found(name_server: NameServer, name: str) -> None:
    """A name that does not exist, or cannot be a name, has no addresses, and ends no thread."""
    name_server.released.set()
    assert await resolve(reactor_in_use(), name, 80) == []
    assert hosts(await resolve(reactor_in_use(), "receiver.test", 80)) == ["192.0.2.1"]


async def test_waiting_can_be_cancelled(name_server: NameServer) -> None:
    """A request that is cancelled does not disturb others for the same name."""
    cancelled, other = (resolve(reactor_in_use(), "receiver.test", 80) for _ in range(2))
    cancelled.addErrback(lambda _: None).cancel()
    name_server.released.set()
    assert hosts(await other) == ["192.0.2.1"]


async def test_real_names() -> None:
    """The resolver of the operating system finds this machine."""
    reactor = reactor_in_use()
    before = reactor.nameResolver
    install_resolver(reactor)
    try:
        assert set(hosts(await resolve(reactor, "localhost", 80))) <= {"127.0.0.1", "::1"}
        assert hosts(await resolve(reactor, "192.0.2.7", 80)) == ["192.0.2.7"]
    finally:
        reactor.installNameResolver(before)
