"""Tests of :mod:`pushd.http.error_status`: the status code of each error, and of unexpected ones."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs, eventAsText, formatEvent
from twisted.python.failure import Failure
from twisted.web.test.requesthelper import DummyRequest
from werkzeug.exceptions import NotFound

from pushd.http import error_status
from pushd.http.error_status import error_detail, set_error_status
from pushd.lib.log_limit import BURST, REFILL_SECONDS, LogLimit
from pushd.lib.strict_json import UnreadableBody
from pushd.model import errors
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.store.clock import StoreClock

Logged = list[Any]


def _fails(*args: Any) -> Deferred[Any]:
    return fail(ZeroDivisionError("a line of /srv/pushd/store.py"))


_bug: Any = _fails


class BuggyStore(SqliteStore):
    """A store some of whose operations fail with an unexpected error."""

    check = settle = acknowledge = command = last_event = _bug


@pytest.fixture
def buggy(build_server: BuildServer) -> InMemoryServer:
    """A server over a store with bugs."""
    return build_server(BuggyStore(MEMORY, now=StoreClock()))


BUGS = {
    "control-id": (request("POST /result?deviceId=7", b'{"response":""}'), b""),
    "server-eye": (request("POST /push/c/ack/m"), b"Internal server error; the server's log has the details."),
}


@pytest.mark.parametrize("dialect", BUGS)
def test_bug_on_the_device_port(buggy: InMemoryServer, dialect: str, no_logged_failure: Logged) -> None:
    """An unexpected error is a 500 that tells a device nothing internal; the log has the traceback."""
    sent, body = BUGS[dialect]
    for device in ("controlid:7", "servereye:c"):
        buggy.register(device)
    answer = buggy.device_request(sent).answer()
    assert answer.code == 500
    assert body in answer.body
    assert b"ZeroDivision" not in answer.body
    assert b"/srv" not in answer.body
    assert [failure.type for failure in no_logged_failure] == [ZeroDivisionError]
    no_logged_failure.clear()


@pytest.mark.parametrize("path", ["/readyz", "/v1/commands/x", "/v1/events?after=now"])
def test_bug_on_the_admin_port(buggy: InMemoryServer, path: str, no_logged_failure: Logged) -> None:
    """An unexpected error is a problem like others, and tells nothing of the server's internals."""
    answer = buggy.ask(f"GET {path}")
    assert answer.code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Internal server error; the server's log has the details.",
    }
    assert [failure.type for failure in no_logged_failure] == [ZeroDivisionError]
    no_logged_failure.clear()


DECLARED = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PushdError)]
SHOWN = [UnreadableBody, *(kind for kind in DECLARED if kind not in (errors.PushdError, errors.StoreRefused))]


@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status(kind: type[Exception]) -> None:
    """Each declared error has a status of its own: one of the client, or 503 if the client may try again."""
    made: Any = DummyRequest([])
    made.path = b"/"
    code = set_error_status(made, Failure(kind.__new__(kind)))
    assert 400 <= code <= 429 or code == 503
    assert made.responseCode == code


def test_detail_of_an_error() -> None:
    """A declared error is shown by its own message, an error of routing by a sentence."""
    assert error_detail(Failure(errors.UnknownDevice("No device x is known."))) == "No device x is known."
    assert error_detail(Failure(UnreadableBody("The body is not JSON."))) == "The body is not JSON."
    assert error_detail(Failure(NotFound())) == "There is nothing at this path."


def test_unavailable_store_is_logged_with_the_request(build_server: BuildServer) -> None:
    """The log line of a 503 names the request and the cause, and does not contain the secret of the path."""

    class UnavailableStore(SqliteStore):
        """A store that can save no acknowledgement."""

        def acknowledge(self, *args: Any) -> Deferred[Any]:
            return fail(errors.Unavailable("Unable to commit: disk full"))

    server = build_server(UnavailableStore(MEMORY, now=StoreClock()))
    server.register("servereye:c")
    path = server.ask("POST /v1/devices/servereye:c/secret").json["path"]
    with capturedLogs() as logged:
        assert server.device_request(request(f"POST {path}/push/c/ack/m")).answer().code == 503
    assert [formatEvent(event) for event in logged] == [
        "Request answered with 503: POST /d/.../push/c/ack/m: Unable to commit: disk full"
    ]


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_bug_does_not_log_a_secret(buggy: InMemoryServer, slashes: str, no_logged_failure: Logged) -> None:
    """The log line of an unexpected error does not contain the secret of the path."""
    buggy.register("servereye:c")
    path = buggy.ask("POST /v1/devices/servereye:c/secret").json["path"].replace("/", slashes)
    with capturedLogs() as logged:
        assert buggy.device_request(request(f"POST {path}{slashes}push/c/ack/m")).answer().code == 500
    (line,) = map(formatEvent, logged)
    assert "push/c/ack/m" in line
    assert path.rpartition("/")[2] not in line
    no_logged_failure.clear()


@pytest.mark.parametrize(
    "line", ["get /push?deviceId=7", "Post /push/c/signoff", "get /healthz", "delete /v1/devices/x"]
)
def test_method_in_lower_case(server: InMemoryServer, line: str) -> None:
    """A method in lower case is a 405 that names the right ones, and nothing is logged."""
    with capturedLogs() as logged:
        port = server.call if line.endswith(("z", "x")) else server.device_request
        answer = port(request(line)).answer()
    assert answer.code == 405
    assert answer.headers["allow"]
    assert logged == []


def test_what_a_client_sent_is_logged_escaped_and_cut(build_server: BuildServer, no_logged_failure: Logged) -> None:
    """A client cannot write control characters into the log, nor much of anything, not even through a bug."""
    odd = "\x1b[2J\r\x07\0\u202e" + "x" * 10_000

    class Echoing(SqliteStore):
        """A store whose bug has a message that the client chose."""

        def acknowledge(self, *args: Any) -> Deferred[Any]:
            return fail(ValueError(f"invalid literal:\n{odd}" + "\nline" * 10_000))

    buggy = build_server(Echoing(MEMORY, now=StoreClock()))
    buggy.register("servereye:c")
    with capturedLogs() as logged:
        assert buggy.device_request(request(f"POST /push/c/ack/{'x' * 5_000}")).answer().code == 500
    (event,) = logged
    text = eventAsText(event)
    assert "ValueError: invalid literal" in text
    assert r"\x1b[2J\r\x07\x00\u202e" in text
    assert text.replace("\n", "").isprintable()
    assert len(text) < 20_000
    no_logged_failure.clear()


def test_errors_of_requests_do_not_fill_the_log(
    buggy: InMemoryServer, no_logged_failure: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that all fail log a burst of errors, then one now and then, which says how many were left out."""
    monkeypatch.setattr(error_status, "_log_limit", LogLimit(buggy.clock.seconds))
    buggy.register("servereye:c")
    with capturedLogs() as logged:
        for _ in range(2 * BURST):
            assert buggy.device_request(request("POST /push/c/ack/m")).answer().code == 500
        assert len(logged) == BURST
        buggy.clock.advance(REFILL_SECONDS)
        assert buggy.device_request(request("POST /push/c/ack/m")).answer().code == 500
    assert [formatEvent(event)[:40] for event in logged[BURST:]] == [
        f"Errors of requests not logged: {BURST}, because"[:40],
        "Unexpected error in a request: POST /push/c/ack/m"[:40],
    ]
    no_logged_failure.clear()
