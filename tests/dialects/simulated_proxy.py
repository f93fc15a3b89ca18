"""A simulated reverse proxy between simulated devices and the server, which hides disconnects of either side."""

from collections.abc import Callable
from typing import Any, cast

from attrs import define, field
from treq.client import HTTPClient
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.web.pages import errorPage

Cut = Callable[["Proxy", "Exchange"], None]
"""What a proxy does with an exchange after its own timeout."""


@define(eq=False)
class Exchange:
    """One request: ``upstream`` is the response of the server, ``downstream`` the response to the device."""

    method: str
    url: str
    upstream: Deferred[Any]
    downstream: Deferred[Any]

    def respond(self, response: Any) -> None:
        """Pass a response to the device, if it still waits."""
        if not self.downstream.called:
            self.downstream.callback(response)


@define(eq=False)
class Proxy:
    """A client like treq, which devices use instead of the server's; requests that take longer than ``timeout``
    seconds are ended by ``cut``, unless it is None.
    """

    server: StubTreq
    clock: Clock
    timeout: float | None = None
    cut: Cut | None = None
    given_up: int = field(default=0, init=False)
    """The number of requests that the server did not answer while their device waited."""
    _exchanges: list[Exchange] = field(factory=list, init=False)
    _timers: list[IDelayedCall] = field(factory=list, init=False)
    _own: StubTreq = field(factory=lambda: StubTreq(errorPage(504, "Gateway Timeout", "")), init=False)

    def request(self, method: str, url: Any, **kwargs: Any) -> Deferred[Any]:
        """Send a request to the server, as treq does."""
        upstream = _client(self.server).request(method, url, **kwargs)
        downstream: Deferred[Any] = Deferred(lambda _downstream: self._count_given_up())
        exchange = Exchange(method, url, upstream, downstream)
        self._exchanges.append(exchange)
        upstream.addCallbacks(exchange.respond, lambda _failure: None)
        if self.timeout is not None and self.cut is not None:
            self._timers.append(self.clock.callLater(self.timeout, self._cut, exchange))
        return downstream

    def flush(self) -> None:
        """Deliver what was sent to the other side."""
        self.server.flush()
        self._own.flush()

    def close(self) -> None:
        """Close all connections to the server."""
        for exchange in self._exchanges:
            exchange.upstream.cancel()
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self.flush()

    def drop(self) -> None:
        """Lose the newest connection to a device; the server does not notice."""
        self.hang_up(self._exchanges[-1])

    def hang_up(self, exchange: Exchange) -> None:
        """Close the connection to the device."""
        exchange.downstream.errback(ConnectionLost())

    def time_out(self, exchange: Exchange) -> None:
        """Answer 504 in place of the server."""
        _client(self._own).request(exchange.method, exchange.url).addCallback(exchange.respond)

    def _cut(self, exchange: Exchange) -> None:
        if self.cut is not None and not exchange.downstream.called:
            self._count_given_up()
            self.cut(self, exchange)

    def _count_given_up(self) -> None:
        self.given_up += 1


def _client(stub: StubTreq) -> HTTPClient:
    return cast(HTTPClient, stub)


def both_sides(proxy: Proxy, exchange: Exchange) -> None:
    """The proxy closes both connections."""
    exchange.upstream.cancel()
    proxy.hang_up(exchange)


def with_504(proxy: Proxy, exchange: Exchange) -> None:
    """The proxy answers 504, and closes the connection to the server."""
    exchange.upstream.cancel()
    proxy.time_out(exchange)


def with_504_dangling(proxy: Proxy, exchange: Exchange) -> None:
    """The proxy answers 504, and leaves the connection to the server as it is."""
    proxy.time_out(exchange)
