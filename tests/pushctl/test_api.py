"""Tests of the client of the admin API."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hyperlink import DecodedURL
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Connection
from pushd.pushctl.errors import UnexpectedResponse
from tests.pushctl.fake_server import COMMAND, DEVICE, Answer, FakeServer

Work = Callable[[AdminClient], Coroutine[Deferred[Any], Any, Any]]


def _run(server: FakeServer, clock: Clock, work: Work) -> Any:
    http = server.http()
    base = DecodedURL.from_text("http://127.0.0.1:8081")
    client = AdminClient(Connection(treq=http, base=base, token="mine", clock=clock))
    ended: list[Any] = []
    ensureDeferred(work(client)).addBoth(ended.append)
    for _ in range(8):
        http.flush()  # type: ignore[attr-defined]
        clock.advance(0)
    (result,) = ended
    return result.value if isinstance(result, Failure) else result


def test_device_by_its_id(server: FakeServer, clock: Clock) -> None:
    """One device is requested by its id, with any characters that an id can have."""
    server.on("GET /v1/devices/servereye:a.b_c~d", Answer(body=DEVICE))
    assert _run(server, clock, lambda client: client.device("servereye:a.b_c~d")) == DEVICE


def test_id_is_escaped_in_the_path(server: FakeServer, clock: Clock) -> None:
    """An id with slashes or a query in it is one segment of the path."""
    server.on("GET /v1/commands/../devices?x=1", Answer(body=COMMAND))
    assert _run(server, clock, lambda client: client.command("../devices?x=1")) == COMMAND
    assert server.received[0][1].query == {}


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_readiness(server: FakeServer, clock: Clock, status: int, ready: bool) -> None:
    """The server is ready if it answers 200."""
    server.on("GET /readyz", Answer(status=status, body=b"text"))
    assert _run(server, clock, lambda client: client.is_ready()) is ready


def test_unreachable_server_is_not_ready(server: FakeServer, clock: Clock) -> None:
    """A server that cannot be reached is not ready; no error is raised."""
    server.on("GET /readyz", Answer(cut=True))
    assert _run(server, clock, lambda client: client.is_ready()) is False


@pytest.mark.parametrize("body", [{}, {"items": {}}, {"items": [1]}])
def test_list_without_items_is_unexpected(server: FakeServer, clock: Clock, body: object) -> None:
    """An answer that is not a list is not taken for an empty one."""
    server.on("GET /v1/devices", Answer(body=body))
    assert isinstance(_run(server, clock, lambda client: client.devices()), UnexpectedResponse)


@pytest.mark.parametrize("body", [{}, {"id": 1, "state": "sent"}, {"id": "x"}])
def test_answer_without_a_state_is_unexpected(server: FakeServer, clock: Clock, body: object) -> None:
    """An answer that is not a command is not taken for one."""
    server.on("GET /v1/commands/x", Answer(body=body))
    assert isinstance(_run(server, clock, lambda client: client.command("x")), UnexpectedResponse)


def test_limit_ends_the_pages(server: FakeServer, clock: Clock) -> None:
    """No more items are requested than are needed."""
    server.on(
        "GET /v1/tokens/x/uses",
        Answer(body={"items": [DEVICE] * 500, "next": "two"}),
        Answer(body={"items": [DEVICE] * 3, "next": "three"}),
    )
    found = _run(server, clock, lambda client: client.items("tokens", "x", "uses", query=[("q", "a")], limit=503))
    assert len(found) == 503
    first, second = (request.query for _, request in server.received)
    assert first == {"q": ["a"], "limit": ["500"]}
    assert second == {"q": ["a"], "limit": ["3"], "cursor": ["two"]}
