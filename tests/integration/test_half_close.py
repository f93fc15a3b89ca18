"""Tests of clients that end their side of the connection once they have sent their request, as ``nc -N`` does."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from socket import SHUT_WR

import pytest

from tests.certificates import make_certificate
from tests.connection import request
from tests.integration.calls import HOST, Port
from tests.integration.server import ANY_PORT, OPEN, Server, until

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


PROXY = b"PROXY TCP4 203.0.113.7 10.0.0.2 51008 8080\r\n"


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose device port is plain, behind the PROXY protocol, and behind TLS."""
    folder = tmp_path_factory.mktemp("endpoints")
    file = make_certificate(folder)
    tls = f"ssl:0:privateKey={file}:certKey={file}:interface={HOST}"
    server = Server(folder, (*OPEN, f"--devices=haproxy:{ANY_PORT}", f"--devices={tls}"))
    try:
        yield server.start()
    finally:
        server.kill()


def test_client_behind_the_proxy_protocol(endpoints: Server) -> None:
    """Behind a ``haproxy:`` endpoint a result is answered, and a held poll ends idle, as without it."""
    endpoints.admin.ask("POST /v1/devices", {"id": "servereye:proxied"})
    command = endpoints.send("servereye:proxied", {"control": "a"})
    port = Port(endpoints.device_ports[1])
    assert endpoints.devices.ask("GET /push/proxied").json["success"] is True
    result = PROXY + request(f"POST /push/proxied/result/{command}", SUCCESS)
    assert answers(port, result) == [b'200 {"success":true,"message":"result taken"}']
    (idle,) = answers(port, PROXY + request("GET /push/proxied"))
    assert idle.startswith(b'200 {"success":false')
    assert answers(port, PROXY + b"GET /push/ha") == answers(port, b"PROXY TC") == answers(port, b"") == []


def test_client_over_tls_ends_its_side(endpoints: Server) -> None:
    """Over TLS a client that ends its side counts as one that hangs up: its result is kept, and its held poll ends."""
    endpoints.admin.ask("POST /v1/devices", {"id": "servereye:tls"})
    context = ssl.create_default_context(cafile=str(endpoints.folder / "server.pem"))
    port = Port(endpoints.device_ports[2])

    def end_after(data: bytes) -> None:
        with context.wrap_socket(port.connect(), server_hostname=HOST) as connection:
            connection.sendall(data)
            with suppress(ssl.SSLError):  # the response came first
                connection.unwrap().close()

    command = endpoints.send("servereye:tls", {"control": "a"})
    assert endpoints.devices.ask("GET /push/tls").json["success"] is True
    end_after(request(f"POST /push/tls/result/{command}", SUCCESS))
    until(lambda: endpoints.command(command)["state"] == "succeeded", "the result is stored")
    end_after(request("GET /push/tls"))
    until(lambda: not endpoints.holds("servereye:tls"), "the poll has ended")


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
