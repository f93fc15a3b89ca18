"""Tests of one request and the ways in which it can fail."""

import os
import subprocess
import sys
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

from pushd.demo.layout import free_ports
from pushd.pushctl.connection import REQUEST_TIMEOUT, ApiRequest, Connection, Json
from pushd.pushctl.errors import (
    ClientError,
    NotAdminPort,
    Refused,
    UnexpectedResponse,
    Unreachable,
    refused,
)
from tests.hostile_server import HEADERS, HostileServer
from tests.pushctl.fake_server import Answer, FakeServer

URL = DecodedURL.from_text("http://127.0.0.1:8081")
REQUEST = ApiRequest(path=["v1", "devices"])


def _fetch(server: FakeServer, clock: Clock, request: ApiRequest = REQUEST, seconds: float = 0) -> Deferred[Json]:
    http = server.http()
    fetched = ensureDeferred(Connection(treq=http, base=URL, token="mine", clock=clock).fetch_json(request))
    for _ in range(2):
        http.flush()  # type: ignore[attr-defined]
        clock.advance(seconds / 2)
    http.flush()  # type: ignore[attr-defined]
    return fetched


def _result(fetched: Deferred[Json]) -> Json | BaseException | None:
    ended: list[Json | Failure] = []
    fetched.addBoth(ended.append)
    (result,) = ended
    return result.value if isinstance(result, Failure) else result


@implementer(IAgent)
class _Agent:
    """An agent with one result for every request."""

    def __init__(self, result: Callable[[], Deferred[IResponse]]) -> None:
        self._result = result

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: object = None,
        bodyProducer: object = None,  # noqa: N803  # the name is Twisted's
    ) -> Deferred[IResponse]:
        return self._result()


def _connection(clock: Clock, result: Callable[[], Deferred[IResponse]], remedy: str = "") -> Connection:
    return Connection(treq=HTTPClient(_Agent(result)), base=URL, token="mine", clock=clock, remedy=remedy)


def test_answer_is_a_json_object(server: FakeServer, clock: Clock) -> None:
    """The JSON object of the response is returned; large integers are not rounded."""
    server.on("GET /v1/devices", Answer(body={"id": 9007199254740993}))
    assert _result(_fetch(server, clock)) == {"id": 9007199254740993}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b'{"a":', b"[" * 100_000, b"\xff"])
def test_answer_that_is_not_an_object_is_unexpected(server: FakeServer, clock: Clock, body: bytes) -> None:
    """Another server on that port is recognised as such."""
    server.on("GET /v1/devices", Answer(body=body))
    error = _result(_fetch(server, clock))
    assert isinstance(error, UnexpectedResponse)
    assert "is this the admin port of pushd?" in str(error)


def test_redirect_is_not_followed(server: FakeServer, clock: Clock) -> None:
    """A redirect is not followed: it would send the token to another server."""
    server.on("GET /v1/devices", Answer(status=302, body=b""))
    assert isinstance(_result(_fetch(server, clock)), UnexpectedResponse)
    assert len(server.received) == 1


def test_error_without_a_problem_document(server: FakeServer, clock: Clock) -> None:
    """An error of a proxy, without a problem document, is reported with its status."""
    server.on("GET /v1/devices", Answer(status=502, body=b"<html>Bad Gateway"))
    error = _result(_fetch(server, clock))
    assert isinstance(error, Unreachable)
    assert not error.never_sent
    assert str(error) == f"http://127.0.0.1:8081 answered 502 Bad Gateway; {_NOT_FROM_PUSHD}"


@pytest.mark.parametrize(
    ("status", "shown"),
    [(200, "200 OK"), (302, "302 Found"), (403, "403 Forbidden"), (500, "500 Internal Server Error"), (599, "599")],
)
@pytest.mark.parametrize("body", [b"<html>Blocked", b'"a word"'])
def test_other_answers_that_are_not_from_pushd(
    server: FakeServer, clock: Clock, status: int, shown: str, body: bytes
) -> None:
    """Any other answer that pushd does not send is named by its status, without its body, and the URL is in doubt."""
    server.on("GET /v1/devices", Answer(status=status, body=body))
    error = _result(_fetch(server, clock))
    assert isinstance(error, UnexpectedResponse)
    assert str(error) == (
        f"http://127.0.0.1:8081 answered {shown}; {_NOT_FROM_PUSHD}: is this the admin port of pushd?"
    )


def test_json_of_a_proxy(server: FakeServer, clock: Clock) -> None:
    """JSON that is no problem document is not from pushd either."""
    server.on("GET /v1/devices", Answer(status=503, body=b'{"message": "no healthy upstream"}'))
    assert str(_result(_fetch(server, clock))).startswith(
        "http://127.0.0.1:8081 answered 503 Service Unavailable; the response is not from pushd"
    )


_NOT_FROM_PUSHD = "the response is not from pushd, but for example from a proxy in between"


def test_error_cannot_move_the_cursor(server: FakeServer, clock: Clock) -> None:
    """Escape sequences in an error are shown, not sent to the terminal."""
    server.on("GET /v1/devices", Answer(status=409, body={"title": "no\x1b[2J\nway"}))
    assert str(_result(_fetch(server, clock))) == "refused (409): no\\x1b[2J\\nway"


def test_timeout(server: FakeServer, clock: Clock) -> None:
    """A request that is never answered fails after its timeout."""
    server.on("GET /v1/devices", Answer(takes=1000))
    error = _result(_fetch(server, clock, seconds=2 * REQUEST_TIMEOUT))
    assert isinstance(error, Unreachable)
    assert (error.never_sent, str(error)) == (False, "127.0.0.1:8081 did not answer within 30 s")


def test_closed_connection(server: FakeServer, clock: Clock) -> None:
    """If the connection is closed without an answer, the server may have received the request."""
    server.on("GET /v1/devices", Answer(cut=True))
    error = _result(_fetch(server, clock))
    assert isinstance(error, Unreachable)
    assert not error.never_sent


@pytest.mark.parametrize("cause", [ConnectError(string="refused"), DNSLookupError("no such host")])
@pytest.mark.parametrize(
    ("remedy", "advice"),
    [("", "is pushd running there?"), ("--url names another", "is pushd running there? --url names another")],
)
def test_failed_connection(clock: Clock, cause: Exception, remedy: str, advice: str) -> None:
    """If no connection could be made, the request was never sent; the error names the URL and the remedy."""
    error = _result(ensureDeferred(_connection(clock, lambda: fail(cause), remedy).fetch_json(REQUEST)))
    assert isinstance(error, Unreachable)
    assert error.never_sent
    assert str(error) == f"cannot connect to http://127.0.0.1:8081 ({advice}): {cause}"


def test_interrupt_while_connecting(clock: Clock) -> None:
    """Ctrl-C while connecting is not reported as a connection error."""
    cause = ConnectingCancelledError(None)
    connecting: Deferred[IResponse] = Deferred(lambda waiting: waiting.errback(cause))
    fetched = ensureDeferred(_connection(clock, lambda: connecting).fetch_json(REQUEST))
    fetched.cancel()
    assert isinstance(_result(fetched), CancelledError)


def test_interrupt_while_waiting(server: FakeServer, clock: Clock) -> None:
    """Ctrl-C while waiting for an answer is not reported as a connection error."""
    server.on("GET /v1/devices", Answer(takes=1000))
    http = server.http()
    fetched = ensureDeferred(Connection(treq=http, base=URL, token="mine", clock=clock).fetch_json(REQUEST))
    fetched.cancel()
    http.flush()  # type: ignore[attr-defined]
    assert isinstance(_result(fetched), CancelledError)


def test_repr_has_no_token(server: FakeServer, clock: Clock) -> None:
    """The repr of a connection does not show the token."""
    assert "mine" not in repr(Connection(treq=server.http(), base=URL, token="mine", clock=clock))


def test_errors_have_one_base_class() -> None:
    """All errors can be caught as ClientError."""
    assert all(issubclass(error, ClientError) for error in (Refused, UnexpectedResponse, Unreachable))


def _list_devices(url: str) -> "subprocess.CompletedProcess[str]":
    """Run ``pushctl devices`` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from pushd.pushctl.main import main; main()", "devices"],
        env={**os.environ, "PUSHD_URL": url, "PUSHD_TOKEN": "t"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "pushd.invalid"])
def test_server_that_does_not_run(host: str) -> None:
    """A server that does not run, or whose name is not known, is reported in one line that says what to change."""
    url = f"http://{host}:{free_ports(0, 0)[0]}/below"
    ended = _list_devices(url)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    advice = "is pushd running there? --url or PUSHD_URL names another server"
    assert ended.stderr.startswith(f"pushctl: cannot connect to {url} ({advice}): ")


@pytest.mark.slow
@pytest.mark.parametrize("part", ["headers", "body"])
def test_endless_response(part: str) -> None:
    """A server that sends headers, or a body, without an end is not pushd, and ``pushctl`` says so."""
    end_of_head = b"\r\n" if part == "body" else b""
    server = HostileServer(b"HTTP/1.1 200 OK\r\n" + end_of_head, HEADERS)
    with server.running() as url:
        ended = _list_devices(url)
    assert f"the {part} of the response" in ended.stderr
    assert "is this the admin port of pushd?" in ended.stderr
    assert ended.returncode != 0


@pytest.mark.parametrize("body", [b"", b"<h1>Not Found</h1>", b'{"title": "Not Found"}'])
def test_404_of_the_device_port_is_named(server: FakeServer, clock: Clock, body: bytes) -> None:
    """A 404 that is no problem document is not that of the admin port; the error names the likely mistake."""
    server.on("GET /v1/devices", Answer(status=404, body=body))
    error = _result(_fetch(server, clock))
    assert isinstance(error, NotAdminPort)
    assert "127.0.0.1:8081 is not the admin port" in str(error)
    assert "--url" in str(error)


def test_404_of_the_admin_port_is_a_refusal(server: FakeServer, clock: Clock) -> None:
    """A problem document of status 404 is about an id that the server does not know."""
    server.on("GET /v1/devices", Answer(status=404, body={"detail": "There is no such device."}))
    assert str(_result(_fetch(server, clock))) == "refused (404): There is no such device."


def test_answer_without_content(server: FakeServer, clock: Clock) -> None:
    """The answer to a deletion has no body; it is an empty object."""
    server.on("GET /v1/devices", Answer(status=204, body=b""))
    assert _result(_fetch(server, clock)) == {}


@pytest.mark.parametrize(("status", "expected"), [(501, UnexpectedResponse), (502, Unreachable)])
def test_error_of_another_program(server: FakeServer, clock: Clock, status: int, expected: type[ClientError]) -> None:
    """An error without a JSON object is not pushd's, unless a proxy says that it cannot reach its server."""
    server.on("GET /v1/devices", Answer(status=status, body=b"<h1>Unsupported method</h1>"))
    error = _result(_fetch(server, clock))
    assert isinstance(error, expected)
    assert ("is this the admin port of pushd?" in str(error)) == (expected is UnexpectedResponse)


@pytest.mark.parametrize(("scheme", "said"), [("http", "speaks TLS"), ("https", "does not speak TLS")])
@pytest.mark.parametrize("health", [200, 404])
def test_wrong_scheme(server: FakeServer, clock: Clock, scheme: str, said: str, health: int) -> None:
    """If a connection is closed, and the server answers with TLS or without instead, the error says so."""
    server.on("GET /v1/devices", Answer(cut=True))
    server.on("GET /healthz", Answer(status=health))
    url = DecodedURL.from_text(f"{scheme}://127.0.0.1:8081")
    http = server.http()
    connection = Connection(treq=http, base=url, token="mine", clock=clock)
    fetched = ensureDeferred(connection.fetch_json(REQUEST))
    for _ in range(4):
        clock.advance(0.25)
        http.flush()  # type: ignore[attr-defined]
    error = _result(fetched)
    assert isinstance(error, Unreachable)
    assert (said in str(error), error.never_sent) == (health == 200, health == 200)
    (probe,) = server.calls("GET /healthz")
    assert "authorization" not in probe.headers


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            {
                "type": "invalid-fields",
                "errors": [{"pointer": "#/payload", "detail": "is wrong (unchecked=1 skips it)"}],
            },
            "#/payload is wrong (--unchecked skips it)",
        ),
        (
            {"type": "device-known", "detail": "It is registered."},
            "It is registered; to change it: pushctl devices set DEVICE",
        ),
        ({"type": "conflict", "detail": "It is so."}, "It is so."),
    ],
)
def test_remedies_are_in_words_of_pushctl(problem: Json, said: str) -> None:
    """What a client of the API would send is named as the option that sends it."""
    assert str(refused(409, problem)) == f"refused (409): {said}"
