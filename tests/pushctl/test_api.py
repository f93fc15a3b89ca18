"""Tests of what an operator's program can ask."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hyperlink import DecodedURL
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Connection
from pushd.pushctl.errors import Unintelligible
from tests.pushctl.recorded import COMMAND, DEVICE, Answer, RecordedServer

Question = Callable[[AdminClient], Coroutine[Deferred[Any], Any, Any]]


def _ask(server: RecordedServer, clock: Clock, question: Question) -> Any:
    http = server.http()
    base = DecodedURL.from_text("http://127.0.0.1:8081")
    client = AdminClient(Connection(treq=http, base=base, token="mine", clock=clock))
    ended: list[Any] = []
    ensureDeferred(question(client)).addBoth(ended.append)
    for _ in range(8):
        http.flush()  # type: ignore[attr-defined]
        clock.advance(0)
    (result,) = ended
    return result.value if isinstance(result, Failure) else result


def test_device_is_asked_for_by_its_id(server: RecordedServer, clock: Clock) -> None:
    """One device can be looked at, whatever its id is made of."""
    server.on("GET /v1/devices/servereye:a.b_c~d", Answer(body=DEVICE))
    assert _ask(server, clock, lambda client: client.device("servereye:a.b_c~d")) == DEVICE


def test_id_cannot_leave_its_place_in_the_path(server: RecordedServer, clock: Clock) -> None:
    """An id with slashes and queries in it is still one part of the path."""
    server.on("GET /v1/commands/../devices?x=1", Answer(body=COMMAND))
    assert _ask(server, clock, lambda client: client.command("../devices?x=1")) == COMMAND
    assert server.asked[0][1].query == {}


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_readiness_is_the_servers_word(server: RecordedServer, clock: Clock, status: int, ready: bool) -> None:
    """A server is ready when it says so."""
    server.on("GET /readyz", Answer(status=status, body=b"word"))
    assert _ask(server, clock, lambda client: client.ready()) is ready


def test_server_that_hangs_up_is_not_ready(server: RecordedServer, clock: Clock) -> None:
    """A server that cannot be reached is not ready, and that is no error."""
    server.on("GET /readyz", Answer(cut=True))
    assert _ask(server, clock, lambda client: client.ready()) is False


@pytest.mark.parametrize("body", [{}, {"items": {}}, {"items": [1]}])
def test_list_without_items_is_not_ours(server: RecordedServer, clock: Clock, body: object) -> None:
    """An answer that is no list is not taken for an empty one."""
    server.on("GET /v1/devices", Answer(body=body))
    assert isinstance(_ask(server, clock, lambda client: client.devices()), Unintelligible)


@pytest.mark.parametrize("body", [{}, {"id": 1, "state": "sent"}, {"id": "x"}])
def test_answer_without_a_state_is_no_command(server: RecordedServer, clock: Clock, body: object) -> None:
    """An answer that is no command is not taken for one."""
    server.on("GET /v1/commands/x", Answer(body=body))
    assert isinstance(_ask(server, clock, lambda client: client.command("x")), Unintelligible)
