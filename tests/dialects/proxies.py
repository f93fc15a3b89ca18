"""Proxies between simulated devices and a server, which hide from one side what the other does."""

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
"""What a proxy does to an exchange when its own patience is over."""


@define(eq=False)
class Exchange:
    """One request on its way: what its device waits for, and what the server is asked."""

    method: str
    url: str
    asked: Deferred[Any]
    told: Deferred[Any]

    def tell(self, response: Any) -> None:
        """Let the device have an answer, if it still waits."""
        if not self.told.called:
            self.told.callback(response)


@define(eq=False)
class Proxy:
    """What devices ask instead of the server; it cuts what takes longer than ``patience`` seconds, if that is not
    None.
    """

    server: StubTreq
    clock: Clock
    patience: float | None = None
    cut: Cut | None = None
    given_up: int = field(default=0, init=False)
    """Requests that were not answered by the server as long as their device waited."""
    _exchanges: list[Exchange] = field(factory=list, init=False)
    _timers: list[IDelayedCall] = field(factory=list, init=False)
    _own: StubTreq = field(factory=lambda: StubTreq(errorPage(504, "Gateway Timeout", "")), init=False)

    def request(self, method: str, url: Any, **kwargs: Any) -> Deferred[Any]:
        """Ask the server, as treq does."""
        asked = _client(self.server).request(method, url, **kwargs)
        told: Deferred[Any] = Deferred(lambda _told: self._note())
        exchange = Exchange(method, url, asked, told)
        self._exchanges.append(exchange)
        asked.addCallbacks(exchange.tell, lambda _failure: None)
        if self.patience is not None and self.cut is not None:
            self._timers.append(self.clock.callLater(self.patience, self._cut, exchange))
        return told

    def flush(self) -> None:
        """Let what was said reach the other side."""
        self.server.flush()
        self._own.flush()

    def close(self) -> None:
        """Hang up whatever is still open towards the server."""
        for exchange in self._exchanges:
            exchange.asked.cancel()
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self.flush()

    def drop(self) -> None:
        """Lose the newest connection to a device, which the server does not see."""
        self.hang_up(self._exchanges[-1])

    def hang_up(self, exchange: Exchange) -> None:
        """Close the connection to the device."""
        exchange.told.errback(ConnectionLost())

    def time_out(self, exchange: Exchange) -> None:
        """Answer for the server."""
        _client(self._own).request(exchange.method, exchange.url).addCallback(exchange.tell)

    def _cut(self, exchange: Exchange) -> None:
        if self.cut is not None and not exchange.told.called:
            self._note()
            self.cut(self, exchange)

    def _note(self) -> None:
        self.given_up += 1


def _client(stub: StubTreq) -> HTTPClient:
    return cast(HTTPClient, stub)


def both_sides(proxy: Proxy, exchange: Exchange) -> None:
    """The proxy closes both connections."""
    exchange.asked.cancel()
    proxy.hang_up(exchange)


def with_504(proxy: Proxy, exchange: Exchange) -> None:
    """The proxy answers 504, and closes the connection to the server."""
    exchange.asked.cancel()
    proxy.time_out(exchange)


def with_504_dangling(proxy: Proxy, exchange: Exchange) -> None:
    """The proxy answers 504, and leaves the connection to the server as it is."""
    proxy.time_out(exchange)
