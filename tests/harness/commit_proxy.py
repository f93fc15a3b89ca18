"""A proxy in front of PostgreSQL: it ends sessions in the middle of a group or at COMMIT, and loses answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.protocols import portforward
from twisted.python.failure import Failure

from pushd.demo.layout import HOST

_WRITES = (b"INSERT", b"UPDATE", b"DELETE", b"WITH")
_ATTEMPT = b"INSERT INTO attempt"
_GETS_COMMIT = 0.5
"""How often PostgreSQL still gets the COMMIT at which a session is ended."""

_MAX_WAIT = 10.0
"""Seconds to wait for a transaction."""


class Cut(StrEnum):
    """Where a session is ended."""

    WRITING = "before its first write"
    COMMIT = "when it commits"
    ANSWER = "after its commit, whose answer is lost"


@define(eq=False)
class Requests:
    """The statements that a client executes, read from the bytes that it sends.

    See "Message Formats" in the manual of PostgreSQL: each message but the first has a type of one byte.
    """

    _unread: bytes = field(default=b"", init=False)
    _has_begun: bool = field(default=False, init=False)
    _prepared: dict[bytes, bytes] = field(factory=dict, init=False)

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The SQL of each statement that more bytes complete, and its parameters as they are sent."""
        self._unread += data
        while (message := self._next()) is not None:
            kind, body = message
            name, _, rest = body.partition(b"\0")
            if kind == b"P":
                self._prepared[name] = rest.partition(b"\0")[0]
            elif kind == b"B":
                statement, _, values = rest.partition(b"\0")
                yield self._prepared.get(statement, b""), values

    def _next(self) -> tuple[bytes, bytes] | None:
        start = int(self._has_begun)
        size = start + int.from_bytes(self._unread[start : start + 4], "big")
        if len(self._unread) < start + 4 or len(self._unread) < size:
            return None
        message, self._unread = self._unread[:size], self._unread[size:]
        self._has_begun = True
        return message[:start], message[start + 4 :]


class _ToPostgres(portforward.ProxyClient):
    """The connection to PostgreSQL; ``peer`` is that of the client."""

    def dataReceived(self, data: bytes) -> None:
        session: Any = self.peer
        if session is None:
            return
        if session.loses_answer:
            session.end()
            session.proxy.has_cut(True)
            return
        if session.suspends:
            session.suspends = False
            session.proxy.suspend()
        super().dataReceived(data)


class _Connector(portforward.ProxyClientFactory):
    protocol = _ToPostgres


class _Session(portforward.ProxyServer):
    """The connection of a client; ``peer`` is the one to PostgreSQL."""

    transport: Any
    peer: Any
    factory: Any
    clientProtocolFactory = _Connector  # noqa: N815  # Twisted's name

    def connectionMade(self) -> None:
        self.proxy: CommitProxy = self.factory.proxy
        self.requests, self.last = Requests(), b""
        self.writes = self.is_watched = self.loses_answer = self.suspends = False
        self.reactor = self.proxy.reactor
        if self.proxy.is_away:
            self.transport.abortConnection()
            return
        self.proxy.sessions.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.proxy.sessions.discard(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        self.last = data
        passes = all(self._passes(sql, values) for sql, values in self.requests.feed(data))
        if passes and self.peer is not None:
            super().dataReceived(data)

    def end(self, last: bytes = b"") -> None:
        """End the session at both ends; PostgreSQL still gets these bytes."""
        self.transport.abortConnection()
        if self.peer is not None:
            self.peer.transport.write(last)
            self.peer.transport.loseConnection()

    def _passes(self, sql: bytes, values: bytes) -> bool:
        """Look at a statement; whether PostgreSQL gets it."""
        if sql in (b"COMMIT", b"ROLLBACK"):
            return self._ends(is_commit=sql == b"COMMIT")
        if not sql.startswith(_WRITES):
            return True
        self.writes = True
        self.is_watched |= sql.startswith(_ATTEMPT) and self.proxy.is_watched(values)
        return not self._is_cut(Cut.WRITING)

    def _ends(self, is_commit: bool) -> bool:
        commits, self.writes = is_commit and self.writes, False
        self.suspends, self.is_watched = commits and self.is_watched, False
        if not commits:
            return True
        self.loses_answer = self.proxy.takes(Cut.ANSWER)
        return not self._is_cut(Cut.COMMIT, self.last if self.proxy.chance.random() < _GETS_COMMIT else b"")

    def _is_cut(self, where: Cut, last: bytes = b"") -> bool:
        if not self.proxy.takes(where):
            return False
        self.end(last)
        self.proxy.has_cut(True)
        return True


@define(eq=False)
class CommitProxy:
    """Listens on ``port`` for clients of the server that listens on ``postgres_port``.

    Clients must ask for no encryption.
    """

    reactor: Any
    chance: Random
    port: int
    postgres_port: int
    sessions: set[_Session] = field(factory=set, init=False)
    is_away: bool = field(default=False, init=False)
    _listening: Any = field(default=None, init=False)
    _awaited: Cut | None = field(default=None, init=False)
    _happened: Deferred[bool] | None = field(default=None, init=False)
    _watched: bytes | None = field(default=None, init=False)
    _suspend: Callable[[], None] = field(default=lambda: None, init=False)

    def start(self) -> None:
        """Listen."""
        factory: Any = portforward.ProxyFactory(HOST, self.postgres_port)
        factory.protocol, factory.proxy = _Session, self
        self._listening = self.reactor.listenTCP(self.port, factory, interface=HOST)

    async def stop(self) -> None:
        """End all sessions, and listen no more."""
        if self._listening is not None:
            await self._listening.stopListening()
        self._end_sessions()

    @contextmanager
    def away(self) -> Iterator[None]:
        """In this context there are no sessions, as if the network were down."""
        self.is_away = True
        self._end_sessions()
        try:
            yield
        finally:
            self.is_away = False

    async def cut(self, where: Cut) -> bool:
        """End the next session that comes to this point; the caller goes on at that moment. Whether there was one."""
        self._awaited, self._happened = where, Deferred()
        timeout = self.reactor.callLater(_MAX_WAIT, self.has_cut, False)
        try:
            return await self._happened
        finally:
            if timeout.active():
                timeout.cancel()

    def suspend_after_claim(self, device: str, suspend: Callable[[], None]) -> None:
        """Call ``suspend`` when the next claim for a device is committed, before the client gets the answer."""
        self._watched, self._suspend = device.encode(), suspend

    def is_watched(self, values: bytes) -> bool:
        """Whether a new attempt with these parameters is the awaited one."""
        return self._watched is not None and self._watched in values

    def suspend(self) -> None:
        """The awaited claim was committed."""
        if self._watched is not None:
            self._watched = None
            self._suspend()

    def takes(self, where: Cut) -> bool:
        """Whether the session that comes to this point is the one to be ended."""
        if where is not self._awaited:
            return False
        self._awaited = None
        return True

    def _end_sessions(self) -> None:
        for session in list(self.sessions):
            session.end()

    def has_cut(self, is_cut: bool) -> None:
        """The awaited session was ended, or none came."""
        happened, self._happened, self._awaited = self._happened, None, None
        if happened is not None:
            happened.callback(is_cut)
