"""Tests of :mod:`pushd.admin.auth`: which token may make which call."""

import pytest

from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import InMemoryServer
from tests.results import result_of

DEVICE = "controlid:7"

CALLS = {
    "GET /v1/devices": Role.VIEWER,
    "POST /v1/devices": Role.ADMIN,
    "GET /v1/devices/controlid:7": Role.VIEWER,
    "PATCH /v1/devices/controlid:7": Role.OPERATOR,
    "DELETE /v1/devices/controlid:7": Role.ADMIN,
    "POST /v1/devices/controlid:7/secret": Role.ADMIN,
    "POST /v1/devices/controlid:7/api-key": Role.ADMIN,
    "GET /v1/devices/controlid:7/orphans": Role.VIEWER,
    "POST /v1/devices/controlid:7/commands": Role.OPERATOR,
    "GET /v1/commands": Role.VIEWER,
    "GET /v1/commands/x": Role.VIEWER,
    "POST /v1/commands/x/cancel": Role.OPERATOR,
    "GET /v1/events": Role.VIEWER,
    "GET /v1/events/stream?after=x": Role.VIEWER,
}
"""By call: the least role that it requires."""

INCLUDED = {
    Role.DEVICE: frozenset[Role](),
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
}


@pytest.mark.parametrize("role", Role)
def test_roles(server: InMemoryServer, role: Role) -> None:
    """A token may make the calls that its role includes, and no others."""
    for line, least in CALLS.items():
        answer = server.ask(line, {}, role=role)
        if least in INCLUDED[role]:
            assert answer.code not in (401, 403), line
        else:
            assert answer.problem(403)["detail"] == f"This requires the role {least}; the token has the role {role}."


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic YWRtaW46YWRtaW4=", "\xff", "Bearer \xff"])
def test_no_valid_token(server: InMemoryServer, header: str) -> None:
    """Without a valid token, a call shows and changes nothing; the answer says what is required."""
    headers = [f"Authorization: {header}"] if header else []
    for line in CALLS:
        answer = server.call(request(line, b"{}", *headers)).answer()
        answer.problem(401)
        assert answer.headers["www-authenticate"] == 'Bearer realm="pushd"'


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


def test_revoked_token(server: InMemoryServer) -> None:
    """A token that was replaced by one of the same name is not valid."""
    old = server.token_of(Role.VIEWER)
    new = result_of(server.core.tokens.issue(Role.VIEWER, Role.VIEWER))
    for token, code in ((old, 401), (new, 200)):
        answer = server.call(request("GET /v1/devices", b"", f"Authorization: Bearer {token}")).answer()
        assert answer.code == code


def test_no_admin_on_the_device_port(server: InMemoryServer) -> None:
    """The admin API is not served on the device port, nor the device protocols on the admin port."""
    token = f"Authorization: Bearer {server.token_of(Role.ADMIN)}"
    for path in ("/v1/devices", "/healthz", "/readyz"):
        assert server.device_request(request(f"GET {path}", b"", token)).answer().code == 404
    assert server.ask("GET /push?deviceId=7").code == 404
