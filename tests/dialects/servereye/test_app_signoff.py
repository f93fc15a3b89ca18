"""Tests of :mod:`pushd.dialects.servereye.app`: sign-offs, over bytes."""

import pytest

from tests.connection import request
from tests.in_memory_server import House

DEVICE = "servereye:c"
POLL = request("GET /push/c")
REFRESH = {"control": "REFRESH_AGENT"}


def sign_off(house: House, line: str = "GET /push/c/signoff") -> None:
    """Go away on purpose; that is answered at once, with success."""
    answer = house.knock(request(line)).answer()
    assert (answer.code, answer.json) == (200, {"success": True, "message": "signed off"})


@pytest.mark.parametrize("line", ["GET /push/c/signoff", "POST /push/c/signoff", "GET /1/push/c/signoff?apiKey=k"])
def test_sign_off(house: House, line: str) -> None:
    """A container that signs off is answered first; its held poll ends a second later, and brings nothing any more."""
    poll = house.knock(POLL)
    sign_off(house, line)
    seen = house.seen(DEVICE)
    assert (seen["presence"], seen["polling"]) == ("signed_off", False)
    house.ask(f"POST /v1/devices/{DEVICE}/commands?queue=1", {"payload": REFRESH})
    house.clock.advance(0.9)
    assert poll.answers() == []
    house.clock.advance(0.1)
    assert poll.answer().json == {"success": False, "message": "no message"}
    assert house.seen(DEVICE)["presence"] == "signed_off"


def test_client_that_closes_its_poll(house: House) -> None:
    """A client that closes its held poll itself when it signs off leaves nothing behind."""
    poll = house.knock(POLL)
    sign_off(house)
    poll.hang_up()
    assert len(house.core.wakeups) == 0


def test_sign_on(house: House) -> None:
    """A later poll signs the container on again, and gets what was queued meanwhile."""
    house.register(DEVICE)
    sign_off(house)
    house.ask(f"POST /v1/devices/{DEVICE}/commands?queue=1", {"payload": REFRESH})
    assert house.knock(POLL).answer().json["success"] is True
    assert house.seen(DEVICE)["presence"] == "online"
    assert house.events(DEVICE)[-1] == "command.sent"


@pytest.mark.parametrize(("call", "state"), [("ack", "acknowledged"), ("result", "succeeded")])
def test_word_after_the_sign_off(house: House, call: str, state: str) -> None:
    """After the sign-off an ack or result still counts, but only a poll signs on."""
    house.register(DEVICE)
    command = house.put(DEVICE, REFRESH)
    house.knock(POLL)
    sign_off(house)
    house.knock(request(f"POST /push/c/{call}/{command}", b'{"success":true}'))
    assert house.command(command)["state"] == state
    assert house.seen(DEVICE)["presence"] == "signed_off"


def test_commands_outlive_a_sign_off(house: House) -> None:
    """What is queued for a container stays so when it signs off, for as long as its time to live runs."""
    poll = house.knock(POLL)
    command = house.put(DEVICE, REFRESH, not_before="2027-01-15T08:00:05Z", ttl=5)
    sign_off(house)
    poll.hang_up()
    house.tick(9)
    assert house.command(command)["state"] == "queued"
    house.tick(1)
    assert house.command(command)["state"] == "expired"


def test_silence_after_the_sign_off(house: House) -> None:
    """A container that signed off is not missed, however long it is silent; once it polls again, it is."""
    house.register(DEVICE, heartbeat_timeout=5)
    poll = house.knock(POLL)
    sign_off(house)
    house.tick(3600)
    assert poll.answer().json["success"] is False
    assert house.seen(DEVICE)["presence"] == "signed_off"
    house.knock(POLL).hang_up()
    house.tick(4)
    assert house.seen(DEVICE)["presence"] == "online"
    house.tick(1)
    assert house.events(DEVICE)[1:] == ["device.online", "device.signed_off", "device.online", "device.offline"]


def test_an_acknowledgement_is_life(house: House) -> None:
    """A container that works for long, and says so now and then, is online."""
    house.register(DEVICE, heartbeat_timeout=20)
    command = house.put(DEVICE, REFRESH)
    house.knock(POLL)
    for _ in range(6):
        house.tick(15)
        house.knock(request(f"POST /push/c/ack/{command}"))
    assert house.seen(DEVICE)["presence"] == "online"
    house.tick(20)
    assert house.seen(DEVICE)["presence"] == "offline"
