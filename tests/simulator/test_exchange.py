"""The connections of simulated devices."""

from typing import Any

from hyperlink import DecodedURL
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs

from pushd.simulator.exchange import Exchange
from pushd.simulator.http import Line

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def line_of(reactor: MemoryReactorClock, url: str = "http://127.0.0.1:8080", source: str | None = None) -> Line:
    """A device's line."""
    return Exchange(reactor).line(DecodedURL.from_text(url), source)


def ask(line: Line) -> Deferred[bytes]:
    """Ask the server something."""
    return Deferred.fromCoroutine(line.get("push", query={}, patience=15))


def test_source() -> None:
    """A device of a site connects from its address, any other from whichever the system takes."""
    reactor = MemoryReactorClock()
    for source in ("127.0.0.3", None):
        asking = ask(line_of(reactor, source=source))
        host, port, _, _, bound = reactor.tcpClients.pop()
        assert (host, port, bound) == ("127.0.0.1", 8080, source and (source, 0))
        asking.addErrback(lambda _: None).cancel()


def test_hang_up() -> None:
    """A connection that is kept for the next question is closed when the device falls silent."""
    reactor = MemoryReactorClock()
    line = line_of(reactor)
    asking = ask(line)
    protocol: Any = reactor.tcpClients[0][2].buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(OK)
    assert asking.result == b"ok"
    ending = [transport.disconnecting]
    line.hang_up()
    ending.append(transport.disconnecting)
    assert ending == [False, True]
    assert reactor.getDelayedCalls() == []


def test_tls_and_names() -> None:
    """A server may be given by name, and speak TLS."""
    reactor = MemoryReactorClock()
    asking = ask(line_of(reactor, "https://pushd.example"))
    reactor.advance(0)
    assert [client[1] for client in reactor.tcpClients] == [443]
    asking.addErrback(lambda _: None).cancel()


def test_connections_are_not_logged() -> None:
    """The log has no line for each connection."""
    reactor = MemoryReactorClock()
    with capturedLogs() as logged:
        asking = ask(line_of(reactor))
        reactor.tcpClients[0][2].doStart()
        reactor.tcpClients[0][2].doStop()
    assert logged == []
    asking.addErrback(lambda _: None).cancel()
