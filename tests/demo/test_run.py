"""Tests of running the demo's commands, with a fake server."""

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

from pushd.demo.display import CommandTable
from pushd.demo.run import NotReady, send_commands, wait_for_devices, wait_for_server
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
def table() -> CommandTable:
    """A table without a terminal."""
    return CommandTable(Console(file=StringIO(), force_terminal=False))


def test_server_is_waited_for(server: FakeServer, clock: Clock, tmp_path: Path) -> None:
    """The demo waits until the server has written its token and is ready."""
    server.on("GET /readyz", Answer(cut=True), Answer(status=503), Answer())
    clock.callLater(1, (tmp_path / "admin.token").write_text, "the-token")
    http = server.http()
    assert isinstance(_run(http, clock, wait_for_server(URL, tmp_path, http, clock)), AdminClient)
    assert len(server.calls("GET /readyz")) == 3


def test_server_that_is_never_ready(server: FakeServer, clock: Clock, tmp_path: Path) -> None:
    """The wait for a server that is never ready has an end."""
    http = server.http()
    assert isinstance(_run(http, clock, wait_for_server(URL, tmp_path, http, clock)), NotReady)


def test_devices_of_an_earlier_start_are_left_out(server: FakeServer, clock: Clock) -> None:
    """Only devices that poll now are returned, even if they do not all poll at the same moment."""

    def page(*polling: str) -> Answer:
        items = [{**DEVICE, "id": name, "polling": name in polling} for name in ("a", "b", "earlier")]
        return Answer(body={"items": items, "next": None})

    server.on("GET /v1/devices", page(), page("b"), page("a"))
    http = server.http()
    devices = _run(http, clock, wait_for_devices(_client(http, clock), 2))
    assert [device["id"] for device in devices] == ["a", "b"]


def test_new_devices_are_approved(server: FakeServer, clock: Clock) -> None:
    """A device that is pending is approved, and counted."""
    pending = {**DEVICE, "polling": True, "admission": "pending"}
    server.on("GET /v1/devices", Answer(body={"items": [pending], "next": None}))
    server.on(f"PATCH /v1/devices/{DEVICE['id']}", Answer(body={**DEVICE, "polling": True}))
    http = server.http()
    assert _run(http, clock, wait_for_devices(_client(http, clock), 1)) == [pending]
    (approved,) = server.calls(f"PATCH /v1/devices/{DEVICE['id']}")
    assert approved.body == {"admission": "approved"}


def test_missing_devices_are_counted(server: FakeServer, clock: Clock) -> None:
    """If devices do not come online, the error says how many are."""
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE], "next": None}))
    http = server.http()
    problem = _run(http, clock, wait_for_devices(_client(http, clock), 2))
    assert str(problem) == "Only 1 of 2 devices are online after 60 s."


def test_commands_are_sent_in_sequence(server: FakeServer, clock: Clock, table: CommandTable) -> None:
    """Each command is sent once the one before has ended, waited for, and checked."""
    server.on("POST /v1/devices/controlid:1/commands", Answer(status=201, body=COMMAND))
    server.on(
        f"GET /v1/commands/{COMMAND['id']}", Answer(body=SENT, takes=2), Answer(body={**SENT, "state": "failed"})
    )
    http = server.http()
    device = {"id": "controlid:1", "dialect": "controlid"}
    assert _run(http, clock, send_commands(_client(http, clock), [device], table)) is None
    assert len(server.calls("POST /v1/devices/controlid:1/commands")) == 8
    assert all(row.ended for row in table.rows)
    # the fake device fails every command without an error, which is never expected
    assert len(table.faults()) == 8


def test_long_command_runs_in_parallel(server: FakeServer, clock: Clock, table: CommandTable) -> None:
    """The long command of a container does not delay its other commands."""
    commands = "POST /v1/devices/servereye:a/commands"
    slow, quick = {**COMMAND, "id": "slow"}, {**COMMAND, "id": "quick"}
    server.on(commands, Answer(status=201, body=slow), Answer(status=201, body=quick))
    done = {"state": "succeeded", "result": {}}
    server.on("GET /v1/commands/slow", *[Answer(body=slow, takes=2)] * 19, Answer(body={**slow, **done}, takes=2))
    server.on("GET /v1/commands/quick", Answer(body={**quick, **done}, takes=1))
    http = server.http()
    began = clock.seconds()
    _run(http, clock, send_commands(_client(http, clock), [{"id": "servereye:a", "dialect": "servereye"}], table))
    assert clock.seconds() - began < 45
    assert [row.command["id"] for row in table.rows if row.command] == ["slow", "quick", "quick", "quick"]


def test_refused_command_ends_the_demo(server: FakeServer, clock: Clock, table: CommandTable) -> None:
    """If the server refuses a command, the error is raised, and no further command is sent."""
    server.on("POST /v1/devices/servereye:a/commands", Answer(status=422, body={"detail": "No such control."}))
    http = server.http()
    devices = [{"id": "servereye:a", "dialect": "servereye"}]
    problem = _run(http, clock, send_commands(_client(http, clock), devices, table))
    assert isinstance(problem, Refused)
    assert str(problem) == "refused (422): No such control."
