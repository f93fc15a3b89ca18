"""Tests of clients that end their side of the connection once they have sent their request, as ``nc -N`` does."""

from socket import SHUT_WR

import pytest

from tests.connection import request
from tests.integration.calls import Port
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

SUCCESS = b'{"success":true}'


def answers(port: Port, data: bytes) -> list[bytes]:
    """Send bytes, end this side, and return the responses up to the end of the connection, each without its head."""
    with port.connect() as connection:
        connection.sendall(data)
        connection.shutdown(SHUT_WR)
        with connection.makefile("rb") as file:
            found = file.read().split(b"HTTP/1.1 ")[1:]
    return [response[:3] + b" " + response.partition(b"\r\n\r\n")[2] for response in found]


def authorized(server: Server, line: str, body: bytes = b"") -> bytes:
    """The bytes of a call of the admin API."""
    return request(line, body, f"Authorization: Bearer {server.token}")


def test_work_is_answered(shared: Server) -> None:
    """Results, sign-offs and calls of the admin API are answered when they are done."""
    shared.admin.ask("POST /v1/devices", {"id": "servereye:half"})
    command = shared.send("servereye:half", {"control": "a"})
    assert shared.devices.ask("GET /push/half").json["success"] is True
    result = request(f"POST /push/half/result/{command}", SUCCESS)
    assert answers(shared.devices, result) == [b'200 {"success":true,"message":"result taken"}']
    assert shared.command(command)["state"] == "succeeded"
    large = b'{"success":true,"data":"%b"}' % (b"x" * 100_000)
    repeated = request(f"POST /push/half/result/{command}", large)
    assert answers(shared.devices, repeated) == [b'200 {"success":true,"message":"result taken"}']
    (created,) = answers(shared.admin, authorized(shared, "POST /v1/devices", b'{"id":"servereye:half2"}'))
    assert created.startswith(b"201 ")


def test_pipelined_work_is_answered(shared: Server) -> None:
    """All requests that have arrived whole are answered, in order; one that has not is not."""
    sign_off, unknown = request("GET /push/half3/signoff"), request("GET /nothing")
    data = sign_off + unknown + request("GET /push/half3") + sign_off + b"GET /push/ha"
    signed_off = b'200 {"success":true,"message":"signed off"}'
    first, second, third, fourth = answers(shared.devices, data)
    assert (first, second, fourth) == (signed_off, b"404 ", signed_off)
    assert third.startswith(b'200 {"success":false')


@pytest.mark.parametrize(
    "data", [b"", b"GET /push/c HTT", b"POST /result?deviceId=7 HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"]
)
def test_unfinished_request(shared: Server, data: bytes) -> None:
    """A connection over which no whole request can come is closed."""
    assert answers(shared.devices, data) == []


def test_held_poll_ends(shared: Server) -> None:
    """A held poll ends idle at once: its client may be gone, and a command is for a poll that surely is held."""
    shared.admin.ask("POST /v1/devices", {"id": "controlid:77"})
    assert answers(shared.devices, request("GET /push?deviceId=77")) == [b"200 "]
    until(lambda: not shared.holds("controlid:77"), "the poll has ended")
    command = shared.send("controlid:77", {"endpoint": "a"})
    assert shared.command(command)["state"] == "queued"
    answers(shared.devices, request("GET /push?deviceId=77"))
    until(lambda: shared.command(command)["state"] == "queued", "the command was not sent, or taken back")
    assert shared.devices.ask("GET /push?deviceId=77").json["endpoint"] == "a"


def test_wait_ends(shared: Server) -> None:
    """A call that waits ends at once, as at the end of its wait, and so does a stream."""
    shared.admin.ask("POST /v1/devices", {"id": "controlid:77"})
    command = shared.send("controlid:77", {"endpoint": "a"})
    (waited,) = answers(shared.admin, authorized(shared, f"GET /v1/commands/{command}?wait=60"))
    assert waited.startswith(b"200 ")
    (events,) = answers(shared.admin, authorized(shared, "GET /v1/events?after=now&wait=60"))
    assert events.startswith(b"200 ")
    (stream,) = answers(shared.admin, authorized(shared, "GET /v1/events/stream"))
    assert stream.startswith(b"200 ")
