"""Tests of large results on the device port, in both dialects."""

from typing import Any

import pytest
from twisted.python.failure import Failure

from pushd.http.bodies import LARGE, SMALL
from tests.dialects.dialect_devices import READER, DialectDevice
from tests.in_memory_server import InMemoryServer

TWELVE_MEGABYTES = 12 * 1024 * 1024


def test_large_result(server: InMemoryServer, device: DialectDevice) -> None:
    """A result of 12 MB settles its command and is kept whole."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    body = device.padded(TWELVE_MEGABYTES)
    assert server.device_request(device.result(command, body)).answer().code == 200
    assert server.command(command)["state"] == "succeeded"
    shown = server.ask(f"GET /v1/commands/{command}").body
    assert b'"result":' + body + b"}" in shown


@pytest.mark.parametrize("size", [SMALL, SMALL + 1], ids=["small", "large"])
def test_result_whose_sender_does_not_wait(server: InMemoryServer, device: DialectDevice, size: int) -> None:
    """A result that has arrived whole counts, though the device disconnects without waiting for the response."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.threads_are_busy = True
    server.device_request(device.result(command, device.padded(size))).hang_up()
    server.run_threads()
    assert server.command(command)["state"] == "succeeded"


def test_unreadable_result_whose_sender_does_not_wait(
    server: InMemoryServer, device: DialectDevice, no_logged_failure: list[Failure]
) -> None:
    """A large result that cannot be read, of a device that has disconnected, logs no traceback."""
    server.register(device.id)
    server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.threads_are_busy = True
    server.device_request(device.result("x", b"{" * (SMALL + 1))).hang_up()
    server.run_threads()
    assert no_logged_failure == []


def test_unexpected_large_result(server: InMemoryServer, device: DialectDevice) -> None:
    """A large result without an outstanding command is read and dropped; the device is answered as usual."""
    server.register(device.id)
    connection = server.device_request(device.result("x", device.padded(TWELVE_MEGABYTES)))
    assert connection.answer().code == 200
    assert server.off_reactor == 0
    assert server.orphans(device.id) == []
    connection.send(device.poll())
    assert server.device(device.id)["polling"] is True


def test_unexpected_large_result_keeps_a_device_online(server: InMemoryServer, device: DialectDevice) -> None:
    """A large result that is dropped still keeps its device online."""
    server.register(device.id)
    server.device_request(device.result("x", device.padded(SMALL + 1)))
    assert server.device(device.id)["presence"] == "online"


def test_large_result_of_a_blocked_device(server: InMemoryServer, device: DialectDevice) -> None:
    """A blocked device is refused, however large its result."""
    server.register(device.id, admission="blocked")
    answer = server.device_request(device.result("x", device.padded(SMALL + 1))).answer()
    code, part = device.refusal
    assert answer.code == code
    assert part in answer.body


@pytest.mark.parametrize(
    "refused", [{"admission": "blocked"}, {"allow_from": ["10.0.0.0/8"]}], ids=["blocked", "not-in-network"]
)
@pytest.mark.parametrize("body", [b"{", b" " * (SMALL + 1)], ids=["small", "large"])
def test_result_of_a_refused_device_is_not_parsed(
    server: InMemoryServer, device: DialectDevice, refused: dict[str, Any], body: bytes
) -> None:
    """The result of a device that is blocked, or not in its networks, is refused unparsed, and settles nothing."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.ask(f"PATCH /v1/devices/{device.id}", refused)
    answer = server.device_request(device.result(command, body)).answer()
    code, part = device.refusal
    assert (answer.code, part in answer.body, server.off_reactor) == (code, True, 0)
    assert server.command(command)["state"] == "sent"
    assert server.orphans(device.id) == []


def test_unexpected_small_result(server: InMemoryServer, device: DialectDevice) -> None:
    """A result of up to 64 KiB is always parsed, and kept as an orphan if it settles no command."""
    server.register(device.id)
    server.device_request(device.result("x", device.padded(SMALL)))
    (orphan,) = server.orphans(device.id)
    assert orphan["size"] == SMALL


def test_result_at_the_limit(server: InMemoryServer, device: DialectDevice) -> None:
    """A result of exactly 16 MiB is accepted."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.device_request(device.result(command, device.padded(LARGE)))
    assert server.command(command)["state"] == "succeeded"


def test_result_over_the_limit(server: InMemoryServer, device: DialectDevice) -> None:
    """A result over 16 MiB is answered as usual; its command becomes unknown, with an error that has the size."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    size = LARGE + 1
    connection = server.device_request(device.result(command, device.padded(size)))
    assert connection.answer().code == 200
    found = server.command(command)
    assert (found["state"], found["error"]) == ("unknown", f"the result was too large: {size} bytes")
    assert found["result"] is None
    connection.send(device.poll())
    assert server.device(device.id)["polling"] is True


def test_large_result_of_an_unknown_command(server: InMemoryServer, device: DialectDevice) -> None:
    """A large result settles its command after the lease has expired, too."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.tick(61)
    assert server.command(command)["state"] == "unknown"
    server.device_request(device.result(command, device.padded(SMALL + 1)))
    assert server.command(command)["state"] == "succeeded"


def test_large_body_of_a_poll(server: InMemoryServer, device: DialectDevice) -> None:
    """The body of a poll is dropped, and the poll is held as any other."""
    data = device.poll("", f"Content-Length: {SMALL + 9}") + b"x" * (SMALL + 9)
    server.device_request(data)
    assert server.device(device.id)["polling"] is True
    assert server.budgets.used == 0


def test_large_orphan_is_cut(server: InMemoryServer) -> None:
    """Only the first 64 KiB of an orphan result are kept."""
    server.register(READER.id)
    server.put(READER.id, READER.payload)
    server.device_request(READER.poll())
    foreign = READER.result("", READER.padded(SMALL + 9)).replace(b"uuid=a", b"uuid=b")
    server.device_request(foreign)
    (orphan,) = server.orphans(READER.id)
    assert orphan["size"] == SMALL + 9
    assert len(orphan["raw"]) == (SMALL + 2) // 3 * 4
