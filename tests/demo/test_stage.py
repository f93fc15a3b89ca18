"""Tests of the demo's play, before a recorded server."""

from collections.abc import Coroutine
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hyperlink import DecodedURL
from rich.console import Console
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pushd.demo.display import Board
from pushd.demo.stage import NotInTime, Play, gather, reach
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Connection
from pushd.pushctl.errors import Refused
from tests.pushctl.fake_server import COMMAND, DEVICE, SENT, Answer, FakeServer

URL = "http://127.0.0.1:8081"


def _run(http: HTTPClient, clock: Clock, work: Coroutine[Deferred[Any], Any, Any]) -> Any:
    ended: list[Any] = []
    ensureDeferred(work).addBoth(ended.append)
    while not ended:
        clock.advance(0.1)
        http.flush()  # type: ignore[attr-defined]
    return ended[0].value if isinstance(ended[0], Failure) else ended[0]


def _client(http: HTTPClient, clock: Clock) -> AdminClient:
    return AdminClient(Connection(treq=http, base=DecodedURL.from_text(URL), token="mine", clock=clock))


@pytest.fixture
def board() -> Board:
    """A board that nobody sees."""
    return Board(Console(file=StringIO(), force_terminal=False))


def test_server_is_reached_when_it_is_ready(server: FakeServer, clock: Clock, tmp_path: Path) -> None:
    """The demo waits for the token and for the server's word that it is ready."""
    server.on("GET /readyz", Answer(cut=True), Answer(status=503), Answer())
    clock.callLater(1, (tmp_path / "admin.token").write_text, "the-token")
    http = server.http()
    assert isinstance(_run(http, clock, reach(URL, tmp_path, http, clock)), AdminClient)
    assert len(server.calls("GET /readyz")) == 3


def test_server_that_does_not_come_up_is_given_up(server: FakeServer, clock: Clock, tmp_path: Path) -> None:
    """A server that is never ready is not waited for without end."""
    http = server.http()
    assert isinstance(_run(http, clock, reach(URL, tmp_path, http, clock)), NotInTime)


def test_devices_of_an_earlier_start_take_no_part(server: FakeServer, clock: Clock) -> None:
    """Only devices that poll now take part, even if they do not all poll in the same moment."""

    def page(*polling: str) -> Answer:
        items = [{**DEVICE, "id": name, "polling": name in polling} for name in ("a", "b", "earlier")]
        return Answer(body={"items": items, "next": None})

    server.on("GET /v1/devices", page(), page("b"), page("a"))
    http = server.http()
    devices = _run(http, clock, gather(_client(http, clock), 2))
    assert [device["id"] for device in devices] == ["a", "b"]


def test_missing_devices_are_counted(server: FakeServer, clock: Clock) -> None:
    """If devices stay away the demo says how many came."""
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE], "next": None}))
    http = server.http()
    problem = _run(http, clock, gather(_client(http, clock), 2))
    assert str(problem) == "Only 1 of 2 devices are online after 60 s."


def test_every_step_is_carried_out_and_judged(server: FakeServer, clock: Clock, board: Board) -> None:
    """Each command is sent once the one before has ended, followed to its end, and judged."""
    server.on("POST /v1/devices/controlid:1/commands", Answer(status=201, body=COMMAND))
    server.on(
        f"GET /v1/commands/{COMMAND['id']}", Answer(body=SENT, takes=2), Answer(body={**SENT, "state": "failed"})
    )
    http = server.http()
    device = {"id": "controlid:1", "dialect": "controlid"}
    assert _run(http, clock, Play(_client(http, clock), board).perform([device])) is None
    assert len(server.calls("POST /v1/devices/controlid:1/commands")) == 8
    assert all(row.ended for row in board.rows)
    # the recorded device fails everything, without a word: nothing is as it should be
    assert len(board.unexpected()) == 8


def test_container_works_on_several_at_a_time(server: FakeServer, clock: Clock, board: Board) -> None:
    """The long work of a container does not hold up the rest of its programme."""
    commands = "POST /v1/devices/servereye:a/commands"
    slow, quick = {**COMMAND, "id": "slow"}, {**COMMAND, "id": "quick"}
    server.on(commands, Answer(status=201, body=slow), Answer(status=201, body=quick))
    done = {"state": "succeeded", "result": {}}
    server.on("GET /v1/commands/slow", *[Answer(body=slow, takes=2)] * 19, Answer(body={**slow, **done}, takes=2))
    server.on("GET /v1/commands/quick", Answer(body={**quick, **done}, takes=1))
    http = server.http()
    began = clock.seconds()
    _run(http, clock, Play(_client(http, clock), board).perform([{"id": "servereye:a", "dialect": "servereye"}]))
    assert clock.seconds() - began < 45
    assert [row.command["id"] for row in board.rows if row.command] == ["slow", "quick", "quick", "quick"]


def test_refusal_ends_the_play(server: FakeServer, clock: Clock, board: Board) -> None:
    """A server that refuses a command of the demo ends it with its reason, and nothing goes on behind."""
    server.on("POST /v1/devices/servereye:a/commands", Answer(status=422, body={"detail": "No such control."}))
    http = server.http()
    devices = [{"id": "servereye:a", "dialect": "servereye"}]
    problem = _run(http, clock, Play(_client(http, clock), board).perform(devices))
    assert isinstance(problem, Refused)
    assert str(problem) == "refused (422): No such control."
