"""Tests of :mod:`pushd.dialects.servereye.app`: sign-offs, in bytes."""

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "servereye:c"
POLL = request("GET /push/c")
REFRESH = {"control": "REFRESH_AGENT"}


def sign_off(server: InMemoryServer, line: str = "GET /push/c/signoff") -> None:
    """Sign off; the immediate response is a success."""
    answer = server.device_request(request(line)).answer()
    assert (answer.code, answer.json) == (200, {"success": True, "message": "signed off"})


@pytest.mark.parametrize("line", ["GET /push/c/signoff", "POST /push/c/signoff", "GET /1/push/c/signoff?apiKey=k"])
def test_sign_off(server: InMemoryServer, line: str) -> None:
    """A sign-off is answered at once; the held poll ends a second later, without a message."""
    poll = server.device_request(POLL)
    sign_off(server, line)
    seen = server.device(DEVICE)
    assert (seen["presence"], seen["polling"]) == ("signed_off", False)
    server.ask(f"POST /v1/devices/{DEVICE}/commands?queue=1", {"payload": REFRESH})
    server.clock.advance(0.9)
    assert poll.answers() == []
    server.clock.advance(0.1)
    assert poll.answer().json == {"success": False, "message": "no message"}
    assert server.device(DEVICE)["presence"] == "signed_off"


def test_client_that_closes_its_poll(server: InMemoryServer) -> None:
    """If a client closes its held poll itself after the sign-off, nothing is left of the poll."""
    poll = server.device_request(POLL)
    sign_off(server)
    poll.hang_up()
    assert len(server.core.poll_registry) == 0


def test_sign_on(server: InMemoryServer) -> None:
    """A later poll signs the container on again, and gets what was queued meanwhile."""
    server.register(DEVICE)
    sign_off(server)
    server.ask(f"POST /v1/devices/{DEVICE}/commands?queue=1", {"payload": REFRESH})
    assert server.device_request(POLL).answer().json["success"] is True
    assert server.device(DEVICE)["presence"] == "online"
    assert server.events(DEVICE)[-1] == "command.sent"


@pytest.mark.parametrize(("call", "state"), [("ack", "acknowledged"), ("result", "succeeded")])
def test_requests_after_the_sign_off(server: InMemoryServer, call: str, state: str) -> None:
    """After the sign-off an acknowledgement or a result still counts, but only a poll signs on."""
    server.register(DEVICE)
    command = server.put(DEVICE, REFRESH)
    server.device_request(POLL)
    sign_off(server)
    server.device_request(request(f"POST /push/c/{call}/{command}", b'{"success":true}'))
    assert server.command(command)["state"] == state
    assert server.device(DEVICE)["presence"] == "signed_off"


def test_commands_outlive_a_sign_off(server: InMemoryServer) -> None:
    """The commands of a container stay queued when it signs off, until their TTL."""
    poll = server.device_request(POLL)
    command = server.put(DEVICE, REFRESH, not_before="2027-01-15T08:00:05Z", ttl=5)
    sign_off(server)
    poll.hang_up()
    server.tick(9)
    assert server.command(command)["state"] == "queued"
    server.tick(1)
    assert server.command(command)["state"] == "expired"


def test_signed_off_is_not_offline(server: InMemoryServer) -> None:
    """A container that signed off does not go offline; once it polls again, it can."""
    server.register(DEVICE, heartbeat_timeout=5)
    poll = server.device_request(POLL)
    sign_off(server)
    server.tick(3600)
    assert poll.answer().json["success"] is False
    assert server.device(DEVICE)["presence"] == "signed_off"
    server.device_request(POLL).hang_up()
    server.tick(4)
    assert server.device(DEVICE)["presence"] == "online"
    server.tick(1)
    assert server.events(DEVICE)[1:] == ["device.online", "device.signed_off", "device.online", "device.offline"]


def test_acknowledgements_keep_a_container_online(server: InMemoryServer) -> None:
    """A container that runs a long command is kept online by its acknowledgements."""
    server.register(DEVICE, heartbeat_timeout=20)
    command = server.put(DEVICE, REFRESH)
    server.device_request(POLL)
    for _ in range(6):
        server.tick(15)
        server.device_request(request(f"POST /push/c/ack/{command}"))
    assert server.device(DEVICE)["presence"] == "online"
    server.tick(20)
    assert server.device(DEVICE)["presence"] == "offline"
