"""Tests of what an operator reads who asks why a command has not run."""

from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import BuildHouse, InMemoryServer

READER = "controlid:7"
CONTAINER = "servereye:c"
DOOR = {"endpoint": "load_objects"}
REFRESH = {"control": "REFRESH_AGENT"}
POLL_READER = request("GET /push?deviceId=7&uuid=a")
POLL = request("GET /push/c")
UNAUTHENTICATED = " The device is not authenticated: give it a secret, an API key or an allow list."


@pytest.fixture
def server(build_house: BuildHouse) -> InMemoryServer:
    """A house that knows a reader and a container, to each of which a network is configured."""
    server = build_house()
    for device in (READER, CONTAINER):
        server.register(device, allow_from=["192.0.2.0/24"])
    return server


def told(server: InMemoryServer, command: str, *facts: str) -> tuple[str, tuple[Any, ...]]:
    """The sentence, and some of the facts that it rests on."""
    found = server.ask(f"GET /v1/commands/{command}/explain").json
    return found["sentence"], tuple(found["facts"][fact] for fact in facts)


def rest(server: InMemoryServer, seconds: float) -> None:
    """Let a reader be answered idle, and be deaf for a while."""
    server.device_request(POLL_READER)
    server.clock.advance(10)
    server.clock.advance(seconds)


def test_a_device_that_went_away(server: InMemoryServer) -> None:
    """The device was last heard of three hours ago."""
    server.device_request(POLL).hang_up()
    server.clock.advance(3 * 3600)
    command = server.put(CONTAINER, REFRESH)
    assert told(server, command, "polling", "last_seen_at") == (
        "The device does not poll; it was last seen 3 h ago.",
        (False, "2027-01-15T08:00:00.000Z"),
    )


def test_a_device_that_never_came(server: InMemoryServer) -> None:
    """The device has never polled."""
    command = server.put(CONTAINER, REFRESH)
    assert told(server, command, "last_seen_at") == ("The device has never polled.", (None,))


def test_commands_ahead(server: InMemoryServer) -> None:
    """Two commands are ahead of it, whether the device is there or not."""
    *_, last = (server.put(READER, DOOR) for _ in range(3))
    assert told(server, last, "ahead") == ("The device has never polled. 2 commands are ahead of this one.", (2,))
    server.device_request(POLL_READER)
    server.device_request(POLL_READER)
    assert told(server, last, "ahead", "in_flight", "polling") == (
        "1 command is ahead of this one, and the device takes one at a time.",
        (1, 1, True),
    )


def test_a_device_that_is_busy(server: InMemoryServer) -> None:
    """The device still has the command before, and polls for that one only."""
    server.put(READER, DOOR)
    server.device_request(POLL_READER)
    server.device_request(POLL_READER)
    command = server.put(READER, DOOR)
    assert told(server, command, "ahead", "in_flight") == (
        "The device is busy with the previous command; this one is sent when that one ends.",
        (0, 1),
    )


def test_a_lease(server: InMemoryServer) -> None:
    """The lease of what the device was handed ends in twelve seconds; so it does if the device acknowledged it."""
    command = server.put(CONTAINER, REFRESH)
    server.device_request(POLL)
    server.clock.advance(18)
    assert told(server, command, "lease_left", "attempts") == (
        "The command was sent and may have run; its lease ends in 12 s.",
        (12, 1),
    )
    server.device_request(request(f"POST /push/c/ack/{command}"))
    server.clock.advance(18)
    assert told(server, command, "lease_left") == (
        "The device has acknowledged the command; unless it reports again, the lease ends in 12 s.",
        (12,),
    )


def test_a_sign_off(server: InMemoryServer) -> None:
    """The device signed off at two minutes past ten; that a result came later does not change when."""
    early = server.put(CONTAINER, REFRESH)
    server.device_request(POLL)
    server.clock.advance(2 * 3600 + 120)
    server.device_request(request("GET /push/c/signoff"))
    server.clock.advance(60)
    server.device_request(request(f"POST /push/c/result/{early}", b'{"success":true}'))
    sent = server.ask(f"POST /v1/devices/{CONTAINER}/commands?queue=1", {"payload": REFRESH})
    assert told(server, sent.json["id"], "presence", "signed_off_at") == (
        "The device signed off at 2027-01-15T10:02:00.000Z; the command is sent when it returns.",
        ("signed_off", "2027-01-15T10:02:00.000Z"),
    )


def test_an_approval(server: InMemoryServer) -> None:
    """The device waits for an operator's approval."""
    server.ask(f"PATCH /v1/devices/{CONTAINER}", {"admission": "pending"})
    command = server.put(CONTAINER, REFRESH)
    server.device_request(POLL)
    assert told(server, command, "admission", "polling") == (
        "The device gets no commands until an operator approves it.",
        ("pending", True),
    )


def test_an_expiry(server: InMemoryServer) -> None:
    """It expired unsent, and the device was last heard of at eight."""
    server.device_request(POLL).hang_up()
    command = server.put(CONTAINER, REFRESH, ttl=60)
    assert told(server, command, "expires_in")[1] == (60,)
    server.tick(61)
    assert told(server, command, "attempts", "expires_in") == (
        (
            "The command was never sent, and expired at 2027-01-15T08:01:00.000Z;"
            " the device was last seen at 2027-01-15T08:00:00.000Z."
        ),
        (0, None),
    )


def test_a_device_that_is_deaf_most_of_the_time(server: InMemoryServer) -> None:
    """A reader that rests for 50 s after each poll of 10 s is deaf for most of the time; its next poll is expected."""
    rest(server, 50)
    rest(server, 50)
    rest(server, 19)
    command = server.put(READER, DOOR)
    assert told(server, command, "poll_gap", "hold", "next_poll_in") == (
        "The device is not connected for 50 of every 60 s; its next poll is expected in 31 s.",
        (50, 10, 31),
    )


def test_a_device_that_is_about_to_poll(server: InMemoryServer) -> None:
    """A container that polls again at once is not called deaf in the moment between two polls."""
    for _ in range(2):
        server.device_request(POLL)
        server.clock.advance(45)
        server.clock.advance(0.25)
    server.device_request(POLL)
    server.clock.advance(45)
    command = server.put(CONTAINER, REFRESH)
    assert told(server, command)[0] == "The device is between two polls; the next one is expected at any moment."


def test_another_attempt(server: InMemoryServer) -> None:
    """What waits for another attempt may have run."""
    command = server.put(CONTAINER, REFRESH, delivery="at_least_once")
    server.device_request(POLL)
    server.tick(31)
    assert told(server, command, "attempts") == (
        "The device does not poll; it was last seen 31 s ago. It was sent once before, and may have run.",
        (1,),
    )


def test_a_device_that_anybody_could_be(server: InMemoryServer) -> None:
    """Nobody proves that it is this device, as long as nothing is configured by which it could."""
    server.ask(f"PATCH /v1/devices/{CONTAINER}", {"allow_from": []})
    command = server.put(CONTAINER, REFRESH)
    assert told(server, command, "proven") == (f"The device has never polled.{UNAUTHENTICATED}", (False,))
    server.device_request(POLL)
    sentence, facts = told(server, command, "proven")
    assert (sentence.endswith(UNAUTHENTICATED), facts) == (True, (False,))


def test_a_device_that_has_nothing_to_prove_itself_with(build_house: BuildHouse) -> None:
    """With --require-proof such a device is handed nothing, though it polls and is approved."""
    server = build_house(require_proof=True)
    server.register(CONTAINER)
    command = server.put(CONTAINER, REFRESH)
    server.device_request(POLL)
    assert told(server, command, "polling", "lacks_proof") == (
        "The device gets no commands until it has a secret, an API key or an allow list.",
        (True, True),
    )
