"""Tests of :mod:`pushd.core.commands.explain` by the admin API: the sentences and facts."""

from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

READER = "controlid:7"
CONTAINER = "servereye:c"
LOAD = {"endpoint": "load_objects"}
REFRESH = {"control": "REFRESH_AGENT"}
POLL_READER = request("GET /push?deviceId=7&uuid=a")
POLL = request("GET /push/c")
UNAUTHENTICATED = " The device is not authenticated: give it a secret, an API key or an allow list."


@pytest.fixture
def server(build_server: BuildServer) -> InMemoryServer:
    """A server with a reader and a container, each authenticated by a network."""
    server = build_server()
    for device in (READER, CONTAINER):
        server.register(device, allow_from=["192.0.2.0/24"])
    return server


def explain(server: InMemoryServer, command: str, *facts: str) -> tuple[str, tuple[Any, ...]]:
    """The sentence of an explanation, and some of its facts."""
    found = server.ask(f"GET /v1/commands/{command}/explain").json
    return found["sentence"], tuple(found["facts"][fact] for fact in facts)


def rest(server: InMemoryServer, seconds: float) -> None:
    """Let the poll of a reader end idle, and the reader rest for some seconds."""
    server.device_request(POLL_READER)
    server.clock.advance(10)
    server.clock.advance(seconds)


def test_offline_device(server: InMemoryServer) -> None:
    """The device was last seen three hours ago."""
    server.device_request(POLL).hang_up()
    server.clock.advance(3 * 3600)
    command = server.put(CONTAINER, REFRESH)
    assert explain(server, command, "polling", "last_seen_at") == (
        "The device does not poll; it was last seen 3 h ago.",
        (False, "2027-01-15T08:00:00.000Z"),
    )


def test_device_that_never_polled(server: InMemoryServer) -> None:
    """The device has never polled."""
    command = server.put(CONTAINER, REFRESH)
    assert explain(server, command, "last_seen_at") == ("The device has never polled.", (None,))


def test_commands_ahead(server: InMemoryServer) -> None:
    """Two commands are ahead of this one, whether the device is connected or not."""
    *_, last = (server.put(READER, LOAD) for _ in range(3))
    assert explain(server, last, "ahead") == ("The device has never polled. 2 commands are ahead of this one.", (2,))
    server.device_request(POLL_READER)
    server.device_request(POLL_READER)
    assert explain(server, last, "ahead", "in_flight", "polling") == (
        "1 command is ahead of this one, and the device takes one at a time.",
        (1, 1, True),
    )


def test_busy_device(server: InMemoryServer) -> None:
    """The device still works on the command before, and polls for that one only."""
    server.put(READER, LOAD)
    server.device_request(POLL_READER)
    server.device_request(POLL_READER)
    command = server.put(READER, LOAD)
    assert explain(server, command, "ahead", "in_flight") == (
        "The device is busy with the previous command; this one is sent when that one ends.",
        (0, 1),
    )


def test_lease(server: InMemoryServer) -> None:
    """The lease ends in twelve seconds, of a command that was sent, and of one that was acknowledged."""
    command = server.put(CONTAINER, REFRESH)
    server.device_request(POLL)
    server.clock.advance(18)
    assert explain(server, command, "lease_left", "attempts") == (
        "The command was sent and may have run; its lease ends in 12 s.",
        (12, 1),
    )
    server.device_request(request(f"POST /push/c/ack/{command}"))
    server.clock.advance(18)
    assert explain(server, command, "lease_left") == (
        "The device has acknowledged the command; unless it reports again, the lease ends in 12 s.",
        (12,),
    )


def test_sign_off(server: InMemoryServer) -> None:
    """The device signed off at two minutes past ten; a later result does not change that time."""
    early = server.put(CONTAINER, REFRESH)
    server.device_request(POLL)
    server.clock.advance(2 * 3600 + 120)
    server.device_request(request("GET /push/c/signoff"))
    server.clock.advance(60)
    server.device_request(request(f"POST /push/c/result/{early}", b'{"success":true}'))
    sent = server.ask(f"POST /v1/devices/{CONTAINER}/commands?queue=1", {"payload": REFRESH})
    assert explain(server, sent.json["id"], "presence", "signed_off_at") == (
        "The device signed off at 2027-01-15 10:02:00+00:00; the command is sent when it returns.",
        ("signed_off", "2027-01-15T10:02:00.000Z"),
    )


def test_pending_device(server: InMemoryServer) -> None:
    """The device waits for an operator's approval."""
    server.ask(f"PATCH /v1/devices/{CONTAINER}", {"admission": "pending"})
    command = server.put(CONTAINER, REFRESH)
    server.device_request(POLL)
    assert explain(server, command, "admission", "polling") == (
        "The device gets no commands until an operator approves it.",
        ("pending", True),
    )


def test_expired_command(server: InMemoryServer) -> None:
    """The command expired unsent, and the device was last seen at eight."""
    server.device_request(POLL).hang_up()
    command = server.put(CONTAINER, REFRESH, ttl=60)
    assert explain(server, command, "expires_in")[1] == (60,)
    server.tick(61)
    assert explain(server, command, "attempts", "expires_in") == (
        (
            "The command was never sent, and expired at 2027-01-15 08:01:00+00:00;"
            " the device was last seen at 2027-01-15 08:00:00+00:00."
        ),
        (0, None),
    )


def test_device_that_is_rarely_connected(server: InMemoryServer) -> None:
    """A reader that rests for 50 s after each poll of 10 s; the time of its next poll is known."""
    rest(server, 50)
    rest(server, 50)
    rest(server, 19)
    command = server.put(READER, LOAD)
    assert explain(server, command, "poll_gap", "hold", "next_poll_in") == (
        "The device is not connected for 50 of every 60 s; its next poll is expected in 31 s.",
        (50, 10, 31),
    )


def test_device_between_two_polls(server: InMemoryServer) -> None:
    """A device that polls again at once is not called disconnected in the moment between two polls."""
    for _ in range(2):
        server.device_request(POLL)
        server.clock.advance(45)
        server.clock.advance(0.25)
    server.device_request(POLL)
    server.clock.advance(45)
    command = server.put(CONTAINER, REFRESH)
    assert explain(server, command)[0] == "The device is between two polls; the next one is expected at any moment."


def test_another_attempt(server: InMemoryServer) -> None:
    """A command that waits for another attempt may have run."""
    command = server.put(CONTAINER, REFRESH, delivery="at_least_once")
    server.device_request(POLL)
    server.tick(31)
    assert explain(server, command, "attempts") == (
        "The device does not poll; it was last seen 31 s ago. It was sent once before, and may have run.",
        (1,),
    )


def test_unauthenticated_device(server: InMemoryServer) -> None:
    """The device has no authentication, so the explanation warns."""
    server.ask(f"PATCH /v1/devices/{CONTAINER}", {"allow_from": []})
    command = server.put(CONTAINER, REFRESH)
    assert explain(server, command, "proven") == (f"The device has never polled.{UNAUTHENTICATED}", (False,))
    server.device_request(POLL)
    sentence, facts = explain(server, command, "proven")
    assert (sentence.endswith(UNAUTHENTICATED), facts) == (True, (False,))


def test_authentication_is_required(build_server: BuildServer) -> None:
    """With --require-proof, a device without authentication gets no commands, though it polls and is approved."""
    server = build_server(require_proof=True)
    server.register(CONTAINER)
    command = server.put(CONTAINER, REFRESH)
    server.device_request(POLL)
    assert explain(server, command, "polling", "lacks_proof") == (
        "The device gets no commands until it has a secret, an API key or an allow list.",
        (True, True),
    )
