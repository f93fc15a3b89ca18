"""Tests of what an operator reads who asks why a command has not run."""

from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import BuildHouse, House

READER = "controlid:7"
CONTAINER = "servereye:c"
DOOR = {"endpoint": "load_objects"}
REFRESH = {"control": "REFRESH_AGENT"}
POLL_READER = request("GET /push?deviceId=7&uuid=a")
POLL = request("GET /push/c")
NOBODY = " Nobody proves that it is this device: give it a secret, a key or an allow list."


@pytest.fixture
def house(build_house: BuildHouse) -> House:
    """A house that knows a reader and a container, to each of which a network is configured."""
    house = build_house()
    for device in (READER, CONTAINER):
        house.register(device, allow_from=["192.0.2.0/24"])
    return house


def told(house: House, command: str, *facts: str) -> tuple[str, tuple[Any, ...]]:
    """The sentence, and some of the facts that it rests on."""
    found = house.ask(f"GET /v1/commands/{command}/explain").json
    return found["sentence"], tuple(found["facts"][fact] for fact in facts)


def rest(house: House, seconds: float) -> None:
    """Let a reader be answered idle, and be deaf for a while."""
    house.knock(POLL_READER)
    house.clock.advance(10)
    house.clock.advance(seconds)


def test_a_device_that_went_away(house: House) -> None:
    """The device was last heard of three hours ago."""
    house.knock(POLL).hang_up()
    house.clock.advance(3 * 3600)
    command = house.put(CONTAINER, REFRESH)
    assert told(house, command, "polling", "last_seen_at") == (
        "The device does not poll; it was last heard of 3 h ago.",
        (False, "2027-01-15T08:00:00.000Z"),
    )


def test_a_device_that_never_came(house: House) -> None:
    """The device has never polled."""
    command = house.put(CONTAINER, REFRESH)
    assert told(house, command, "last_seen_at") == ("The device has never polled.", (None,))


def test_commands_ahead(house: House) -> None:
    """Two commands are ahead of it, whether the device is there or not."""
    *_, last = (house.put(READER, DOOR) for _ in range(3))
    assert told(house, last, "ahead") == ("The device has never polled. 2 commands are ahead of it.", (2,))
    house.knock(POLL_READER)
    house.knock(POLL_READER)
    assert told(house, last, "ahead", "in_flight", "polling") == (
        "1 command is ahead of it, and the device takes one after the other.",
        (1, 1, True),
    )


def test_a_device_that_is_busy(house: House) -> None:
    """The device still has the command before, and polls for that one only."""
    house.put(READER, DOOR)
    house.knock(POLL_READER)
    house.knock(POLL_READER)
    command = house.put(READER, DOOR)
    assert told(house, command, "ahead", "in_flight") == (
        "The device polls, and still has the one before: it is next once that ends.",
        (0, 1),
    )


def test_a_lease(house: House) -> None:
    """The lease of what the device was handed ends in twelve seconds; so it does if the device acknowledged it."""
    command = house.put(CONTAINER, REFRESH)
    house.knock(POLL)
    house.clock.advance(18)
    assert told(house, command, "lease_left", "attempts") == (
        "It was handed to the device and may have run; its lease ends in 12 s.",
        (12, 1),
    )
    house.knock(request(f"POST /push/c/ack/{command}"))
    house.clock.advance(18)
    assert told(house, command, "lease_left") == (
        "The device has said that it has it; unless it says more, its lease ends in 12 s.",
        (12,),
    )


def test_a_sign_off(house: House) -> None:
    """The device signed off at two minutes past ten; that a result came later does not change when."""
    early = house.put(CONTAINER, REFRESH)
    house.knock(POLL)
    house.clock.advance(2 * 3600 + 120)
    house.knock(request("GET /push/c/signoff"))
    house.clock.advance(60)
    house.knock(request(f"POST /push/c/result/{early}", b'{"success":true}'))
    sent = house.ask(f"POST /v1/devices/{CONTAINER}/commands?queue=1", {"payload": REFRESH})
    assert told(house, sent.json["id"], "presence", "signed_off_at") == (
        "The device signed off at 2027-01-15T10:02:00.000Z, and is sent it when it returns.",
        ("signed_off", "2027-01-15T10:02:00.000Z"),
    )


def test_an_approval(house: House) -> None:
    """The device waits for an operator's approval."""
    house.ask(f"PATCH /v1/devices/{CONTAINER}", {"admission": "pending"})
    command = house.put(CONTAINER, REFRESH)
    house.knock(POLL)
    assert told(house, command, "admission", "polling") == (
        "The device waits for an operator's approval before it is handed anything.",
        ("pending", True),
    )


def test_an_expiry(house: House) -> None:
    """It expired unsent, and the device was last heard of at eight."""
    house.knock(POLL).hang_up()
    command = house.put(CONTAINER, REFRESH, ttl=60)
    assert told(house, command, "expires_in")[1] == (60,)
    house.tick(61)
    assert told(house, command, "attempts", "expires_in") == (
        (
            "It was never sent: the device did not take it before 2027-01-15T08:01:00.000Z"
            " (it was last heard of at 2027-01-15T08:00:00.000Z)."
        ),
        (0, None),
    )


def test_a_device_that_is_deaf_most_of_the_time(house: House) -> None:
    """A reader that rests for 50 s after each poll of 10 s is deaf for most of the time; its next poll is expected."""
    rest(house, 50)
    rest(house, 50)
    rest(house, 19)
    command = house.put(READER, DOOR)
    assert told(house, command, "poll_gap", "hold", "next_poll_in") == (
        "The device is deaf for 50 of every 60 s; its next poll is expected in 31 s.",
        (50, 10, 31),
    )


def test_a_device_that_is_about_to_poll(house: House) -> None:
    """A container that polls again at once is not called deaf in the moment between two polls."""
    for _ in range(2):
        house.knock(POLL)
        house.clock.advance(45)
        house.clock.advance(0.25)
    house.knock(POLL)
    house.clock.advance(45)
    command = house.put(CONTAINER, REFRESH)
    assert told(house, command)[0] == "The device is between two polls; its next is expected at any moment."


def test_another_attempt(house: House) -> None:
    """What waits for another attempt may have run."""
    command = house.put(CONTAINER, REFRESH, delivery="at_least_once")
    house.knock(POLL)
    house.tick(31)
    assert told(house, command, "attempts") == (
        "The device does not poll; it was last heard of 31 s ago. It was sent once before, and may have run.",
        (1,),
    )


def test_a_device_that_anybody_could_be(house: House) -> None:
    """Nobody proves that it is this device, as long as nothing is configured by which it could."""
    house.ask(f"PATCH /v1/devices/{CONTAINER}", {"allow_from": []})
    command = house.put(CONTAINER, REFRESH)
    assert told(house, command, "proven") == (f"The device has never polled.{NOBODY}", (False,))
    house.knock(POLL)
    sentence, facts = told(house, command, "proven")
    assert (sentence.endswith(NOBODY), facts) == (True, (False,))


def test_a_device_that_has_nothing_to_prove_itself_with(build_house: BuildHouse) -> None:
    """With --require-proof such a device is handed nothing, though it polls and is approved."""
    house = build_house(require_proof=True)
    house.register(CONTAINER)
    command = house.put(CONTAINER, REFRESH)
    house.knock(POLL)
    assert told(house, command, "polling", "lacks_proof") == (
        "The device is handed nothing before it has a secret, a key or an allow list.",
        (True, True),
    )
