"""Hostile clients: at a limited rate, from all addresses of the loopback network, each carries out one attack."""

import re
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum
from random import Random
from typing import Any

from attrs import define, field, frozen
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from pushd.demo.layout import HOST
from tests.harness.admin_api import AdminApi
from tests.harness.config import HarnessConfig

ATTACKS_PER_SECOND = 15
MAX_OPEN = 600
"""How many attacks may be in progress at once."""

BUSY = 0.5
"""The share of one core that the server may use; above it no attack begins."""

FIRST_NUMBER = 1000
"""The number of the first client: lower ones are ids of pending devices."""

CLOSE_TOLERANCE = 20.0
"""Seconds by which the server may close a connection too late, on a busy machine."""

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_STATUS_LENGTH = len(b"HTTP/1.1 200 ")


@define(eq=False)
class HostileConnection(Protocol):
    """A connection; of what the server sends, only the status codes are kept."""

    statuses: list[int] = field(factory=list)
    is_closed: bool = False
    """Whether the server, or the client, has closed it."""
    _changed: Deferred[None] = field(factory=Deferred)
    _unread: bytes = b""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        assert self.transport is not None
        self.transport.write(data)

    def abort(self) -> None:
        """Close the connection, if it is open."""
        transport: Any = self.transport
        transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        found = list(_STATUS.finditer(unread := self._unread + data))
        self.statuses += [int(status[1]) for status in found]
        self._unread = unread[max(found[-1].end() if found else 0, len(unread) - _STATUS_LENGTH) :]
        self._notify()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_closed = True
        self._notify()

    def wait_change(self) -> Deferred[None]:
        """Fires when something arrives, or the connection is closed; an earlier one does not fire any more."""
        self._changed = Deferred()
        return self._changed

    def _notify(self) -> None:
        if not self._changed.called:
            self._changed.callback(None)


@define(eq=False, kw_only=True)
class HostileClient:
    """What an attack acts with: a new connection, and chance."""

    connection: HostileConnection
    chance: Random
    clock: Any
    api: AdminApi
    """For attacks by operators."""
    number: int
    """Each client has another."""
    _answers: int = field(default=0, init=False)
    """How many were waited for."""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.connection.send(data)

    async def pause(self, least: float, most: float) -> None:
        """Wait so many seconds."""
        await deferLater(self.clock, self.chance.uniform(least, most))

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the server closes the connection, as it must within so many seconds; now and then, disconnect
        before.

        :raises StaysOpen: if it does not.
        """
        if self.chance.random() < 0.5:
            await self._wait(self.chance.uniform(0, seconds), lambda: self.connection.is_closed)
        elif not await self._wait(seconds + CLOSE_TOLERANCE, lambda: self.connection.is_closed):
            raise StaysOpen(seconds)

    async def wait_answer(self, seconds: float) -> None:
        """Wait for an answer to the last request, which the server must give or close the connection.

        :raises StaysOpen: if it does neither.
        """
        statuses = self.connection.statuses
        if not await self._wait(
            seconds + CLOSE_TOLERANCE, lambda: self.connection.is_closed or len(statuses) > self._answers
        ):
            raise StaysOpen(seconds)
        self._answers = len(statuses)

    async def _wait(self, seconds: float, done: Callable[[], bool]) -> bool:
        until = self.clock.seconds() + seconds
        while not done():
            left = until - self.clock.seconds()
            if left <= 0:
                return False
            with suppress(defer.TimeoutError):
                await self.connection.wait_change().addTimeout(left, self.clock)
        return True


class StaysOpen(Exception):
    """The server has left a connection open for longer than so many seconds."""


class Port(Enum):
    """To which port an attack connects."""

    ADMIN = "admin"
    DEVICES = "devices"
    EITHER = "either"


@frozen
class Attack:
    """One way to be hostile."""

    name: str
    act: Callable[[HostileClient], Coroutine[Deferred[Any], Any, None]]
    statuses: frozenset[int] = frozenset()
    """With which the server may answer."""
    port: Port = Port.EITHER
    weight: float = 1.0
    """How often it is chosen, compared with others."""
    at_most: int | None = None
    """How often it is carried out in a run."""


@define(eq=False, kw_only=True)
class HostileClients:
    """Carries out attacks until it is stopped; at most :data:`MAX_OPEN` at once, and none while the server is busy."""

    config: HarnessConfig
    attacks: tuple[Attack, ...]
    chance: Random
    reactor: Any
    api: AdminApi
    cpu: Callable[[], float]
    """The share of one core that the server uses."""
    counts: Counter[str] = field(factory=Counter, init=False)
    """How often each attack was carried out."""
    held_back: int = field(default=0, init=False)
    """How many attacks were not carried out, because the server was busy."""
    most_open: int = field(default=0, init=False)
    faults: list[str] = field(factory=list, init=False)
    """Answers that the server may not give, and connections that it should have closed."""
    _open: set[Deferred[None]] = field(factory=set, init=False)
    _loop: LoopingCall = field(init=False)
    _number: int = field(default=FIRST_NUMBER, init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._begin)
        self._loop.clock = self.reactor

    def start(self) -> None:
        """Begin."""
        self._loop.start(1 / ATTACKS_PER_SECOND)

    @property
    def is_running(self) -> bool:
        """Whether further attacks will begin; an error ends it."""
        return bool(self._loop.running)

    def stop(self) -> None:
        """Close all connections."""
        if self._loop.running:
            self._loop.stop()
        for attack in tuple(self._open):
            attack.cancel()

    def _begin(self) -> None:
        if self.cpu() > BUSY or len(self._open) >= MAX_OPEN:
            self.held_back += 1
            return
        attack = self._choose()
        task = Deferred.fromCoroutine(self.carry_out(attack))
        self._open.add(task)
        self.most_open = max(self.most_open, len(self._open))
        task.addBoth(self._ended, task, attack)

    def _choose(self) -> Attack:
        """One that was not carried out yet, else any."""
        fresh = [attack for attack in self.attacks if not self.counts[attack.name]]
        if fresh:
            return self.chance.choice(fresh)
        (attack,) = self.chance.choices(self.attacks, [self._weight(attack) for attack in self.attacks])
        return attack

    def _weight(self, attack: Attack) -> float:
        is_left = attack.at_most is None or self.counts[attack.name] < attack.at_most
        return attack.weight * is_left

    def _ended(self, outcome: object, task: Deferred[None], attack: Attack) -> None:
        self._open.discard(task)
        if not isinstance(outcome, Failure) or outcome.check(CancelledError, ConnectingCancelledError):
            return
        if outcome.check(StaysOpen):
            self.faults.append(f"{attack.name}: the connection stays open for more than {outcome.value} s")
        else:
            self.faults.append(f"{attack.name}: {outcome.getTraceback()}")

    async def carry_out(self, attack: Attack) -> None:
        """Carry out one attack."""
        self.counts[attack.name] += 1
        self._number += 1
        number = self._number
        is_either = attack.port is Port.EITHER
        port = self.chance.choice((Port.ADMIN, Port.DEVICES)) if is_either else attack.port
        connection = await self._connect(self.config.admin_port if port is Port.ADMIN else self.config.devices_port)
        if connection is None:
            return
        client = HostileClient(
            connection=connection, chance=self.chance, clock=self.reactor, api=self.api, number=number
        )
        try:
            await attack.act(client)
        finally:
            connection.abort()
            for status in set(connection.statuses) - attack.statuses:
                self.faults.append(f"{attack.name}: answered with {status}")

    async def _connect(self, port: int) -> HostileConnection | None:
        address = ".".join(["127", *(str(self.chance.randint(1, 254)) for _ in range(3))])
        endpoint = TCP4ClientEndpoint(self.reactor, HOST, port, timeout=CLOSE_TOLERANCE, bindAddress=(address, 0))
        connection = HostileConnection()
        with suppress(ConnectError):
            await connectProtocol(endpoint, connection)
            return connection
        return None
