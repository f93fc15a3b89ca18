"""Tests of how the server stops."""

import resource
import signal

import pytest

from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

FEW_FILES = 128
"""The default limit of many systems, too low for :data:`MANY_POLLS`."""

MANY_POLLS = 200


def stop(server: Server, number: signal.Signals = signal.SIGTERM) -> None:
    """Stop the server, which must exit with 0 within the time that it has for that: otherwise it logs an error."""
    assert server.stop(number) == 0
    assert "Shutdown incomplete" not in server.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_held_polls_are_answered(server: Server, number: signal.Signals) -> None:
    """A server that stops answers each held poll, saying in its dialect that there is no command."""
    reader = server.devices.begin("GET /push?deviceId=1")
    container = server.devices.begin("GET /push/one")
    until(lambda: server.polling() == 2, "two polls are held")
    stop(server, number)
    idle = reader.answer()
    assert (idle.code, idle.body, idle.headers["content-length"]) == (200, b"", "0")
    envelope = container.answer().json
    assert (envelope["success"], "data" in envelope) == (False, False)
    assert f"Received {number.name}" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


def test_waiting_operators_are_answered(server: Server) -> None:
    """A server that stops also answers operators that wait for a command's end or for events."""
    server.admin.ask("POST /v1/devices", {"id": "controlid:1"})
    payload = {"payload": {"endpoint": "reboot"}}
    sending = server.admin.begin("POST /v1/devices/controlid:1/commands?wait=60", payload)
    until(lambda: server.admin.ask("GET /v1/commands").json["items"], "the command is queued")
    following = server.admin.begin("GET /v1/events?after=now&wait=60")
    assert server.admin.ask("GET /v1/events").code == 200  # the server has read the request before it by now
    stop(server)
    sent = sending.answer()
    assert (sent.code, sent.json["state"]) == (202, "queued")
    assert following.answer().json["items"] == []


def lower_file_limit() -> None:
    """Lower the soft limit of open files, but not the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, hard))


def test_file_limit_is_raised(make_server: MakeServer) -> None:
    """The server raises its limit of open files, logs how many polls that allows, and answers all when it stops."""
    server = make_server(preexec=lower_file_limit).start()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert f"Up to {hard - 96} polls" in server.log.read_text()
    polls = [server.devices.begin(f"GET /push/container-{number}") for number in range(MANY_POLLS)]
    until(lambda: server.polling() == MANY_POLLS, "all polls are held")
    stop(server)
    assert {poll.answer().body for poll in polls} == {b'{"success":false,"message":"no message"}'}


def test_client_that_does_not_read(server: Server) -> None:
    """A client that does not read a large answer does not keep the server from stopping."""
    server.admin.ask("POST /v1/devices", {"id": "controlid:1"})
    command = server.send("controlid:1", {"endpoint": "load_objects"})
    assert server.devices.ask("GET /push?deviceId=1&uuid=u").code == 200
    result = {"response": "x" * 15_000_000}
    assert server.devices.ask("POST /result?deviceId=1&uuid=u", result).code == 200
    with server.admin.connect() as client:
        head = f"GET /v1/commands/{command} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(1) == b"H"
        assert server.stop() == 0
    assert "Shutdown incomplete" in server.log.read_text()
