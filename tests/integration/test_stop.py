"""Tests of how the server stops."""

import resource
import signal
from time import monotonic

import pytest

from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

STOPS_WITHIN = 5.0
"""Seconds."""

FEW_FILES = 128
"""A limit that is too low for the polls below, as many systems have it."""

MANY_POLLS = 200


def stop(server: Server, number: signal.Signals = signal.SIGTERM) -> None:
    """Stop the server, which must end well, and in time."""
    began = monotonic()
    assert server.stop(number) == 0
    assert monotonic() - began < STOPS_WITHIN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_held_polls_are_answered_idle(server: Server, number: signal.Signals) -> None:
    """A server that is told to stop says "nothing for you" to each device that waits, in its own dialect."""
    reader = server.devices.begin("GET /push?deviceId=1")
    container = server.devices.begin("GET /push/one")
    until(lambda: server.polling() == 2, "two polls")
    stop(server, number)
    idle = reader.answer()
    assert (idle.code, idle.body, idle.headers["content-length"]) == (200, b"", "0")
    envelope = container.answer().json
    assert (envelope["success"], "data" in envelope) == (False, False)
    assert f"Received {number.name}" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


def test_operators_who_wait_are_answered(server: Server) -> None:
    """Nor do operators who wait for an outcome or an event lose their answer."""
    server.admin.ask("POST /v1/devices", {"id": "controlid:1"})
    payload = {"payload": {"endpoint": "reboot"}}
    sending = server.admin.begin("POST /v1/devices/controlid:1/commands?wait=60", payload)
    until(lambda: server.admin.ask("GET /v1/commands").json["items"], "the command")
    following = server.admin.begin("GET /v1/events?after=now&wait=60")
    assert server.admin.ask("GET /v1/events").code == 200  # what came before it has been read by now
    stop(server)
    sent = sending.answer()
    assert (sent.code, sent.json["state"]) == (202, "queued")
    assert following.answer().json["items"] == []


def lower_file_limit() -> None:
    """Leave the process few files, but let it take more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, hard))


def test_many_polls_fit_and_are_answered(make_server: MakeServer) -> None:
    """As many files may be open as the system allows, the log says how many polls fit, and all are answered at the
    end.
    """
    server = make_server(before=lower_file_limit).start()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert f"Up to {hard - 64} polls" in server.log.read_text()
    polls = [server.devices.begin(f"GET /push/container-{number}") for number in range(MANY_POLLS)]
    until(lambda: server.polling() == MANY_POLLS, "all polls")
    stop(server)
    assert {poll.answer().body for poll in polls} == {b'{"success":false,"message":"no message"}'}


def test_client_that_does_not_read(server: Server) -> None:
    """A client that asked for much and does not read it cannot keep the server from stopping."""
    server.admin.ask("POST /v1/devices", {"id": "controlid:1"})
    command = server.send("controlid:1", {"endpoint": "load_objects"})
    assert server.devices.ask("GET /push?deviceId=1&uuid=u").code == 200
    result = {"response": "x" * 15_000_000}
    assert server.devices.ask("POST /result?deviceId=1&uuid=u", result).code == 200
    with server.admin.connect() as client:
        head = f"GET /v1/commands/{command} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(1) == b"H"
        stop(server)
    assert "Shutdown incomplete" in server.log.read_text()
