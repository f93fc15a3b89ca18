"""Tests of :mod:`pushd.lib.http_client`."""

import gc
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionLost, DNSLookupError
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss

from pushd.lib.http_client import (
    MAX_HEAD,
    MAX_INFORMATIONAL,
    BodyReader,
    BoundedConnectionPool,
    ResponseTooLarge,
    cause_of,
    close,
    describe,
    read_body,
    unwrap_cancellation,
)
from tests.hostile_server import HEADERS, HostileServer, reactor_in_use
from tests.notifications.certificates import Authority


def reading(**bounds: int) -> BodyReader:
    """A reader that is connected."""
    reader = BodyReader(**bounds)
    reader.makeConnection(StringTransport())
    return reader


def is_closed(reader: BodyReader) -> bool:
    """Whether the reader has closed its connection."""
    transport: Any = reader.transport
    return bool(transport.disconnecting)


def outcome(done: Deferred[Any]) -> Any:
    """What a Deferred fired or failed with; ``...`` if it did not yet."""
    found: list[Any] = []
    done.addCallbacks(found.append, lambda failure: found.append(failure.type))
    return found[0] if found else ...


@pytest.mark.parametrize("end", [ResponseDone, PotentialDataLoss])
def test_whole_body(end: type[Exception]) -> None:
    """A body without bounds is read to its end, which need not be announced by a length."""
    reader = reading()
    reader.dataReceived(b"ab")
    reader.dataReceived(b"cd")
    assert not reader.done.called
    reader.connectionLost(Failure(end()))
    assert (outcome(reader.done), reader.body) == (None, b"abcd")


def test_only_the_beginning_is_kept() -> None:
    """A body is read to its end, so that its connection can be used again, while memory holds its beginning only."""
    reader = reading(keep=3)
    for _ in range(100):
        reader.dataReceived(b"ab")
    reader.connectionLost(Failure(ResponseDone()))
    assert (outcome(reader.done), reader.body) == (None, b"aba")


def test_connection_is_closed_beyond_the_limit() -> None:
    """A body without an end is not read for ever; what still comes is dropped."""
    reader = reading(limit=3)
    reader.dataReceived(b"abc")
    assert not is_closed(reader)
    reader.dataReceived(b"d")
    assert is_closed(reader)
    reader.dataReceived(b"e")
    reader.connectionLost(Failure(ConnectionLost()))
    assert (outcome(reader.done), reader.body) == (None, b"abcd")


def test_lost_connection_is_an_error() -> None:
    """A body that breaks off is not taken for a whole one; what has come can be read."""
    reader = reading()
    reader.dataReceived(b"ab")
    reader.connectionLost(Failure(ConnectionLost()))
    assert (outcome(reader.done), reader.body) == (ConnectionLost, b"ab")


def test_cancelling_closes_the_connection() -> None:
    """A reader that is cancelled leaves no connection open."""
    reader = reading()
    reader.done.cancel()
    assert is_closed(reader)
    reader.connectionLost(Failure(ConnectionLost()))
    assert outcome(reader.done) is CancelledError


def test_causes() -> None:
    """What went wrong is the first of what Agent collected, and is described even if it has no message."""
    lookup_error = DNSLookupError("no such name")
    assert cause_of(ResponseFailed([Failure(lookup_error), Failure(KeyError())])) is lookup_error
    assert cause_of(lookup_error) is lookup_error
    assert describe(ResponseFailed([Failure(OSError("no route"))])) == "no route"
    assert describe(KeyError()) == "KeyError"


@pytest.mark.parametrize("error", [CancelledError(), ConnectingCancelledError(None)])
def test_cancelled_request(error: Exception) -> None:
    """A request that was cancelled fails as any cancelled Deferred does, so that ``addTimeout`` recognizes it."""
    with pytest.raises(CancelledError):
        unwrap_cancellation(Failure(ResponseFailed([Failure(error)])))
    other = Failure(ResponseFailed([Failure(OSError())]))
    assert unwrap_cancellation(other) is other


def agent(authority: Authority | None = None) -> tuple[Agent, BoundedConnectionPool]:
    """An agent, and its connections."""
    pool = BoundedConnectionPool(reactor_in_use())
    roots = [] if authority is None else [Certificate.loadPEM(authority.file.read_bytes())]
    return Agent(reactor_in_use(), BrowserLikePolicyForHTTPS(trustRootFromCertificates(roots)), pool=pool), pool


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
CONTINUE = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\n", HEADERS),
        (b"HTTP/1.1 200 OK\r\nX-Name: a\r\n", b" " + b"v" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Name: a", b"v" * 1000),
        (b"", b"v" * 1000),
        (b"", CONTINUE),
    ],
    ids=["headers", "continuations", "one line", "status line", "informational"],
)
@pytest.mark.parametrize("encrypted", [False, True])
async def test_head_without_end(answer: bytes, endless: bytes, encrypted: bool, tmp_path: Path) -> None:
    """A response whose head never ends fails after a bounded number of bytes, and its connection is closed."""
    authority = Authority(tmp_path) if encrypted else None
    server = HostileServer(answer, endless, authority.server("localhost") if authority else None)
    client, _ = agent(authority)
    with server.running() as url:
        with pytest.raises(ResponseFailed):
            await client.request(b"GET", url.encode())
        await server.wait_closed()
    assert server.sent < 64 * 1024 * 1024  # what fits into the buffers of both sides


async def test_head_up_to_the_limit() -> None:
    """Large headers, and a few informational responses, are accepted, also again and again on one connection."""
    large = HEAD + HEADERS * 55 + b"\r\nok"
    server = HostileServer(CONTINUE * MAX_INFORMATIONAL + large)
    client, pool = agent()
    with server.running() as url:
        for _ in range(3):
            assert await read_body(await client.request(b"GET", url.encode())) == b"ok"
        await pool.closeCachedConnections()
    assert server.connections == 1


async def test_response_is_freed_once_it_is_read() -> None:
    """A response leaves no reference cycle: one for each message of a webhook would be in memory for an hour."""
    server = HostileServer(HEAD + b"\r\nok")
    client, pool = agent()
    with server.running() as url:
        response = await client.request(b"GET", url.encode())
        assert await read_body(response) == b"ok"
        reference = ref(response)
        del response
        gc.disable()
        await deferLater(reactor_in_use(), 0)  # until then Twisted's functions have it in their variables
        gc.enable()
        assert reference() is None
        await pool.closeCachedConnections()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (HEAD + b"X-Name: 1\r\n" * (MAX_HEAD // 11), "headers of the response are larger than 65536 bytes"),
        (CONTINUE * (MAX_INFORMATIONAL + 1), "more than 10 informational responses"),
    ],
)
async def test_reason_names_the_limit(answer: bytes, message: str) -> None:
    """The error says which limit a response exceeded."""
    server = HostileServer(answer)
    with server.running() as url, pytest.raises(ResponseFailed) as raised:
        await agent()[0].request(b"GET", url.encode())
    assert isinstance(cause_of(raised.value), ResponseTooLarge)
    assert message in describe(raised.value)


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("reads", ["all", "a beginning", "nothing"])
async def test_body_without_end(reads: str, encrypted: bool, tmp_path: Path) -> None:
    """A client that does not read on closes the connection, though the server sends on and never closes it."""
    authority = Authority(tmp_path) if encrypted else None
    server = HostileServer(
        b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000, authority.server("localhost") if authority else None
    )
    client, _ = agent(authority)
    with server.running() as url:
        response = await client.request(b"GET", url.encode())
        if reads == "all":
            with pytest.raises(ResponseTooLarge, match="larger than 100000 bytes"):
                await read_body(response, 100_000)
        elif reads == "a beginning":
            reader = BodyReader(keep=10, limit=100_000)
            response.deliverBody(reader)
            await reader.done
            assert (reader.body, reader.complete) == (b"x" * 10, False)
        else:
            close(response)
        await server.wait_closed()


async def test_tls_server_that_never_closes(tmp_path: Path) -> None:
    """After a response that ends the connection, the client closes it, even if the server does not end TLS."""
    authority = Authority(tmp_path)
    answer = HEAD + b"Connection: close\r\n\r\nok"
    server = HostileServer(answer, tls=authority.server("localhost"))
    client, _ = agent(authority)
    with server.running() as url:
        assert await read_body(await client.request(b"GET", url.encode())) == b"ok"
        await server.wait_closed()


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        (b"HTTP/1.1 204 OK\r\n", 1),
        (b"HTTP/1.1 204 OK\r\nConnection: Close\r\n", 2),
        (b"HTTP/1.0 204 OK\r\n", 2),
        (b"HTTP/1.0 204 OK\r\nConnection: Keep-Alive\r\n", 1),
    ],
)
async def test_connection_that_the_server_closes(head: bytes, connections: int) -> None:
    """A connection is used again only if the server keeps it open, which HTTP/1.0 says otherwise than HTTP/1.1."""
    client, pool = agent()
    server = HostileServer(head + b"\r\n")
    with server.running() as url:
        for _ in range(2):
            assert (await client.request(b"POST", url.encode())).code == 204
    await pool.closeCachedConnections()
    assert server.connections == connections
