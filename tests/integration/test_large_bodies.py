"""Tests of large bodies, and of bodies that never end, against a server process."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.connection import request
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
LARGE = 16 * MIB

MEMORY = 1024 * MIB
"""What the server may allocate."""

KEPT = 64 * MIB
"""What it may keep of that when all is done."""

DEVICES = 6


def limit_memory() -> None:
    """Limit the memory of this process."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def resident(server: Server) -> int:
    """The resident memory of a server, in bytes."""
    pages = Path(f"/proc/{server.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def listed(entry: str) -> bytes:
    """A JSON list of almost 16 MiB."""
    return f"[{','.join([entry] * ((LARGE - 100) // (len(entry) + 1)))}]".encode()


def results() -> Iterator[bytes]:
    """Large results: the values that take most memory, records, very many entries of a batch, a text."""
    yield b'{"response":%b}' % listed("[]")
    yield b'{"response":%b}' % listed('{"a":{}}')
    yield b'{"response":{"access_logs":%b}}' % listed('{"id":1,"time":1700000000,"event":7}')
    yield b'{"transactions_results":%b}' % listed('{"transactionid":"x"}')
    yield b'{"response":"%b"}' % (b"1,[" * 5 * MIB)
    yield b'{"response":%b}' % (b"[" * 5 * MIB)


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    """A running server with little memory."""
    return make_server(preexec=limit_memory).start()


def send_to(server: Server, device_id: str) -> str:
    """Send a command to a reader and have it poll; the id of the command."""
    server.devices.ask(f"GET /push/{device_id}/signoff")
    server.admin.ask("POST /v1/devices", {"id": f"controlid:{device_id}"})
    command = server.send(f"controlid:{device_id}", {"endpoint": "load_objects"})
    assert server.devices.ask(f"GET /push?deviceId={device_id}&uuid=a").body
    return command


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured by /proc")
def test_large_results_need_little_memory(server: Server) -> None:
    """A server with 1 GB settles six results of 16 MiB at once, whatever is in them, and frees the memory again."""
    for number in range(DEVICES):
        send_to(server, str(number))
    before = resident(server)

    def report(number: int, body: bytes) -> None:
        """Repeat a result until it is taken, as devices do: the server takes four of them at a time."""

        def is_taken() -> bool:
            return server.devices.ask(f"POST /result?deviceId={number}&uuid=a", body).code == HTTPStatus.OK

        until(is_taken, "the result is taken")

    with ThreadPoolExecutor(DEVICES) as pool:
        list(pool.map(report, range(DEVICES), results()))
    states = [
        server.admin.ask(f"GET /v1/commands?device=controlid:{number}").json["items"][0]["state"]
        for number in range(DEVICES)
    ]
    assert states == ["succeeded", "succeeded", "succeeded", "unknown", "succeeded", "unknown"]
    until(lambda: resident(server) < before + KEPT, "the memory is free again")


@pytest.mark.parametrize("size", [65_000, 66_000, 2_000_000])
def test_device_that_closes_after_its_result(server: Server, size: int) -> None:
    """A result that has arrived whole counts, though its device closes the connection without waiting."""
    command = send_to(server, "7")
    with server.devices.connect() as connection:
        connection.sendall(request("POST /result?deviceId=7&uuid=a", b'{"response":{}}'.ljust(size)))
    until(lambda: server.command(command)["state"] == "succeeded", "the result is settled")


def test_half_sent_bodies(server: Server) -> None:
    """Large bodies of clients without a token or a proof, none of which ends, keep nothing from being served."""
    command = send_to(server, "7")
    lines = ("POST /v1/devices/controlid:7/commands", "POST /v1/devices", "POST /result?deviceId=8", "POST /nothing")
    with ExitStack() as stack:
        for number in range(32):
            port = server.admin if number % 4 < 2 else server.devices
            connection = stack.enter_context(port.connect())
            connection.sendall(request(lines[number % 4], b" " * LARGE)[:-1])
        body = b'{"response":{}}'.ljust(2 * MIB)
        assert server.devices.ask("POST /result?deviceId=7&uuid=a", body).code == 200
        assert server.command(command)["state"] == "succeeded"
        large = {"payload": {"endpoint": "set_photo", "body": "x" * MIB}}
        assert server.admin.ask("POST /v1/devices/controlid:7/commands", large).code == 201
