"""Tests of what the device port lists as rejections, from its bytes to the admin API."""

from typing import Any

import pytest

from pushd.core.devices.admission import AdmissionMode
from pushd.lib.twisted_patches import parse_request_lines_at_once
from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import CLIENT, BuildServer, InMemoryServer

CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(128, 160)) * 8
"""As a TLS client begins."""

DELAY = 5
"""Seconds until a refusal is answered."""


def rejections(server: InMemoryServer) -> list[dict[str, Any]]:
    """The rejections that the admin API lists."""
    found: list[dict[str, Any]] = server.ask("GET /v1/rejections", role=Role.OPERATOR).json["items"]
    return found


def only(server: InMemoryServer) -> dict[str, Any]:
    """The only rejection."""
    (found,) = rejections(server)
    return found


def refused(server: InMemoryServer, line: str, body: bytes = b"", *headers: str) -> dict[str, Any]:
    """Send a request that is refused; returns the only rejection, which is listed before the answer is sent."""
    server.device_request(request(line, body, *headers))
    return only(server)


def test_fields(server: InMemoryServer) -> None:
    """A rejection has the fields that the contract names, and the name of the server that it is of."""
    found = refused(server, "GET /controlid/push?deviceId=007&uuid=secret")
    assert found == {
        "address": CLIENT,
        "path": "/controlid/push",
        "reason": "wrong_base",
        "count": 1,
        "first_at": "2027-01-15T08:00:00.000Z",
        "last_at": "2027-01-15T08:00:00.000Z",
        "device": "controlid:7",
        "remedy": found["remedy"],
        "node": found["node"],
    }
    assert "did you mean --base /controlid?" in found["remedy"]
    assert found["node"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.DEVICE])
def test_role(server: InMemoryServer, role: Role) -> None:
    """Only operators may see rejections, whose addresses and devices no scope narrows."""
    assert server.ask("GET /v1/rejections", role=role).code == 403


def test_limit(server: InMemoryServer) -> None:
    """Without a limit all rejections are listed, with one the newest."""
    for number in range(60):
        server.device_request(request(f"GET /{number}/push?deviceId={number}"), peer=f"192.0.2.{number}")
    assert len(rejections(server)) == 60
    newest = server.ask("GET /v1/rejections?limit=2").json["items"]
    assert [found["path"] for found in newest] == ["/59/push", "/58/push"]
    assert server.ask("GET /v1/rejections?limit=0").code == 400


def test_nothing_is_refused(build_server: BuildServer) -> None:
    """What is served, and what no device asks for, is not listed."""
    server = build_server(bases=(b"/controlid",))
    lines = ["GET /push?deviceId=7", "GET /controlid/push?deviceId=7", "GET /push/push?deviceId=7", "GET /1/push/c"]
    lines += [
        "POST /push/c/ack/m",
        "GET /push/c/signoff",
        "GET /",
        "GET /favicon.ico",
        "DELETE /push",
        "PUT /push/c",
        "OPTIONS /x/push",
    ]
    for line in lines:
        server.device_request(request(line))
    server.clock.advance(DELAY)
    assert rejections(server) == []


@pytest.mark.parametrize(
    ("line", "reason", "device"),
    [
        ("GET /x/push?deviceId=7", "wrong_base", "controlid:7"),
        ("POST /x/result?deviceId=7", "wrong_base", "controlid:7"),
        ("GET /x/push?deviceId=a", "wrong_base", None),
        ("GET /x/push/c", "wrong_base", "servereye:c"),
        ("GET /3/push/c", "wrong_base", "servereye:c"),
        ("GET /x/push/c/ack/m", "wrong_base", "servereye:c"),
        ("GET //x//push//c", "wrong_base", "servereye:c"),
        ("GET /x/push/%2F", "wrong_base", None),
        ("GET /push/c/ack", "wrong_base", None),
        ("GET /push", "no_device_id", None),
        ("GET /push?uuid=1", "no_device_id", None),
        ("GET /push?deviceId=abc", "no_device_id", None),
        ("GET /push?deviceId=1&deviceId=2", "no_device_id", None),
        ("POST /result", "no_device_id", None),
        ("GET /push/a%20b", "no_device_id", None),
        ("GET /container", "no_device_id", None),
        ("GET /push/push", "push_suffix", None),
        ("GET /push/result", "push_suffix", None),
        ("GET /x/push/push?deviceId=7", "push_suffix", "controlid:7"),
        ("GET /d/wrong/push?deviceId=7", "unknown_secret", "controlid:7"),
        ("GET /d/wrong/push/c", "unknown_secret", "servereye:c"),
        ("GET /d/wrong/1/push/c/signoff", "unknown_secret", "servereye:c"),
        ("GET /d/wrong/x/push?deviceId=7", "unknown_secret", "controlid:7"),
    ],
)
def test_reasons_without_a_device(server: InMemoryServer, line: str, reason: str, device: str | None) -> None:
    """What is refused because of its path or query is listed once, with the device that it claims to be of."""
    found = refused(server, line)
    assert (found["reason"], found["device"], found["count"]) == (reason, device, 1)
    server.clock.advance(DELAY)
    assert only(server) == found


def test_secret_is_not_shown(server: InMemoryServer) -> None:
    """The path of a rejection has no secret, also if the base below it is wrong."""
    server.register("controlid:7")
    path = server.ask("POST /v1/devices/controlid:7/secret").json["path"]
    found = refused(server, f"GET {path}/api/push")
    assert (found["path"], found["reason"], found["device"]) == ("/d/***/api/push", "wrong_base", "controlid:7")
    assert "did you mean --base /api?" in found["remedy"]


@pytest.mark.parametrize("line", ["GET /push/c", "POST /push/c/ack/m", "POST /push/c/result/m", "GET /push/c/signoff"])
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("blocked", "blocked"),
        ("closed", "closed"),
        ("address", "address_not_allowed"),
        ("secret", "missing_proof"),
        ("key", "missing_proof"),
        ("wrong key", "wrong_proof"),
        ("another's secret", "wrong_proof"),
    ],
)
def test_reasons_of_a_device(build_server: BuildServer, line: str, case: str, reason: str) -> None:
    """Whatever a device asks for that is not served, the reason is listed, with the device."""
    server = build_server(admission=AdmissionMode.CLOSED)
    headers = []
    if case != "closed":
        fields: dict[str, Any] = {"allow_from": ["198.51.100.0/24"]} if case == "address" else {}
        server.register("servereye:c", admission="blocked" if case == "blocked" else "approved", **fields)
    if case == "secret":
        server.ask("POST /v1/devices/servereye:c/secret")
    elif case in ("key", "wrong key"):
        server.ask("POST /v1/devices/servereye:c/api-key")
        headers = ["X-Api-Key: wrong"] if case == "wrong key" else []
    elif case == "another's secret":
        server.register("controlid:8")
        line = line.replace("/push", str(server.ask("POST /v1/devices/controlid:8/secret").json["path"]) + "/push")
    body = b'{"success":true}' if line.startswith("POST") else b""
    found = refused(server, line, body, *headers)
    assert (found["reason"], found["device"], found["count"]) == (reason, "servereye:c", 1)
    assert "servereye:c" in found["remedy"]
    server.clock.advance(DELAY)


def test_large_result_is_counted_once(server: InMemoryServer) -> None:
    """A refused result whose body arrives in pieces is one rejection."""
    server.register("servereye:c", admission="blocked")
    assert refused(server, "POST /push/c/result/m", b"x" * 300_000)["count"] == 1


def test_too_many_pending(build_server: BuildServer) -> None:
    """A device that is held but not recorded, because too many are pending, is listed."""
    server = build_server(admission=AdmissionMode.APPROVE, max_pending=0)
    found = refused(server, "GET /push?deviceId=7")
    assert (found["reason"], found["device"]) == ("pending_full", "controlid:7")


def test_too_many_polls(server: InMemoryServer) -> None:
    """A poll beyond those that can be held is listed."""
    server.register("servereye:c")
    server.core.poll_registry.limit = 0
    assert refused(server, "GET /push/c")["reason"] == "polls_full"
    server.clock.advance(DELAY)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([CLIENT_HELLO], "tls_on_plain_port"),
        ([CLIENT_HELLO + b"\r\n" + CLIENT_HELLO], "tls_on_plain_port"),
        ([CLIENT_HELLO, b"\r\n", CLIENT_HELLO], "tls_on_plain_port"),
        ([CLIENT_HELLO[:1], CLIENT_HELLO[1:]], "tls_on_plain_port"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "not_http"),
        ([b"\x00\x01\x02"], "not_http"),
        ([b"hello\n"], "not_http"),
        ([b"GET /push HTTP/1.1\r\nno header\r\n\r\n"], "not_http"),
        ([b"GET /push?", b"a" * 20_000], "not_http"),
        ([b"GET /" + b"a/" * 50_000 + b" HTTP/1.1\r\n\r\n"], "not_http"),
        ([request("GET /push?deviceId=7"), CLIENT_HELLO], None),
    ],
)
def test_what_is_not_http(server: InMemoryServer, sent: list[bytes], reason: str | None) -> None:
    """TLS on a plain port, and anything else that is no HTTP request, is listed once, without a path."""
    parse_request_lines_at_once()
    connection = server.connect()
    for data in sent:
        connection.send(data)
    if reason is None:  # held back until the poll has ended
        assert rejections(server) == []
        server.clock.advance(10)
        reason = "tls_on_plain_port"
    found = only(server)
    assert (found["reason"], found["path"], found["device"], found["count"]) == (reason, None, None, 1)


@pytest.mark.parametrize(
    ("data", "is_closed"),
    [
        (CLIENT_HELLO, True),
        (CLIENT_HELLO[:1], True),
        (b"\x16\x03", True),
        (b"\x16\x00", False),
        (b"\x15\x03", False),
        (b"SSH-2.0", False),
    ],
)
def test_tls_is_closed_at_once(server: InMemoryServer, data: bytes, is_closed: bool) -> None:
    """A client that speaks TLS to a plain port does not wait for an answer that never comes."""
    for connection in (server.device_request(data), server.call(data)):
        assert (connection.closed_by_server, connection.answers()) == (is_closed, [])
    assert only(server)["reason"] == ("tls_on_plain_port" if is_closed else "not_http")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"G", b"ET /push?deviceId=7 HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n"],
        [b"\r", b"\nGET /push?deviceId=7 HTTP/1.1\r\nHost: a\r\n\r\n"],
        [b"GET /push?deviceId=7 HTTP/1.1\r\nhost: ", b"a\r\n\r\n"],
        [b"GET", b" /push?deviceId=7 HTTP/1.1\r\nHost: a\r\n\r\n"],
    ],
)
def test_requests_in_pieces_are_served(server: InMemoryServer, pieces: list[bytes]) -> None:
    """A request that arrives in pieces is not listed."""
    connection = server.connect()
    for piece in pieces:
        connection.send(piece)
    assert rejections(server) == []
    assert server.device("controlid:7")["polling"] is True


def test_admin_port_is_not_listed(server: InMemoryServer) -> None:
    """What is refused at the admin port is not listed."""
    for data in (CLIENT_HELLO, b"hello\r\n\r\n", request("GET /push"), request("GET /v1/devices")):
        server.call(data)
    assert rejections(server) == []
