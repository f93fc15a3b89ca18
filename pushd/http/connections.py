"""Connections: timeouts, the limits and the throttling of new connections, and the coalescing of writes."""

import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger

from pushd.lib.twisted_patches import DirectChannel

C = TypeVar("C", bound=Hashable)

READS_PER_TURN = 250
"""New connections that are first read in one turn of the reactor; they take about ten milliseconds."""

REPLACEABLE_SECONDS = 5.0
"""How long a connection must have waited for a request to be closed for a new one."""

LOG_SECONDS = 60.0
"""The shortest time between two log lines about connections that were closed."""


@define(eq=False)
class ConnectionTimeout(Generic[C]):
    """Calls ``expire`` with each connection that was started ``seconds`` ago, and with the moment of its start.

    Twisted makes and cancels a timer twice for each request. All connections have the same timeout here, so one timer
    is enough: the connection that was started first expires first.
    """

    clock: IReactorTime
    seconds: float
    expire: Callable[[C, float], None]
    started: dict[C, float] = field(factory=dict, init=False)
    """When the timeout of each connection was started, the oldest first; to stop one, take it out."""
    _timer: IDelayedCall | None = field(default=None, init=False)

    def start(self, connection: C) -> None:
        """Start the timeout of a connection, or restart it."""
        self.started.pop(connection, None)
        self.started[connection] = self.clock.seconds()
        if self._timer is None:
            self._timer = self.clock.callLater(self.seconds, self._expire)

    def forget(self, connection: C) -> None:
        """Stop the timeout: the connection is closed."""
        self.started.pop(connection, None)
        if self._timer is not None and not self.started:
            self._timer.cancel()
            self._timer = None

    def longest(self, seconds: float) -> C | None:
        """The connection that was started first, if that is at least ``seconds`` ago."""
        connection, since = next(iter(self.started.items()), (None, 0.0))
        return connection if self.clock.seconds() - since >= seconds else None

    def _expire(self) -> None:
        self._timer = None
        expired = self.clock.seconds() - self.seconds
        for connection, since in list(self.started.items()):
            if since > expired:
                self._timer = self.clock.callLater(since - expired, self._expire)
                break
            del self.started[connection]
            self.expire(connection, since)


@define(eq=False)
class OpenConnections:
    """The connections of all ports, which are limited because each needs a file descriptor."""

    limit: float = math.inf
    count: int = 0


@define(eq=False)
class ConnectionLimit(Generic[C]):
    """The connections of one port.

    One more than the limit of the port, or of all ports, is closed at once; if another one of the port has waited for
    a request or its head for :data:`REPLACEABLE_SECONDS`, that one is closed instead.
    """

    waiting: Sequence[ConnectionTimeout[C]]
    """The timeouts of connections that wait for a request or its head."""
    close: Callable[[C], None]
    all_ports: OpenConnections
    clock: IReactorTime
    limit: float = math.inf
    count: int = 0
    _refused: int = field(default=0, init=False)
    """Connections that were closed since the last log line."""
    _log_at: float = field(default=0.0, init=False)
    _log = Logger()

    def opened(self) -> bool:
        """A connection was opened; returns whether it may stay open."""
        self.count += 1
        self.all_ports.count += 1
        if self.count <= self.limit and self.all_ports.count <= self.all_ports.limit:
            return True
        for timeout in self.waiting:
            connection = timeout.longest(REPLACEABLE_SECONDS)
            if connection is not None:
                self.close(connection)
                return True
        self._log_refused()
        return False

    def closed(self) -> None:
        """A connection was closed."""
        self.count -= 1
        self.all_ports.count -= 1

    def _log_refused(self) -> None:
        self._refused += 1
        now = self.clock.seconds()
        if now >= self._log_at:
            self._log.error(
                "Too many connections for the limit of open files; open: {count}, closed at once: {refused};"
                " raise the limit (LimitNOFILE, ulimit -Hn)",
                count=self.count - 1,
                refused=self._refused,
            )
            self._log_at, self._refused = now + LOG_SECONDS, 0


@define(eq=False)
class AcceptThrottle:
    """Limits how many new connections are first read in each turn of the reactor, in the order of their arrival.

    After a restart all devices connect at once. All are accepted at once, since a client that does not fit into the
    system's queue tries again only after a second or more; but reading all of them in one turn would make every other
    request wait.
    """

    clock: IReactorTime
    _reads: int = field(default=0, init=False)
    """New connections that are read in this turn."""
    _paused: deque[IPushProducer] = field(factory=deque, init=False)

    def add(self, transport: IPushProducer) -> None:
        """Read a new connection in this turn or a later one."""
        if not self._reads:
            self.clock.callLater(0, self._turn)
        self._reads += 1
        if self._reads > READS_PER_TURN:
            transport.pauseProducing()
            self._paused.append(transport)

    def _turn(self) -> None:
        self._reads = min(READS_PER_TURN, len(self._paused))
        for _ in range(self._reads):
            self._paused.popleft().resumeProducing()
        if self._reads:
            self.clock.callLater(0, self._turn)


@define(eq=False)
class WriteCoalescer:
    """Sends the responses of one turn of the reactor together, at its end.

    Sent one by one, each would wake its client, which would compete with the server for the processor.
    """

    clock: IReactorTime
    _channels: list[DirectChannel] = field(factory=list, init=False)
    _log = Logger()

    def add(self, channel: DirectChannel) -> None:
        """Have a channel send its response at the end of this turn."""
        if not self._channels:
            self.clock.callLater(0, self._send)
        self._channels.append(channel)

    def _send(self) -> None:
        channels, self._channels = self._channels, []
        for channel in channels:
            try:
                channel.send()
            except Exception:  # an error on one connection must not keep the others from being sent
                self._log.failure("Could not send a response; the connection is left as it is")
