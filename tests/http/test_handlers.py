"""Tests of :mod:`pushd.http.handlers`: each request is answered, whatever goes wrong in its route."""

import gc
from collections.abc import Iterator
from typing import Any
from weakref import ref

import pytest
from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pushd.http.bodies import Budgets
from pushd.http.handlers import serve
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.http.site import Channel, HTTPFactory
from pushd.lib.cancellable_waits import DeferredWait
from tests.connection import Connection, request


@define(eq=False)
class App:
    """An app whose routes fail, or wait for ``awaited``."""

    router = Router()

    awaited: Deferred[Any] = field(factory=Deferred)
    waits_next: Deferred[Any] = field(factory=DeferredWait)
    done: list[bytes] = field(factory=list)

    @router.route("/fails", methods=["GET"])
    async def fails(self, _request: Request) -> bytes:
        """Fail with an error for which there is no handler."""
        raise LookupError("no handler")

    @router.route("/waits", methods=["GET"])
    async def wait(self, _request: Request) -> bytes:
        """Wait, and respond with the result."""
        return bytes(await self.awaited)

    @router.route("/works", methods=["GET"])
    async def work(self, _request: Request) -> bytes:
        """Do work, then wait."""
        self.done.append(await self.awaited)
        await self.waits_next
        return b""

    @router.handle_errors(KeyError)
    def fail_as_expected(self, _request: Request, _failure: Failure) -> bytes:
        """Respond to an error."""
        return b""

    @router.handle_errors(ValueError)
    def fail_again(self, _request: Request, _failure: Failure) -> bytes:
        """Fail in the error handler."""
        raise TypeError("in the handler")

    def serve(self, request: Request) -> None:
        """Respond to a request."""
        serve(self, request, request.path.decode())

    def grant_body(self, _request: Request) -> None:
        """Nothing is kept of a body."""

    def not_http(self, _address: str | None, _data: bytes) -> None:
        """Nothing but requests is sent."""


@pytest.fixture
def app() -> App:
    """An app of its own for each test."""
    return App()


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Garbage is not collected during the test."""
    gc.disable()
    yield
    gc.enable()


def connect(app: App, clock: Clock, line: str) -> Connection:
    """A connection to the app that has sent one request."""
    address = IPv4Address("TCP", "192.0.2.1", 40000)
    channel: Channel = HTTPFactory(app, Budgets(), clock).buildProtocol(address)
    transport = StringTransport(peerAddress=address)
    channel.makeConnection(transport)
    connection = Connection(channel, transport)
    connection.send(request(line))
    return connection


@pytest.mark.parametrize("line", ["GET /fails", "GET /waits"])
def test_unexpected_error_is_a_500(app: App, clock: Clock, line: str, no_logged_failure: list[Failure]) -> None:
    """An unexpected error in a route, or in its error handler, is an empty 500; the client is not left waiting."""
    connection = connect(app, clock, line)
    if line == "GET /waits":
        app.awaited.errback(ValueError("bad"))
    answer = connection.answer()
    assert (answer.code, answer.body) == (500, b"")
    assert len(no_logged_failure) == 1
    no_logged_failure.clear()
    connection.hang_up()


def test_response_that_comes_later(app: App, clock: Clock) -> None:
    """A route that waits is resumed with the result, and then the response is written."""
    connection = connect(app, clock, "GET /waits")
    assert connection.answers() == []
    app.awaited.callback(b"result")
    assert connection.answer().body == b"result"
    connection.hang_up()


def test_client_that_disconnects(app: App, clock: Clock) -> None:
    """A wait ends when its client disconnects."""
    cancelled: list[Deferred[Any]] = []
    app.awaited = DeferredWait(cancelled.append)
    connection = connect(app, clock, "GET /waits")
    connection.hang_up()
    assert cancelled == [app.awaited]


def test_work_is_finished(app: App, clock: Clock) -> None:
    """Work that has begun is finished when its client disconnects; a wait that follows it ends at once."""
    cancelled: list[Deferred[Any]] = []
    app.waits_next = DeferredWait(cancelled.append)
    connection = connect(app, clock, "GET /works")
    connection.hang_up()
    app.awaited.callback(b"done")
    assert app.done == [b"done"]
    assert cancelled == [app.waits_next]


def test_error_after_the_client_disconnected(app: App, clock: Clock, no_logged_failure: list[Failure]) -> None:
    """An error that has a handler is no surprise, also after the client has disconnected: nothing is logged."""
    app.awaited = Deferred()
    connection = connect(app, clock, "GET /works")
    connection.hang_up()
    app.awaited.errback(KeyError())
    assert no_logged_failure == []


class Large:
    """Stands for a large body: other than bytes, it can be referenced weakly."""


def failing(large: Large) -> Deferred[Any]:
    """What a thread gives whose function has failed with a large body in its variables."""
    try:
        raise KeyError(str(large))
    except KeyError:
        return fail(Failure())


def test_error_keeps_nothing_of_a_body(app: App, clock: Clock, no_collection: None) -> None:
    """What a function that failed had in its variables is freed with the response, without a garbage collection."""
    large = Large()
    reference = ref(large)
    connection = connect(app, clock, "GET /waits")
    failing(large).chainDeferred(app.awaited)
    del large
    assert connection.answer().body == b""
    assert reference() is None
    connection.hang_up()
