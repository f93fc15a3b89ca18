"""Tests of :mod:`pushd.http.handlers`: whoever waits for an answer gets one, whatever goes wrong in a route."""

from typing import Any

import pytest
from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pushd.http.bodies import SMALL, Budget
from pushd.http.handlers import serve
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.http.site import Channel, HTTPFactory
from tests.connection import Connection, request


@define(eq=False)
class App:
    """An app whose routes fail, or wait, as a test wants it."""

    router = Router()

    waits: Deferred[Any] = field(factory=Deferred)

    @router.route("/fails", methods=["GET"])
    async def fails(self, _request: Request) -> bytes:
        """Fail in a way that nobody has words for."""
        raise LookupError("no words")

    @router.route("/waits", methods=["GET"])
    async def wait(self, _request: Request) -> bytes:
        """Wait."""
        return bytes(await self.waits)

    @router.handle_errors(ValueError)
    def worse(self, _request: Request, _failure: Failure) -> bytes:
        """Fail again."""
        raise TypeError("worse")

    def serve(self, request: Request) -> None:
        """Answer a request."""
        serve(self, request, request.path)

    def limit(self, _method: bytes, _uri: bytes) -> int:
        """How much of a body is kept."""
        return SMALL


@pytest.fixture
def app() -> App:
    """An app."""
    return App()


def ask(app: App, clock: Clock, line: str) -> Connection:
    """Make a request."""
    address = IPv4Address("TCP", "192.0.2.1", 40000)
    channel: Channel = HTTPFactory(app, Budget(), clock).buildProtocol(address)
    transport = StringTransport(peerAddress=address)
    channel.makeConnection(transport)
    connection = Connection(channel, transport)
    connection.send(request(line))
    return connection


@pytest.mark.parametrize("line", ["GET /fails", "GET /waits"])
def test_a_bug_is_a_500(app: App, clock: Clock, line: str, no_logged_failure: list[Failure]) -> None:
    """A client whose request meets a bug of ours, or a bug in how one is told, hears 500, and is not left waiting."""
    connection = ask(app, clock, line)
    if line == "GET /waits":
        app.waits.errback(ValueError("bad"))
    answer = connection.answer()
    assert (answer.code, answer.body) == (500, b"")
    assert len(no_logged_failure) == 1
    no_logged_failure.clear()
    connection.hang_up()


def test_an_answer_that_comes_later(app: App, clock: Clock) -> None:
    """A route that waits answers when it has something."""
    connection = ask(app, clock, "GET /waits")
    assert connection.answers() == []
    app.waits.callback(b"here")
    assert connection.answer().body == b"here"
    connection.hang_up()


def test_a_client_that_leaves(app: App, clock: Clock) -> None:
    """What a route waits for is cancelled when its client leaves."""
    left: list[Deferred[Any]] = []
    app.waits = Deferred(left.append)
    connection = ask(app, clock, "GET /waits")
    connection.hang_up()
    assert left == [app.waits]
