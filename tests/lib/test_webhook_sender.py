"""Tests of :mod:`pushd.lib.webhook_sender`, over sockets, with receivers that misbehave."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from pushd.core.egress_policy import EgressPolicy
from pushd.lib.backoff import read_retry_after
from pushd.lib.ip_networks import parse_network
from pushd.lib.webhook_sender import MAX_KEPT, PostOutcome, WebhookSender
from pushd.notifications.webhooks.guarded_agent import build_agent
from tests.hostile_server import HEADERS, HostileServer

BODY = b'{"type":"device.online"}'


@define(eq=False)
class RawReceiver:
    """A receiver that answers with given bytes, and then closes the connection or keeps it open."""

    port: int = 0
    answer: bytes = b""
    closes: bool = False
    received: bytes = b""
    connections: int = 0
    got_request: Deferred[None] = field(factory=Deferred)
    lost: Deferred[None] = field(factory=Deferred)
    """Fires when a connection has ended."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook?key=%2F1"


class _Connection(Protocol):
    factory: Any

    def connectionMade(self) -> None:
        self.factory.receiver.connections += 1

    def dataReceived(self, data: bytes) -> None:
        receiver, transport = self.factory.receiver, self.transport
        assert transport is not None
        receiver.received += data
        if not receiver.received.endswith(BODY):
            return
        transport.write(receiver.answer)
        if receiver.closes:
            transport.loseConnection()
        if not receiver.got_request.called:
            receiver.got_request.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.factory.receiver.lost.called:
            self.factory.receiver.lost.callback(None)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def receiver() -> AsyncIterator[RawReceiver]:
    """A receiver on this machine."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    receiver = RawReceiver()
    factory: Any = Factory.forProtocol(_Connection)
    factory.receiver = receiver
    listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
    receiver.port = listening.getHost().port
    yield receiver
    await listening.stopListening()


@pytest.fixture
def sender() -> WebhookSender:
    """A sender that may reach this machine."""
    from twisted.internet import reactor

    return WebhookSender(build_agent(reactor, EgressPolicy((parse_network("127.0.0.0/8"),))), reactor)


async def post(sender: WebhookSender, receiver: RawReceiver) -> PostOutcome:
    """Send a message."""
    return await sender.post(receiver.url, {"content-type": "application/json", "webhook-id": "evt_1"}, BODY)


async def test_request_on_the_wire(sender: WebhookSender, receiver: RawReceiver) -> None:
    """The request holds the URL as it is, the message's headers, and nothing that invites cookies or compression."""
    receiver.answer = b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\n\r\n"
    assert await post(sender, receiver) == await post(sender, receiver) == PostOutcome(status=204)
    head, _, rest = receiver.received.partition(b"\r\n\r\n")
    assert rest.startswith(BODY)
    first, *lines = head.split(b"\r\n")
    assert first == b"POST /hook?key=%2F1 HTTP/1.1"
    assert {line.partition(b":")[0].lower() for line in lines} == {
        *(b"host", b"content-type", b"content-length", b"webhook-id"),
    }
    assert b"cookie" not in receiver.received.lower()
    assert receiver.connections == 1  # which was used again


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nnot now\x00", "not now"),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno", "no"),
    ],
)
async def test_a_body_that_breaks_off(
    sender: WebhookSender, receiver: RawReceiver, answer: bytes, error: str | None
) -> None:
    """The status and what has come of the body count, though the connection is lost before its end."""
    receiver.answer, receiver.closes = answer, True
    outcome = await post(sender, receiver)
    assert (outcome.status, outcome.retry_after, outcome.delivered) == (503, "7", False)
    assert (outcome.error or "").rstrip("\ufffd ") == (error or "")


@pytest.mark.parametrize("status", [200, 503])
async def test_headers_that_are_not_text(sender: WebhookSender, receiver: RawReceiver, status: int) -> None:
    """Response headers in any encoding change nothing about the outcome."""
    headers = b"".join(b"%s: \xff\xfe\r\n" % name for name in (b"Retry-After", b"X-Other", b"Content-Type"))
    receiver.answer = b"HTTP/1.1 %d \xff\r\n%sContent-Length: 0\r\n\r\n" % (status, headers)
    outcome = await post(sender, receiver)
    assert (outcome.status, outcome.error, outcome.delivered) == (status, None, status == 200)
    assert read_retry_after(outcome.retry_after, 0) is None


async def test_a_body_without_end(sender: WebhookSender, receiver: RawReceiver) -> None:
    """A receiver that sends too much is disconnected; the beginning of its response is kept."""
    receiver.answer = b"HTTP/1.1 500 No\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 200_000
    outcome = await post(sender, receiver)
    await receiver.lost
    assert outcome.status == 500
    assert outcome.error is not None
    assert outcome.error.startswith("xxx")
    assert len(outcome.error) <= MAX_KEPT


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"SSH-2.0-OpenSSH\r\n\r\n"])
async def test_no_answer(sender: WebhookSender, receiver: RawReceiver, answer: bytes) -> None:
    """A receiver that closes the connection, or does not speak HTTP, has not got the message."""
    receiver.answer, receiver.closes = answer, True
    outcome = await post(sender, receiver)
    assert (outcome.status, outcome.delivered) == (None, False)
    assert outcome.error


async def test_forbidden_and_unreachable_addresses(sender: WebhookSender, receiver: RawReceiver) -> None:
    """An address that is not allowed, or at which nothing listens, is an outcome that says so."""
    forbidden = await sender.post(f"http://[::1]:{receiver.port}/", {}, BODY)
    assert "--webhook-allow" in str(forbidden.error)
    unreachable = await sender.post("http://127.0.0.1:1/", {}, BODY)
    assert "refused" in str(unreachable.error)
    assert receiver.connections == 0


async def test_an_attempt_can_be_cancelled(sender: WebhookSender, receiver: RawReceiver) -> None:
    """An attempt that is cancelled closes its connection, and has no outcome."""
    attempt = Deferred.fromCoroutine(post(sender, receiver))
    await receiver.got_request
    attempt.cancel()
    with pytest.raises(CancelledError):
        await attempt
    await receiver.lost


async def test_endless_headers(sender: WebhookSender) -> None:
    """A receiver that sends headers without an end has not taken the message, and is disconnected."""
    receiver = HostileServer(b"HTTP/1.1 200 OK\r\n", HEADERS)
    with receiver.running() as url:
        outcome = await sender.post(url.replace("localhost", "127.0.0.1"), {}, BODY)
        await receiver.wait_closed()
    assert outcome == PostOutcome(error="the headers of the response are larger than 65536 bytes")
