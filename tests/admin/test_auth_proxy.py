"""Tests of :mod:`pushd.admin.auth_proxy`: a proxy that authenticates people names them in a header."""

from pathlib import Path
from typing import Any

import pytest

from pushd.lib.ip_networks import parse_network
from pushd.model.token import Role
from tests.admin.dashboard_page import FOREIGN, OWN, has_ended, log_in
from tests.connection import Connection, Response
from tests.in_memory_server import CLIENT, BuildServer, InMemoryServer

SECRET = "X-Pushd-Auth-Secret: between us"
ANA = "X-Forwarded-User: ana"


@pytest.fixture
def server(build_server: BuildServer, tmp_path: Path) -> InMemoryServer:
    """A server behind such a proxy, to whom ana is known."""
    return behind_proxy(build_server, tmp_path, CLIENT)


def behind_proxy(build_server: BuildServer, tmp_path: Path, proxy: str, **options: Any) -> InMemoryServer:
    """A server that trusts a proxy at this address."""
    file = tmp_path / "auth-secret"
    file.write_text("between us\n")
    file.chmod(0o600)
    server = build_server(
        auth_header="x-forwarded-USER", auth_proxies=(parse_network(proxy),), auth_secret_file=file, **options
    )
    assert server.ask("POST /v1/people", {"name": "ana", "role": "operator", "sites": ["Lobby"]}).code == 201
    return server


def begin(server: InMemoryServer, line: str, body: object = None, *headers: str) -> Connection:
    """Send a request by way of the proxy."""
    return server.begin_as(SECRET, line, body, *headers)


def ask(server: InMemoryServer, line: str, body: object = None, *headers: str) -> Response:
    """The answer to it."""
    return begin(server, line, body, *headers).answer()


def test_a_person_is_known_by_the_header(server: InMemoryServer) -> None:
    """Who the proxy names may do what that person may, without a log-in, and changes carry the name."""
    server.register("controlid:7", site="Lobby")
    server.register("controlid:8")
    who = ask(server, "GET /v1/session", None, ANA).json
    assert (who["name"], who["role"], who["sites"], who["means"]) == ("ana", "operator", ["Lobby"], "proxy")
    assert (who["session"], who["expires_at"]) == (None, None)
    assert [each["id"] for each in ask(server, "GET /v1/devices", None, ANA).json["items"]] == ["controlid:7"]
    command = {"payload": {"endpoint": "reboot"}}
    line = "POST /v1/devices/controlid:7/commands"
    sent = ask(server, line, command, ANA, OWN, f"X-CSRF-Token: {who['csrf']}")
    assert (sent.code, sent.json["created_by"]) == (201, "ana")


def test_changes_are_protected(server: InMemoryServer) -> None:
    """A page of another origin, which the browser would authenticate to the proxy, changes nothing."""
    server.register("controlid:7", site="Lobby")
    csrf = f"X-CSRF-Token: {ask(server, 'GET /v1/session', None, ANA).json['csrf']}"
    line, change = "PATCH /v1/devices/controlid:7", {"muted_until": None}
    ask(server, line, change, ANA).problem(403)
    ask(server, line, change, ANA, OWN).problem(403)
    ask(server, line, change, ANA, csrf, FOREIGN).problem(403)
    server.ask("POST /v1/people", {"name": "eva", "role": "operator"})
    ask(server, line, change, "X-Forwarded-User: eva", csrf).problem(403)
    assert ask(server, line, change, ANA, csrf).code == 200


def test_a_person_who_is_not_known(server: InMemoryServer) -> None:
    """A person who is known to the proxy alone may do nothing, and an admin sees it in the audit log."""
    refused = ask(server, "GET /v1/devices", None, "X-Forwarded-User: bob").problem(403)
    assert "bob" in refused["detail"]
    [entry] = server.ask("GET /v1/audit?object=session:refused").json["items"]
    assert (entry["by"], entry["after"]) == (None, {"by": "proxy", "name": "bob"})
    ask(server, "GET /v1/devices", None, "X-Forwarded-User: ANA").problem(403)


@pytest.mark.parametrize(
    "headers",
    [
        (ANA, ANA),
        (ANA, "X-Forwarded-User: eva"),
        ("X-Forwarded-User:",),
        ("X-Forwarded-User: an\ta",),
        ("X-Forwarded-User: an\x80a",),
    ],
)
def test_an_unclear_name(server: InMemoryServer, headers: tuple[str, ...]) -> None:
    """A header that is there twice, empty, or not printable names no person, even with a valid cookie beside it."""
    page = log_in(server, server.token_of(Role.VIEWER))
    ask(server, "GET /v1/devices", None, *headers, f"Cookie: {page.cookie}").problem(401)


@pytest.mark.parametrize("secret", ["Accept: */*", "X-Pushd-Auth-Secret: guess", "X-Pushd-Auth-Secret:"])
def test_another_program_at_that_address(server: InMemoryServer, secret: str) -> None:
    """Without the secret a program that connects from the proxy's address is not the proxy."""
    server.begin_as(secret, "GET /v1/devices", None, ANA).answer().problem(401)
    ask(server, "GET /v1/devices", None, ANA, "X-Pushd-Auth-Secret: guess").problem(401)


def test_a_client_at_another_address(build_server: BuildServer, tmp_path: Path) -> None:
    """The header counts from the proxy alone, by the connection's own address, whatever another proxy forwards."""
    server = behind_proxy(build_server, tmp_path, "198.51.100.1", trusted_proxies=(parse_network(CLIENT),))
    ask(server, "GET /v1/devices", None, ANA, "X-Forwarded-For: 198.51.100.1").problem(401)


def test_without_the_options(build_server: BuildServer) -> None:
    """A server without such a proxy takes no header for a person."""
    server = build_server()
    server.ask("POST /v1/people", {"name": "ana", "role": "admin"})
    ask(server, "GET /v1/devices", None, ANA).problem(401)


def test_other_ways_stay(server: InMemoryServer) -> None:
    """A token wins over the header, the password for the proxy does not, and without a header the cookie counts."""
    page = log_in(server, server.token_of(Role.VIEWER))
    token = f"Authorization: Bearer {server.token_of(Role.ADMIN)}"
    for headers, name in (
        ((ANA, token), "admin"),
        ((ANA, "Authorization: Basic YW5hOnNlY3JldA=="), "ana"),
        ((ANA, f"Cookie: {page.cookie}"), "ana"),
        ((f"Cookie: {page.cookie}",), "viewer"),
    ):
        assert ask(server, "GET /v1/session", None, *headers).json["name"] == name
    ask(server, "GET /v1/session", None, "Authorization: Basic YW5hOnNlY3JldA==").problem(401)


def test_streams_end_with_the_person(server: InMemoryServer) -> None:
    """A change of a person, and the end of one, end the open event streams at once."""
    for line, body in (("PATCH", {"role": "viewer"}), ("DELETE", None)):
        stream = begin(server, "GET /v1/events/stream", None, ANA)
        assert not has_ended(stream)
        server.ask(f"{line} /v1/people/ana", body)
        assert has_ended(stream)
    ask(server, "GET /v1/events/stream", None, ANA).problem(403)


def test_a_log_out_ends_nothing(server: InMemoryServer) -> None:
    """The proxy alone can log people out whom it authenticates."""
    csrf = f"X-CSRF-Token: {ask(server, 'GET /v1/session', None, ANA).json['csrf']}"
    assert ask(server, "DELETE /v1/session", None, ANA, csrf).code == 204
    assert ask(server, "GET /v1/session", None, ANA).code == 200


def test_the_secret_is_not_shown(server: InMemoryServer) -> None:
    """Neither the options nor the objects of the server show it."""
    options = server.ask("GET /v1/info").json["options"]
    assert (options["auth-header"], options["auth-secret-file"]) == ("x-forwarded-USER", "***")
    assert options["auth-proxy"] == [f"{CLIENT}/32"]
    assert "between us" not in repr(server.admin_port.auth.proxy)
