"""The HTTP clients of simulated devices."""

from typing import Any

import pytest
from hyperlink import DecodedURL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from pushd.simulator.http import NO_READ_FAULTS, DeviceClient, DeviceClientFactory, ReadFaults, RequestFailed
from tests.hostile_server import HEADERS, HostileServer, reactor_in_use
from tests.simulator.fake_server import FakeServer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(server: FakeServer, faults: ReadFaults = NO_READ_FAULTS) -> Deferred[bytes]:
    """Send a GET request with a timeout of ten seconds."""
    return Deferred.fromCoroutine(server.client().get("a", "b", query={"c": "d&e"}, timeout=10, faults=faults))


def outcome(response: Deferred[bytes]) -> bytes | str:
    """The body of the response, or why the request failed."""
    results: list[object] = []
    response.addBoth(results.append)
    assert results, "still waiting"
    result = results[0]
    if isinstance(result, Failure):
        result.trap(RequestFailed)
        return result.getErrorMessage()
    assert isinstance(result, bytes)
    return result


def test_get(server: FakeServer) -> None:
    """A response with the status 200 is returned."""
    response = get(server)
    request = server.take("GET", "/a/b")
    assert request.args == {"c": "d&e"}
    request.answer(b"yes")
    assert outcome(response) == b"yes"


def test_post(server: FakeServer) -> None:
    """A body is sent as JSON, an empty one without a content type."""
    response = Deferred.fromCoroutine(server.client().post("a", query={}, timeout=10, body=b"{}"))
    request = server.take("POST", "/a")
    assert (request.body, request.content_type) == (b"{}", "application/json")
    request.answer()
    assert outcome(response) == b""
    response = Deferred.fromCoroutine(server.client().post("a", query={}, timeout=10))
    request = server.take("POST", "/a")
    assert (request.body, request.content_type) == (b"", None)
    request.answer()
    assert outcome(response) == b""


@pytest.mark.parametrize("code", [302, 403, 503])
def test_other_than_200(server: FakeServer, code: int) -> None:
    """Any other status is a failure."""
    response = get(server)
    server.take("GET", "/a/b").answer(b"why", code)
    assert outcome(response) == f"HTTP {code}"


def test_timeout(server: FakeServer) -> None:
    """After its timeout a request fails, and the connection is closed."""
    response = get(server)
    request = server.take("GET", "/a/b")
    server.advance(9.9)
    assert not request.closed()
    server.advance(0.2)
    assert request.closed()
    assert outcome(response) == "no response within 10 s"


def test_timeout_halfway(server: FakeServer) -> None:
    """The timeout also ends a response that has begun and does not end."""
    response = get(server)
    request = server.take("GET", "/a/b")
    request.begin(b"ye")
    server.advance(10)
    assert request.closed()
    assert outcome(response) == "no response within 10 s"


def test_cut(server: FakeServer) -> None:
    """The fault ``cut`` closes the connection when the response begins."""
    response = get(server, ReadFaults(cut=True))
    request = server.take("GET", "/a/b")
    request.begin(b"ye")
    server.advance(0)
    assert request.closed()
    assert outcome(response) == "the simulated device closed the connection (fault)"


def test_delay(server: FakeServer) -> None:
    """The fault ``delay`` returns a response some time after it arrived."""
    response = get(server, ReadFaults(delay=3))
    server.take("GET", "/a/b").answer(b"yes")
    server.advance(2.9)
    assert not response.called
    server.advance(0.1)
    assert outcome(response) == b"yes"


def test_delay_beyond_timeout(server: FakeServer) -> None:
    """A response that is not read before the timeout is lost, and the connection is closed."""
    response = get(server, ReadFaults(delay=11))
    request = server.take("GET", "/a/b")
    server.advance(1)
    request.begin(b"ye")
    server.advance(9)
    assert request.closed()
    assert outcome(response) == "no response within 10 s"


def test_lost(server: FakeServer) -> None:
    """A request fails if the server closes the connection."""
    response = get(server)
    request = server.take("GET", "/a/b")
    request.drop()
    assert "Connection" in str(outcome(response))


def test_lost_halfway(server: FakeServer) -> None:
    """A request fails if the response is incomplete."""
    response = get(server)
    request = server.take("GET", "/a/b")
    request.begin(b"ye")
    request.drop()
    assert "Connection" in str(outcome(response))


def test_cancel(server: FakeServer) -> None:
    """A request that is cancelled closes its connection, and is no failure of the server."""
    response = get(server)
    request = server.take("GET", "/a/b")
    response.cancel()
    server.advance(0)
    assert request.closed()
    failures: list[Failure] = []
    response.addErrback(failures.append)
    assert [failure.type for failure in failures] == [CancelledError]


def test_root(server: FakeServer) -> None:
    """The path of the server's URL precedes every path, with or without a slash at its end."""
    for root in ("http://pushd.example/x/y", "http://pushd.example/x/y/"):
        client = server.client(root)
        response = Deferred.fromCoroutine(client.get("push", query={}, timeout=1))
        server.take("GET", "/x/y/push").answer(b"ok")
        assert outcome(response) == b"ok"


def client_of(
    reactor: MemoryReactorClock, url: str = "http://127.0.0.1:8080", source: str | None = None
) -> DeviceClient:
    """A client with connections of its own."""
    return DeviceClientFactory(reactor).create(DecodedURL.from_text(url), source)


def poll(client: DeviceClient) -> Deferred[bytes]:
    """Send a request."""
    return Deferred.fromCoroutine(client.get("push", query={}, timeout=15))


def test_source_address() -> None:
    """A device of a site connects from the address of the site, any other from the address that the OS chooses."""
    reactor = MemoryReactorClock()
    for source in ("127.0.0.3", None):
        response = poll(client_of(reactor, source=source))
        host, port, _, _, bound = reactor.tcpClients.pop()
        assert (host, port, bound) == ("127.0.0.1", 8080, source and (source, 0))
        response.addErrback(lambda _: None).cancel()


def test_disconnect() -> None:
    """A connection that is kept for the next request is closed when the device goes offline."""
    reactor = MemoryReactorClock()
    client = client_of(reactor)
    response = poll(client)
    protocol: Any = reactor.tcpClients[0][2].buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(OK)
    assert response.result == b"ok"
    closing = [transport.disconnecting]
    client.disconnect()
    closing.append(transport.disconnecting)
    assert closing == [False, True]
    assert reactor.getDelayedCalls() == []


def test_tls_and_names() -> None:
    """The URL of a server may have a host name, and https."""
    reactor = MemoryReactorClock()
    response = poll(client_of(reactor, "https://pushd.example"))
    reactor.advance(0)
    assert [client[1] for client in reactor.tcpClients] == [443]
    response.addErrback(lambda _: None).cancel()


def test_connections_are_not_logged() -> None:
    """Connections are not logged."""
    reactor = MemoryReactorClock()
    with capturedLogs() as logged:
        response = poll(client_of(reactor))
        reactor.tcpClients[0][2].doStart()
        reactor.tcpClients[0][2].doStop()
    assert logged == []
    response.addErrback(lambda _: None).cancel()


async def test_endless_headers() -> None:
    """A server that sends headers without an end has not answered, and is disconnected."""
    server = HostileServer(b"HTTP/1.1 200 OK\r\n", HEADERS)
    with server.running() as url:
        client = DeviceClientFactory(reactor_in_use()).create(DecodedURL.from_text(url), None)
        with pytest.raises(RequestFailed, match="headers of the response are larger"):
            await client.get("push", query={}, timeout=30)
        await server.wait_closed()
