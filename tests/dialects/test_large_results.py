"""Tests of large results on the device port, in both dialects."""

from typing import Any

import pytest

from pushd.http.bodies import LARGE, SMALL
from tests.dialects.speakers import READER, Speaker
from tests.in_memory_server import InMemoryServer

TWELVE_MEGABYTES = 12 * 1024 * 1024


def test_large_result(server: InMemoryServer, speaker: Speaker) -> None:
    """A result of 12 MB, all users or a photo, settles its command and is kept whole."""
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload)
    server.device_request(speaker.poll())
    body = speaker.padded(TWELVE_MEGABYTES)
    assert server.device_request(speaker.result(command, body)).answer().code == 200
    assert server.command(command)["state"] == "succeeded"
    shown = server.ask(f"GET /v1/commands/{command}").body
    assert b'"result":' + body + b"}" in shown


def test_large_result_that_nobody_asked_for(server: InMemoryServer, speaker: Speaker) -> None:
    """A large result of a device that was sent nothing is read to its end and dropped; the device is answered as
    usual.
    """
    server.register(speaker.device)
    connection = server.device_request(speaker.result("x", speaker.padded(TWELVE_MEGABYTES)))
    assert connection.answer().code == 200
    assert server.off_reactor == 0
    assert server.orphans(speaker.device) == []
    connection.send(speaker.poll())
    assert server.seen(speaker.device)["polling"] is True


def test_large_result_is_a_sign_of_life(server: InMemoryServer, speaker: Speaker) -> None:
    """A device is known to be there by its result, though nobody reads it."""
    server.register(speaker.device)
    server.device_request(speaker.result("x", speaker.padded(SMALL + 1)))
    assert server.seen(speaker.device)["presence"] == "online"


def test_large_result_of_a_blocked_device(server: InMemoryServer, speaker: Speaker) -> None:
    """A blocked device is refused, however large its result."""
    server.register(speaker.device, admission="blocked")
    answer = server.device_request(speaker.result("x", speaker.padded(SMALL + 1))).answer()
    code, part = speaker.refusal
    assert answer.code == code
    assert part in answer.body


@pytest.mark.parametrize(
    "refused", [{"admission": "blocked"}, {"allow_from": ["10.0.0.0/8"]}], ids=["blocked", "unproven"]
)
@pytest.mark.parametrize("body", [b"{", b" " * (SMALL + 1)], ids=["small", "large"])
def test_result_of_who_is_refused_is_not_even_read(
    server: InMemoryServer, speaker: Speaker, refused: dict[str, Any], body: bytes
) -> None:
    """Who is blocked, or shows no proof, is refused before anybody looks at what it says, and settles nothing."""
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload)
    server.device_request(speaker.poll())
    server.ask(f"PATCH /v1/devices/{speaker.device}", refused)
    answer = server.device_request(speaker.result(command, body)).answer()
    code, part = speaker.refusal
    assert (answer.code, part in answer.body, server.off_reactor) == (code, True, 0)
    assert server.command(command)["state"] == "sent"
    assert server.orphans(speaker.device) == []


def test_small_result_that_nobody_asked_for(server: InMemoryServer, speaker: Speaker) -> None:
    """A result of up to 64 KiB is always read, and kept as an orphan if it settles nothing."""
    server.register(speaker.device)
    server.device_request(speaker.result("x", speaker.padded(SMALL)))
    (orphan,) = server.orphans(speaker.device)
    assert orphan["size"] == SMALL


def test_result_at_the_limit(server: InMemoryServer, speaker: Speaker) -> None:
    """A result of exactly 16 MiB is taken."""
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload)
    server.device_request(speaker.poll())
    server.device_request(speaker.result(command, speaker.padded(LARGE)))
    assert server.command(command)["state"] == "succeeded"


def test_result_over_the_limit(server: InMemoryServer, speaker: Speaker) -> None:
    """A result over 16 MiB is read to its end and answered as usual; its command is unknown, and tells the size."""
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload)
    server.device_request(speaker.poll())
    size = LARGE + 1
    connection = server.device_request(speaker.result(command, speaker.padded(size)))
    assert connection.answer().code == 200
    found = server.command(command)
    assert (found["state"], found["error"]) == ("unknown", f"the result was too large: {size} bytes")
    assert found["result"] is None
    connection.send(speaker.poll())
    assert server.seen(speaker.device)["polling"] is True


def test_result_for_an_unknown_command_is_awaited(server: InMemoryServer, speaker: Speaker) -> None:
    """A large result still counts when its lease ran out before."""
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload)
    server.device_request(speaker.poll())
    server.tick(61)
    assert server.command(command)["state"] == "unknown"
    server.device_request(speaker.result(command, speaker.padded(SMALL + 1)))
    assert server.command(command)["state"] == "succeeded"


def test_large_body_of_a_poll(server: InMemoryServer, speaker: Speaker) -> None:
    """A poll is a poll, whatever comes with it; nobody reads that."""
    data = speaker.poll("", f"Content-Length: {SMALL + 9}") + b"x" * (SMALL + 9)
    server.device_request(data)
    assert server.seen(speaker.device)["polling"] is True
    assert server.budget.used == 0


def test_large_orphan_is_cut(server: InMemoryServer) -> None:
    """Of an orphan result, the first 64 KiB are kept."""
    server.register(READER.device)
    server.put(READER.device, READER.payload)
    server.device_request(READER.poll())
    foreign = READER.result("", READER.padded(SMALL + 9)).replace(b"uuid=a", b"uuid=b")
    server.device_request(foreign)
    (orphan,) = server.orphans(READER.device)
    assert orphan["size"] == SMALL + 9
    assert len(orphan["raw"]) == (SMALL + 2) // 3 * 4
