"""Tests of :mod:`pushd.admin.tokens`: tokens made, listed, changed, rotated and revoked over HTTP."""

from typing import Any

import pytest

from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import InMemoryServer

SCOPE = {"devices": ["controlid:7"], "sites": ["Lobby"], "tags": ["door"], "endpoints": ["open"]}


def create(server: InMemoryServer, **fields: Any) -> dict[str, Any]:
    """A new token, as it is shown once."""
    answer = server.ask("POST /v1/tokens", {"name": "lobby", "role": "operator", **fields})
    assert answer.code == 201, answer.body
    assert answer.headers["location"] == f"/v1/tokens/{answer.json['id']}"
    found: dict[str, Any] = answer.json
    return found


def code_of(server: InMemoryServer, secret: str) -> int:
    """The status of a call with a secret that is not wrong."""
    connection = server.call(request("GET /v1/devices", b"", f"Authorization: Bearer {secret}"))
    server.clock.advance(1)
    return connection.answer().code


def test_a_new_token(server: InMemoryServer) -> None:
    """The answer has the secret, which is shown nowhere else, and all fields."""
    found = create(server, **SCOPE, expires_at="2027-02-01T00:00:00Z")
    secret = found.pop("token")
    assert secret.startswith("pushd_")
    assert found == {
        "id": found["id"],
        "name": "lobby",
        "role": "operator",
        **SCOPE,
        "expires_at": "2027-02-01T00:00:00.000Z",
        "last_used_at": None,
        "created_by": "admin",
        "created_at": "2027-01-15T08:00:00.000Z",
        "file": False,
    }
    assert server.ask(f"GET /v1/tokens/{found['id']}").json == found
    assert code_of(server, secret) == 200
    assert secret.encode() not in server.ask("GET /v1/tokens").body


def test_the_list(server: InMemoryServer) -> None:
    """Tokens are listed by id, in pages; that of the file is marked, and when each was used is shown."""
    made = [create(server, name=name, role="viewer")["id"] for name in "abc"]
    first = server.ask("GET /v1/tokens?limit=3").json
    second = server.ask(f"GET /v1/tokens?limit=3&cursor={first['next']}").json
    assert second["next"] is None
    pages = [first["items"], second["items"]]
    listed = [item for page in pages for item in page]
    assert [len(page) for page in pages] == [3, 1]
    assert sorted(each["id"] for each in listed if not each["file"]) == sorted(made)
    [file] = [each for each in listed if each["file"]]
    assert (file["name"], file["role"], file["created_by"]) == ("admin", "admin", None)
    assert file["last_used_at"] == "2027-01-15T08:00:00.000Z"


def test_changes(server: InMemoryServer) -> None:
    """The name, the scope and the expiry are changed; null takes a selector away; the secret stays."""
    found = create(server, **SCOPE)
    changes: dict[str, Any] = {"name": "yard", "sites": None, "tags": [], "expires_at": "2027-02-01T00:00:00Z"}
    changed = server.ask(f"PATCH /v1/tokens/{found['id']}", changes).json
    assert [changed[name] for name in ("name", "sites", "tags", "devices")] == ["yard", None, [], ["controlid:7"]]
    assert code_of(server, found["token"]) == 200
    assert server.ask(f"PATCH /v1/tokens/{found['id']}", {"expires_at": None}).json["expires_at"] is None


def test_rotation(server: InMemoryServer) -> None:
    """A new secret; the old one is valid for the overlap, by default not at all."""
    first = create(server)
    second = server.ask(f"POST /v1/tokens/{first['id']}/rotate?overlap=60")
    assert (second.code, second.json["id"], second.json["name"]) == (201, first["id"], "lobby")
    assert code_of(server, first["token"]) == code_of(server, second.json["token"]) == 200
    third = server.ask(f"POST /v1/tokens/{first['id']}/rotate").json
    secrets = [first["token"], second.json["token"], third["token"]]
    assert [code_of(server, secret) for secret in secrets] == [401, 401, 200]
    server.ask(f"POST /v1/tokens/{first['id']}/rotate?overlap=2592001").problem(400)


def test_rotating_the_token_that_is_used(server: InMemoryServer) -> None:
    """The token of the file rotates itself; its new secret is in the file before the answer."""
    [file] = server.ask("GET /v1/tokens").json["items"]
    secret = server.ask(f"POST /v1/tokens/{file['id']}/rotate").json["token"]
    assert server.token_file.secret == secret
    assert code_of(server, secret) == 200


def test_revoked(server: InMemoryServer) -> None:
    """A revoked token is invalid, and gone from the list."""
    found = create(server)
    assert server.ask(f"DELETE /v1/tokens/{found['id']}").code == 204
    assert code_of(server, found["token"]) == 401
    for line in ("GET /v1/tokens/{}", "PATCH /v1/tokens/{}", "DELETE /v1/tokens/{}", "POST /v1/tokens/{}/rotate"):
        server.ask(line.format(found["id"]), {}).problem(404)


def test_the_last_admin(server: InMemoryServer) -> None:
    """The last admin token can neither be revoked nor expire."""
    [file] = server.ask("GET /v1/tokens").json["items"]
    for line, body in (("DELETE", None), ("PATCH", {"expires_at": "2027-02-01T00:00:00Z"})):
        answer = server.ask(f"{line} /v1/tokens/{file['id']}", body)
        assert answer.problem(409)["type"] == "last-admin"


@pytest.mark.parametrize("name", ["lobby", "admin"])
def test_names_that_are_taken(server: InMemoryServer, name: str) -> None:
    """A name belongs to one token, and that of the token of the file to no other."""
    create(server)
    other = create(server, name="other")["id"]
    assert server.ask("POST /v1/tokens", {"name": name, "role": "viewer"}).problem(409)["type"] == "name-taken"
    assert server.ask(f"PATCH /v1/tokens/{other}", {"name": name}).problem(409)["type"] == "name-taken"


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"name": None}, ["#/name"]),
        ({"name": " "}, ["#/name"]),
        ({"name": "a\nb"}, ["#/name"]),
        ({"role": None}, ["#/role"]),
        ({"role": "boss"}, ["#/role"]),
        ({"role": "admin", "sites": ["Lobby"]}, ["#/sites"]),
        ({"role": "device", "endpoints": ["open"]}, ["#/endpoints"]),
        ({"devices": ["controlid:7", "controlid:x", "none:1"]}, ["#/devices/1", "#/devices/2"]),
        ({"devices": "controlid:7"}, ["#/devices"]),
        ({"tags": [1]}, ["#/tags/0"]),
        ({"expires_at": "tomorrow"}, ["#/expires_at"]),
        ({"expires_at": "2027-01-15T08:00:00Z"}, ["#/expires_at"]),
        ({"scope": []}, ["#/scope"]),
        ({"token": "mine"}, ["#/token"]),
    ],
)
def test_wrong_fields(server: InMemoryServer, fields: dict[str, Any], pointers: list[str]) -> None:
    """Each wrong field of a new token is named."""
    problem = server.ask("POST /v1/tokens", {"name": "x", "role": "viewer", **fields}).problem(422)
    assert [error["pointer"] for error in problem["errors"]] == pointers


def test_expiry_in_the_past(server: InMemoryServer) -> None:
    """An expiry that is over is refused with the server's time, which may differ from the client's."""
    token = {"name": "x", "role": "viewer", "expires_at": "2026-01-01T00:00:00Z"}
    [error] = server.ask("POST /v1/tokens", token).problem(422)["errors"]
    assert error == {
        "pointer": "#/expires_at",
        "detail": "must be in the future; it is 2027-01-15T08:00:00.000Z now",
    }


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"role": "viewer"}, "#/role"),
        ({"name": None}, "#/name"),
        ({"id": None}, "#/id"),
        ({"sites": [None]}, "#/sites/0"),
    ],
)
def test_wrong_changes(server: InMemoryServer, changes: dict[str, Any], pointer: str) -> None:
    """What a change of a token cannot have is named; the role is one of it."""
    found = create(server)
    problem = server.ask(f"PATCH /v1/tokens/{found['id']}", changes).problem(422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_devices_have_canonical_ids(server: InMemoryServer) -> None:
    """A device may be named in any spelling, also by its serial number, before it is known."""
    found = create(server, devices=["controlid:007", "controlid:7", "controlid:0G0200/005B6D"])
    assert found["devices"] == ["controlid:7", "controlid:3206485144263533"]


def test_store_is_down(server: InMemoryServer) -> None:
    """If the store does not answer, nothing is changed, and the call is 503."""
    found = create(server, role="viewer")
    server.fail_store()
    for line, body in (
        ("POST /v1/tokens", {"name": "x", "role": "viewer"}),
        (f"PATCH /v1/tokens/{found['id']}", {"sites": ["Yard"]}),
        (f"DELETE /v1/tokens/{found['id']}", None),
        (f"POST /v1/tokens/{found['id']}/rotate", None),
    ):
        server.ask(line, body, role=Role.ADMIN).problem(503)
    assert code_of(server, found["token"]) != 401
