"""Tests of :mod:`pushd.admin.auth`: which token may make which call."""

import pytest

from pushd.core.tokens import MAX_REFUSALS, REFUSAL_DELAY
from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"

CALLS = (
    "GET /v1/devices",
    "POST /v1/devices",
    "PATCH /v1/devices/controlid:7",
    "POST /v1/devices/controlid:7/commands",
    "GET /v1/events/stream?after=x",
    "DELETE /v1/tokens/x",
)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YWRtaW46YWRtaW4=", "\xff"])
def test_no_token(server: InMemoryServer, header: str) -> None:
    """Without a token, a call shows and changes nothing; the answer says what is required."""
    headers = [f"Authorization: {header}"] if header else []
    for line in CALLS:
        answer = server.call(request(line, b"{}", *headers)).answer()
        assert answer.problem(401)["type"] == "unauthenticated"
        assert answer.headers["www-authenticate"] == 'Bearer realm="pushd"'
        assert ("admin.token" in answer.json["detail"]) is (header == "")
        assert "Authorization: Bearer <token>" in answer.json["detail"]


@pytest.mark.parametrize("token", ["wrong", "pushd_wrong", "\xff"])
def test_a_wrong_token_is_refused_slowly(server: InMemoryServer, token: str) -> None:
    """A wrong token is refused after a second, so that guessing takes long; a valid one is not delayed meanwhile."""
    waiting = [server.call(request(line, b"{}", f"Authorization: Bearer {token}")) for line in CALLS]
    server.clock.advance(REFUSAL_DELAY - 0.01)
    assert [connection.answers() for connection in waiting] == [[]] * len(CALLS)
    assert server.ask("GET /v1/devices").code == 200
    server.clock.advance(0.01)
    for connection in waiting:
        problem = connection.answer().problem(401)
        assert (problem["type"], problem["detail"]) == ("unauthenticated", "The token is wrong, revoked or expired.")


def test_few_refusals_wait(server: InMemoryServer) -> None:
    """At most 64 clients wait for a refusal; others are refused at once, and one that disconnects waits no more."""
    wrong = request("GET /v1/devices", b"", "Authorization: Bearer wrong")
    waiting = [server.call(wrong) for _ in range(MAX_REFUSALS)]
    server.call(wrong).answer().problem(401)
    waiting[0].hang_up()
    assert server.call(wrong).answers() == []
    server.call(wrong).answer().problem(401)
    assert server.ask("GET /v1/devices").code == 200
    server.clock.advance(REFUSAL_DELAY)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_spellings_of_the_scheme(server: InMemoryServer, scheme: str) -> None:
    """The scheme before a token may be in upper or lower case."""
    header = f"Authorization: {scheme} {server.token_of(Role.VIEWER)}"
    assert server.call(request("GET /v1/devices", b"", header)).answer().code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(server: InMemoryServer, path: str) -> None:
    """A monitor of the process needs no token."""
    assert server.call(request(f"GET {path}")).answer().code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"admission": "approved"}, 200), ({"muted_until": None}, 200), ({"name": "door"}, 403), ({"hold": 3}, 403)],
)
def test_changes_of_an_operator(server: InMemoryServer, changes: dict[str, object], code: int) -> None:
    """An operator approves, blocks and mutes a device; other changes require an admin."""
    server.register(DEVICE)
    assert server.ask(f"PATCH /v1/devices/{DEVICE}", changes, role=Role.OPERATOR).code == code
    assert server.device(DEVICE)["name"] == ""


def test_no_admin_on_the_device_port(server: InMemoryServer) -> None:
    """The admin API is not served on the device port, nor the device protocols on the admin port."""
    token = f"Authorization: Bearer {server.token_of(Role.ADMIN)}"
    for path in ("/v1/devices", "/healthz", "/readyz"):
        assert server.device_request(request(f"GET {path}", b"", token)).answer().code == 404
    assert server.ask("GET /push?deviceId=7").code == 404
