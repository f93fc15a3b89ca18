"""Tests of large results on the device port, in both dialects."""

from typing import Any

import pytest

from pushd.http.bodies import LARGE, SMALL
from tests.dialects.speakers import READER, Speaker
from tests.in_memory_server import House

TWELVE_MEGABYTES = 12 * 1024 * 1024


def test_large_result(house: House, speaker: Speaker) -> None:
    """A result of 12 MB, all users or a photo, settles its command and is kept whole."""
    house.register(speaker.device)
    command = house.put(speaker.device, speaker.payload)
    house.knock(speaker.poll())
    body = speaker.padded(TWELVE_MEGABYTES)
    assert house.knock(speaker.result(command, body)).answer().code == 200
    assert house.command(command)["state"] == "succeeded"
    shown = house.ask(f"GET /v1/commands/{command}").body
    assert b'"result":' + body + b"}" in shown


def test_large_result_that_nobody_asked_for(house: House, speaker: Speaker) -> None:
    """A large result of a device that was sent nothing is read to its end and dropped; the device is answered as
    usual.
    """
    house.register(speaker.device)
    connection = house.knock(speaker.result("x", speaker.padded(TWELVE_MEGABYTES)))
    assert connection.answer().code == 200
    assert house.off_reactor == 0
    assert house.orphans(speaker.device) == []
    connection.send(speaker.poll())
    assert house.seen(speaker.device)["polling"] is True


def test_large_result_is_a_sign_of_life(house: House, speaker: Speaker) -> None:
    """A device is known to be there by its result, though nobody reads it."""
    house.register(speaker.device)
    house.knock(speaker.result("x", speaker.padded(SMALL + 1)))
    assert house.seen(speaker.device)["presence"] == "online"


def test_large_result_of_a_blocked_device(house: House, speaker: Speaker) -> None:
    """A blocked device is refused, however large its result."""
    house.register(speaker.device, admission="blocked")
    answer = house.knock(speaker.result("x", speaker.padded(SMALL + 1))).answer()
    code, part = speaker.refusal
    assert answer.code == code
    assert part in answer.body


@pytest.mark.parametrize(
    "refused", [{"admission": "blocked"}, {"allow_from": ["10.0.0.0/8"]}], ids=["blocked", "unproven"]
)
@pytest.mark.parametrize("body", [b"{", b" " * (SMALL + 1)], ids=["small", "large"])
def test_result_of_who_is_refused_is_not_even_read(
    house: House, speaker: Speaker, refused: dict[str, Any], body: bytes
) -> None:
    """Who is blocked, or shows no proof, is refused before anybody looks at what it says, and settles nothing."""
    house.register(speaker.device)
    command = house.put(speaker.device, speaker.payload)
    house.knock(speaker.poll())
    house.ask(f"PATCH /v1/devices/{speaker.device}", refused)
    answer = house.knock(speaker.result(command, body)).answer()
    code, part = speaker.refusal
    assert (answer.code, part in answer.body, house.off_reactor) == (code, True, 0)
    assert house.command(command)["state"] == "sent"
    assert house.orphans(speaker.device) == []


def test_small_result_that_nobody_asked_for(house: House, speaker: Speaker) -> None:
    """A result of up to 64 KiB is always read, and kept as an orphan if it settles nothing."""
    house.register(speaker.device)
    house.knock(speaker.result("x", speaker.padded(SMALL)))
    (orphan,) = house.orphans(speaker.device)
    assert orphan["size"] == SMALL


def test_result_at_the_limit(house: House, speaker: Speaker) -> None:
    """A result of exactly 16 MiB is taken."""
    house.register(speaker.device)
    command = house.put(speaker.device, speaker.payload)
    house.knock(speaker.poll())
    house.knock(speaker.result(command, speaker.padded(LARGE)))
    assert house.command(command)["state"] == "succeeded"


def test_result_over_the_limit(house: House, speaker: Speaker) -> None:
    """A result over 16 MiB is read to its end and answered as usual; its command is unknown, and tells the size."""
    house.register(speaker.device)
    command = house.put(speaker.device, speaker.payload)
    house.knock(speaker.poll())
    size = LARGE + 1
    connection = house.knock(speaker.result(command, speaker.padded(size)))
    assert connection.answer().code == 200
    found = house.command(command)
    assert (found["state"], found["error"]) == ("unknown", f"the result was too large: {size} bytes")
    assert found["result"] is None
    connection.send(speaker.poll())
    assert house.seen(speaker.device)["polling"] is True


def test_result_for_an_unknown_command_is_awaited(house: House, speaker: Speaker) -> None:
    """A large result still counts when its lease ran out before."""
    house.register(speaker.device)
    command = house.put(speaker.device, speaker.payload)
    house.knock(speaker.poll())
    house.tick(61)
    assert house.command(command)["state"] == "unknown"
    house.knock(speaker.result(command, speaker.padded(SMALL + 1)))
    assert house.command(command)["state"] == "succeeded"


def test_large_body_of_a_poll(house: House, speaker: Speaker) -> None:
    """A poll is a poll, whatever comes with it; nobody reads that."""
    data = speaker.poll("", f"Content-Length: {SMALL + 9}") + b"x" * (SMALL + 9)
    house.knock(data)
    assert house.seen(speaker.device)["polling"] is True
    assert house.budget.used == 0


def test_large_orphan_is_cut(house: House) -> None:
    """Of an orphan result, the first 64 KiB are kept."""
    house.register(READER.device)
    house.put(READER.device, READER.payload)
    house.knock(READER.poll())
    foreign = READER.result("", READER.padded(SMALL + 9)).replace(b"uuid=a", b"uuid=b")
    house.knock(foreign)
    (orphan,) = house.orphans(READER.device)
    assert orphan["size"] == SMALL + 9
    assert len(orphan["raw"]) == (SMALL + 2) // 3 * 4
