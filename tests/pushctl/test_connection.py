"""Tests of one request and its answer."""

from collections.abc import Callable

import pytest
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from pushd.pushctl.connection import PATIENCE, Call, Connection, Json
from pushd.pushctl.errors import ClientError, Refused, Unintelligible, Unreachable
from tests.pushctl.recorded import Answer, RecordedServer

URL = DecodedURL.from_text("http://127.0.0.1:8081")
CALL = Call(path=["v1", "devices"])


def _ask(server: RecordedServer, clock: Clock, call: Call = CALL, seconds: float = 0) -> Deferred[Json]:
    http = server.http()
    asked = ensureDeferred(Connection(treq=http, base=URL, token="mine", clock=clock).ask(call))
    for _ in range(2):
        http.flush()  # type: ignore[attr-defined]
        clock.advance(seconds / 2)
    http.flush()  # type: ignore[attr-defined]
    return asked


def _result(asked: Deferred[Json]) -> Json | BaseException | None:
    ended: list[Json | Failure] = []
    asked.addBoth(ended.append)
    (result,) = ended
    return result.value if isinstance(result, Failure) else result


@implementer(IAgent)
class _Agent:
    """An agent for which every request goes the same way."""

    def __init__(self, way: Callable[[], Deferred[IResponse]]) -> None:
        self._way = way

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: object = None,
        bodyProducer: object = None,  # noqa: N803  # the name is Twisted's
    ) -> Deferred[IResponse]:
        return self._way()


def _connection(clock: Clock, way: Callable[[], Deferred[IResponse]]) -> Connection:
    return Connection(treq=HTTPClient(_Agent(way)), base=URL, token="mine", clock=clock)


def test_answer_is_a_json_object(server: RecordedServer, clock: Clock) -> None:
    """The object that the server answers with is handed on."""
    server.on("GET /v1/devices", Answer(body={"id": 9007199254740993}))
    assert _result(_ask(server, clock)) == {"id": 9007199254740993}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b'{"a":', b"[" * 100_000, b"\xff"])
def test_answer_that_is_no_object_is_not_ours(server: RecordedServer, clock: Clock, body: bytes) -> None:
    """Some other server on that port is recognised as such."""
    server.on("GET /v1/devices", Answer(body=body))
    error = _result(_ask(server, clock))
    assert isinstance(error, Unintelligible)
    assert "is this the admin port of pushd?" in str(error)


def test_redirect_is_not_followed(server: RecordedServer, clock: Clock) -> None:
    """A redirect is not obeyed: the token would go along."""
    server.on("GET /v1/devices", Answer(status=302, body=b""))
    assert isinstance(_result(_ask(server, clock)), Unintelligible)
    assert len(server.asked) == 1


def test_refusal_without_a_problem_is_a_refusal(server: RecordedServer, clock: Clock) -> None:
    """An error that some proxy made up is still an error with its status."""
    server.on("GET /v1/devices", Answer(status=502, body=b"<html>Bad Gateway"))
    error = _result(_ask(server, clock))
    assert isinstance(error, Refused)
    assert (error.status, str(error)) == (502, "refused (502): no reason given")


def test_refusal_cannot_move_the_cursor(server: RecordedServer, clock: Clock) -> None:
    """What a server says in an error is shown, not obeyed."""
    server.on("GET /v1/devices", Answer(status=409, body={"title": "no\x1b[2J\nway"}))
    assert str(_result(_ask(server, clock))) == "refused (409): no\\x1b[2J\\nway"


def test_silence_ends(server: RecordedServer, clock: Clock) -> None:
    """A server that never answers is given up in time, and nothing is left behind."""
    server.on("GET /v1/devices", Answer(takes=1000))
    error = _result(_ask(server, clock, seconds=2 * PATIENCE))
    assert isinstance(error, Unreachable)
    assert (error.never_sent, str(error)) == (False, "127.0.0.1:8081 did not answer within 30 s")


def test_hang_up_may_have_been_heard(server: RecordedServer, clock: Clock) -> None:
    """A connection that ends without an answer leaves open whether the request arrived."""
    server.on("GET /v1/devices", Answer(cut=True))
    error = _result(_ask(server, clock))
    assert isinstance(error, Unreachable)
    assert not error.never_sent


@pytest.mark.parametrize("cause", [ConnectError(string="refused"), DNSLookupError("no such host")])
def test_no_connection_no_request(clock: Clock, cause: Exception) -> None:
    """Where no connection came about nothing was asked, and the operator is told so."""
    error = _result(ensureDeferred(_connection(clock, lambda: fail(cause)).ask(CALL)))
    assert isinstance(error, Unreachable)
    assert error.never_sent
    assert str(error).startswith("cannot connect to 127.0.0.1:8081 (does pushd run there?)")


def test_interrupt_while_connecting_is_an_interrupt(clock: Clock) -> None:
    """Ctrl-C is no connection trouble, even before there is a connection."""
    cause = ConnectingCancelledError(None)
    connecting: Deferred[IResponse] = Deferred(lambda waiting: waiting.errback(cause))
    asked = ensureDeferred(_connection(clock, lambda: connecting).ask(CALL))
    asked.cancel()
    assert isinstance(_result(asked), CancelledError)


def test_interrupt_while_waiting_is_an_interrupt(server: RecordedServer, clock: Clock) -> None:
    """Ctrl-C is no connection trouble either while an answer is waited for."""
    server.on("GET /v1/devices", Answer(takes=1000))
    http = server.http()
    asked = ensureDeferred(Connection(treq=http, base=URL, token="mine", clock=clock).ask(CALL))
    asked.cancel()
    http.flush()  # type: ignore[attr-defined]
    assert isinstance(_result(asked), CancelledError)


def test_token_does_not_show(server: RecordedServer, clock: Clock) -> None:
    """A connection can be printed without giving its token away."""
    assert "mine" not in repr(Connection(treq=server.http(), base=URL, token="mine", clock=clock))


def test_errors_are_the_clients() -> None:
    """Whoever catches the client's own error catches all of them."""
    assert all(issubclass(error, ClientError) for error in (Refused, Unintelligible, Unreachable))
